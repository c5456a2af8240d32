"""The rules of the day in words: what the foot of every page lists, each with its source."""

from __future__ import annotations

from collections import Counter
from datetime import date

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from market import hidden, rulebook
from market.messages import JSON
from market.models import Instrument, World
from market.rulebook import PPB, FeeRule, InstrumentRules, words
from simgame.kernel import money

PERCENT = PPB // 100


def lines(world: World, day: date) -> list[JSON]:
    """[{name, value, text, source, row}] for the instrument that most of the world is like.

    `text` is short and translated; `source` says where the rule stands, `row` is its id in the
    rulebook ("" for a property of the instrument).
    """
    shown = typical(world)
    if shown is None:
        return []
    book = rulebook.load(world.rulebook)
    rules = book.rules_for(shown, day)
    found = [*_trading(world, rules), *_fees(rules), *_by_row(book, rules), *_made(world)]
    return [
        {
            "name": name,
            "value": value,
            "text": text,
            "source": words.source(book.row(row), language()) if row else world.name,
            "row": row,
        }
        for name, value, text, row in found
    ]


def language() -> str:
    """The reader's, as the rulebook names languages."""
    return get_language() or words.ENGLISH


def cited(rule: JSON) -> JSON:
    """A receipt's rule for its reader: what bound in their language, and the dated row that says so.

    {name, row, text, stated, source}; the last two are null where no row of a rulebook bound.
    """
    row = rulebook.row_named(rule.get("row", ""))
    stated = words.says(row, language()) if row else None
    text = _(rule["text"]) if rule.get("text") else ""
    if text == rule.get("text") and stated and not language().startswith(words.ENGLISH):
        text = stated  # a sentence with numbers in it, which only the engine's language has
    return {**rule, "text": text, "stated": stated, "source": words.source(row, language()) if row else None}


def typical(world: World) -> Instrument | None:
    """An instrument of the kind and board that are most frequent in the world."""
    rows = list(world.instruments.all())
    counted = Counter(map(_likeness, rows))
    if not counted:
        return None
    most, _count = counted.most_common(1)[0]
    return next(row for row in rows if _likeness(row) == most)


def _likeness(row: Instrument) -> tuple[object, ...]:
    return row.kind, row.venue, row.board, row.product, row.lot, row.tick


def percent(ppb: int) -> str:
    """20_000_000 → "2%"."""
    return money.show_trimmed(ppb, 7) + "%" if ppb % PERCENT else f"{ppb // PERCENT}%"


Line = tuple[str, str, str, str]  # name, value, text, row


def _trading(world: World, rules: InstrumentRules) -> list[Line]:
    rows = rules.rows
    lot = money.show_trimmed(rules.lot, rules.qty_exponent)
    tick = money.show_trimmed(rules.tick, rules.price_exponent)
    found = [
        ("lock", f"T+{rules.lock_days}", f"T+{rules.lock_days}", rows.get("lock", "")),
        ("lot", lot, _("lot %(lot)s") % {"lot": lot}, rows.get("lot", "")),
        ("tick", tick, _("tick %(tick)s") % {"tick": tick}, ""),
    ]
    if rules.band_ppb:
        band = f"±{percent(rules.band_ppb)}"
        found.append(("band", band, _("band %(band)s") % {"band": band}, rows.get("band", "")))
    acts = world.kind == World.Kind.SEEDED  # a recorded day's own halts are in the recording
    if acts and (row := rulebook.row_named(rows.get("breaker", ""))):
        said = row.values
        facts = {"move": said["move"], "minutes": said["within_s"] // 60}
        text = _("halt at ±%(move)s in %(minutes)s min") % facts
        found.append(("breaker", said["move"], text, row.id))
    if rules.cage_ppb:
        cage = percent(rules.cage_ppb)
        found.append(("cage", cage, _("price cage %(cage)s") % {"cage": cage}, rows.get("cage", "")))
    return found


def _made(world: World) -> list[Line]:
    """What a replay makes up because its recording lacks it, and whether its day is hidden."""
    words_of = {
        "depth": _("depth made by rule"),
        "way": _("way inside bars made by rule"),
        "milliseconds": _("milliseconds made by rule"),
        "hidden": _("dates and names hidden"),
    }
    if told := hidden.told(world):
        words_of["hidden"] = (
            _("this day was %(day)s") % {"day": told["day"]} if told["revealed"] else words_of["hidden"]
        )
    return [("made", what, words_of[what], "") for what in world.options.get("made", ())]


def _fees(rules: InstrumentRules) -> list[Line]:
    return [line for fee in rules.fees if not _is_particular(fee) for line in _fee(fee, rules)]


def _by_row(book: rulebook.Rulebook, rules: InstrumentRules) -> list[Line]:
    """What the row itself says best: fees by the piece or by what a fill does, margins."""
    ids = [(fee.name, fee.row) for fee in rules.fees if _is_particular(fee)]
    if rules.is_contract:
        ids.append(("margin", rules.rows["margin"]))
    found = []
    for name, row_id in ids:
        row = book.row(row_id)
        value = row.values.get("rate") or row.values.get("unit") or row.values.get("margin_long", "")
        found.append((name, str(value), words.says(row, language()), row_id))
    return found


def _is_particular(fee: FeeRule) -> bool:
    return bool(fee.unit_ppb or fee.effect or fee.role)


def _fee(fee: FeeRule, rules: InstrumentRules) -> list[Line]:
    names = {
        "commission": _("commission"),
        "stamp_duty": _("stamp duty"),
        "transfer_fee": _("transfer fee"),
        "handling_fee": _("handling fee"),
        "regulatory_fee": _("regulatory fee"),
    }
    rate = percent(fee.rate_ppb)
    text = f"{names.get(fee.name, fee.name.replace('_', ' '))} {rate}"
    if fee.side == "sell":
        text = _("%(fee)s on sells") % {"fee": text}
    elif fee.side == "buy":
        text = _("%(fee)s on buys") % {"fee": text}
    if fee.least:
        least = money.show(fee.least, rules.cash_exponent)
        text = _("%(fee)s, at least %(least)s") % {"fee": text, "least": least}
    return [(fee.name, rate, text, fee.row)]
