"""The rules of the day in words: what the foot of every page lists, each with its source."""

from __future__ import annotations

from collections import Counter
from datetime import date

from django.utils.translation import gettext as _

from market import rulebook
from market.messages import JSON
from market.models import Instrument, World
from market.rulebook import PPB, FeeRule, InstrumentRules
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
    found = [*_trading(rules), *(line for fee in rules.fees for line in _fee(fee, rules))]
    return [
        {
            "name": name,
            "value": value,
            "text": text,
            "source": book.row(row).source if row else world.name,
            "row": row,
        }
        for name, value, text, row in found
    ]


def typical(world: World) -> Instrument | None:
    """An instrument of the kind and board that are most frequent in the world."""
    rows = list(world.instruments.all())
    counted = Counter((row.kind, row.board, row.lot, row.tick) for row in rows)
    if not counted:
        return None
    most, _count = counted.most_common(1)[0]
    return next(row for row in rows if (row.kind, row.board, row.lot, row.tick) == most)


def percent(ppb: int) -> str:
    """20_000_000 → "2%"."""
    return money.show_trimmed(ppb, 7) + "%" if ppb % PERCENT else f"{ppb // PERCENT}%"


Line = tuple[str, str, str, str]  # name, value, text, row


def _trading(rules: InstrumentRules) -> list[Line]:
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
    if rules.cage_ppb:
        cage = percent(rules.cage_ppb)
        found.append(("cage", cage, _("price cage %(cage)s") % {"cage": cage}, rows.get("cage", "")))
    return found


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
