"""Watchlists: named, several to a portfolio, each in its own order."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from typing import Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from market import queries as market_queries
from market.models import Instrument
from market.shapes import alpaca_asset
from simgame.kernel.errors import Invalid, NotFound, VersionConflict
from trading.messages import JSON
from trading.models import Portfolio, Watchlist

SYMBOLS_MAX: Final = 200  # more than any screen shows, and no way to fill the table
LISTS_MAX: Final = 50  # of one portfolio
NAME_CHARS_MAX: Final = 64


def of(portfolio_id: int) -> list[Watchlist]:
    return list(Watchlist.objects.filter(portfolio_id=portfolio_id).order_by("id"))


def find(portfolio_id: int, watchlist_id: str) -> Watchlist:
    """Raises NotFound, also for a list of somebody else and for what is no id at all."""
    try:
        rows = Watchlist.objects.filter(portfolio_id=portfolio_id, id=uuid.UUID(watchlist_id))
    except ValueError:
        raise _nothing() from None
    return rows.first() or _refuse()


def find_named(portfolio_id: int, name: str) -> Watchlist:
    return Watchlist.objects.filter(portfolio_id=portfolio_id, name=name).first() or _refuse()


def make(portfolio_id: int, name: str, symbols: Iterable[str]) -> Watchlist:
    """Raises Invalid (no name or one that is taken, too many) or UnknownInstrument."""
    if not name.strip():
        raise Invalid(_("A watchlist has a name."), pointer="/name")
    with transaction.atomic():
        portfolio = Portfolio.objects.select_for_update(of=["self"]).get(id=portfolio_id)  # one count
        if len(of(portfolio_id)) >= LISTS_MAX:
            raise Invalid(
                _("A portfolio has at most %(most)s watchlists.") % {"most": LISTS_MAX}, pointer="/name"
            )
        made = Watchlist(portfolio=portfolio, name=name, symbols=_known(portfolio, symbols))
        return _stored(made)


def tag(row: Watchlist) -> str:
    """Its ETag: another one for every name and list of symbols."""
    return f'"{hashlib.sha256(json.dumps([row.name, row.symbols]).encode()).hexdigest()[:16]}"'


def change(
    portfolio_id: int,
    watchlist_id: str,
    name: str | None,
    symbols: Iterable[str] | None,
    seen: str | None = None,
) -> Watchlist:
    """A new name, new symbols, or both. Raises as `make`, NotFound, and VersionConflict when its tag is not
    the one that was `seen`."""
    with transaction.atomic():
        row = _locked(portfolio_id, watchlist_id, seen)
        row.name = row.name if name is None else name
        row.symbols = row.symbols if symbols is None else _known(row.portfolio, symbols)
        return _stored(row)


def add(portfolio_id: int, watchlist_id: str, symbol: str, seen: str | None = None) -> Watchlist:
    """At its end; who is there already stays where it is. Raises as `change`."""
    with transaction.atomic():
        row = _locked(portfolio_id, watchlist_id, seen)
        row.symbols = _known(row.portfolio, [*row.symbols, symbol])
        return _stored(row)


def remove(portfolio_id: int, watchlist_id: str, symbol: str, seen: str | None = None) -> Watchlist:
    """Raises NotFound when it is not on the list, and as `change`."""
    with transaction.atomic():
        row = _locked(portfolio_id, watchlist_id, seen)
        if symbol not in row.symbols:
            raise NotFound("The watchlist has no such symbol.")
        row.symbols.remove(symbol)
        return _stored(row)


def delete(portfolio_id: int, watchlist_id: str, seen: str | None = None) -> None:
    with transaction.atomic():
        _locked(portfolio_id, watchlist_id, seen).delete()


def shown(row: Watchlist, account_id: str, *, with_assets: bool = True) -> JSON:
    """Alpaca's watchlist; a symbol that has left the world is left out of the assets."""
    said: JSON = {
        "id": str(row.pk),
        "account_id": account_id,
        "name": row.name,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
    return said | {"assets": _assets(row)} if with_assets else said


def _assets(row: Watchlist) -> list[JSON]:
    world = Portfolio.objects.values_list("game__world_id", flat=True).get(id=row.portfolio_id)
    there = {each.symbol: each for each in Instrument.objects.filter(world=world, symbol__in=row.symbols)}
    return [alpaca_asset(there[symbol]) for symbol in row.symbols if symbol in there]


def _known(portfolio: Portfolio, symbols: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(symbols))
    if len(wanted) > SYMBOLS_MAX:
        raise Invalid(
            _("A watchlist has at most %(most)s symbols.") % {"most": SYMBOLS_MAX}, pointer="/symbols"
        )
    return [row.symbol for row in market_queries.known(portfolio.game.world, wanted)]


def _locked(portfolio_id: int, watchlist_id: str, seen: str | None = None) -> Watchlist:
    found = find(portfolio_id, watchlist_id)
    rows = Watchlist.objects.select_for_update(of=["self"]).select_related("portfolio__game__world")
    row = rows.filter(pk=found.pk).first() or _refuse()
    if seen is not None and seen != tag(row):
        raise VersionConflict(_("The list changed since you read it."))
    return row


def _stored(row: Watchlist) -> Watchlist:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        raise Invalid(f"There is a watchlist named {row.name!r} already.", pointer="/name") from None
    return row


def _nothing() -> NotFound:
    return NotFound("You have no such watchlist.")


def _refuse() -> Watchlist:
    raise _nothing()
