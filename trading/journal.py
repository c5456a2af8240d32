"""The journal: a player's notes on orders, on days, or on nothing in particular."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from market import queries as market_queries
from market.rulebook.hours import as_date
from simgame.kernel import clock
from simgame.kernel.errors import Invalid, NotFound, VersionConflict
from trading import queries
from trading.models import JournalNote, Portfolio
from trading.models.notes import TEXT_MAX

NOTES_MAX: Final = 5_000  # of a portfolio: ten a day for two years
TAGS_MAX: Final = 10
TAG = re.compile(r"[^\s#,]{1,32}")
WORDS_MAX: Final = 8  # of a search: each is one scan over the player's own notes


def write(
    portfolio_id: int,
    text: str,
    *,
    tags: Iterable[str] = (),
    order_id: uuid.UUID | None = None,
    day: dt.date | None = None,
) -> JournalNote:
    """A new note. Raises Invalid, or NotFound for an order that is not the player's."""
    if JournalNote.objects.filter(portfolio_id=portfolio_id).count() >= NOTES_MAX:
        raise Invalid(_("A journal has at most %(most)s notes.") % {"most": NOTES_MAX}, pointer="/text")
    symbol = queries.order(portfolio_id, order_id).symbol if order_id else ""
    return JournalNote.objects.create(
        portfolio_id=portfolio_id,
        text=_text(text),
        tags=_tags(tags, text),
        order_id=order_id,
        symbol=symbol,
        day=day,
    )


def change(
    portfolio_id: int,
    note_id: int,
    version: int,
    *,
    text: str | None = None,
    tags: Iterable[str] | None = None,
) -> JournalNote:
    """The note anew. Raises VersionConflict when it changed since `version` was read."""
    note = find(portfolio_id, note_id)
    text = note.text if text is None else _text(text)
    tags = _tags(note.tags if tags is None else tags, text)
    rows = JournalNote.objects.filter(pk=note.pk, version=version)
    if not rows.update(text=text, tags=tags, version=F("version") + 1, updated_at=clock.now()):
        raise VersionConflict(_("The note changed since you read it."))
    return find(portfolio_id, note_id)


def remove(portfolio_id: int, note_id: int, version: int | None = None) -> None:
    """Raises NotFound, and VersionConflict when it changed since `version` was read."""
    note = find(portfolio_id, note_id)
    rows = JournalNote.objects.filter(pk=note.pk)
    if not (rows if version is None else rows.filter(version=version)).delete()[0]:
        raise VersionConflict(_("The note changed since you read it."))


def find(portfolio_id: int, note_id: int) -> JournalNote:
    found = JournalNote.objects.filter(portfolio_id=portfolio_id, id=note_id).first()
    if found is None:
        raise NotFound(_("You have no such note."))
    return found


def search(
    portfolio_id: int, words: str = "", tag: str = "", order_id: uuid.UUID | None = None, day: str = ""
) -> QuerySet[JournalNote]:
    """The newest first: every word is somewhere in the text, in a tag or in the symbol.

    Words are looked for inside others, because Chinese does not part them.
    """
    rows = JournalNote.objects.filter(portfolio_id=portfolio_id)
    for word in words.split()[:WORDS_MAX]:
        rows = rows.filter(
            Q(text__icontains=word) | Q(symbol__iexact=word) | Q(tags__contains=[word.lower()])
        )
    if tag:
        rows = rows.filter(tags__contains=[tag.lower()])
    if order_id:
        rows = rows.filter(order_id=order_id)
    return rows.filter(day=day) if day else rows


def tags_of(portfolio_id: int) -> list[tuple[str, int]]:
    """The tags in use, the most frequent first."""
    rows = JournalNote.objects.filter(portfolio_id=portfolio_id).values_list("tags", flat=True)
    return Counter(tag for tags in rows for tag in tags).most_common()


def row(note: JournalNote) -> dict[str, Any]:
    return {
        "id": note.pk,
        "text": note.text,
        "tags": note.tags,
        "order_id": str(note.order_id) if note.order_id else None,
        "symbol": note.symbol or None,
        "day": note.day.isoformat() if note.day else None,
        "version": note.version,
        "created_at": note.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": note.updated_at.isoformat().replace("+00:00", "Z"),
    }


def today(portfolio_id: int) -> dt.date:
    """The day that the player's world is at: what a note of now speaks of."""
    game = Portfolio.objects.select_related("game__world").get(id=portfolio_id).game
    return as_date(market_queries.market_day(game.world))


def _text(text: str) -> str:
    if not 0 < len(text.strip()) <= TEXT_MAX:
        raise Invalid(_("A note has 1 to %(most)s characters.") % {"most": TEXT_MAX}, pointer="/text")
    return text.strip()


def _tags(given: Iterable[str], text: str) -> list[str]:
    """The given tags and those that the text names with a hash, each once, in lower case."""
    named = re.findall(r"(?:^|\s)#([^\s#,]{1,32})", text)
    tags = list(dict.fromkeys(tag.strip().lstrip("#").lower() for tag in [*given, *named] if tag.strip()))
    if len(tags) > TAGS_MAX or not all(TAG.fullmatch(tag) for tag in tags):
        raise Invalid(
            _("A note has at most %(most)s tags, each of 1 to 32 characters without spaces.")
            % {"most": TAGS_MAX},
            pointer="/tags",
        )
    return tags
