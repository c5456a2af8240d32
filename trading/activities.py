"""What happened to a portfolio: fills, and money or shares that moved without one. Alpaca's activities.

Both come from the books themselves, in the order of the commands that caused them, so an activity's
id says where it stands: `<when>::<seq>-<f|t><row>`, and is the token of the page after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Q

from simgame.kernel import clock, ids, money
from simgame.kernel.errors import Invalid
from trading import ranking
from trading.messages import JSON, Scale, currency_of
from trading.models import Fill, Order, Portfolio, Transfer

PAGE_MAX: Final = 100
FILL: Final = "FILL"
Code = Transfer.Code
# Alpaca's word for each movement that no fill caused, and ours.
WORDS: Final[Mapping[int, tuple[str, str]]] = {
    Code.GRANT: ("CSD", "Start cash"),
    Code.ADJUST: ("JNLC", "Adjusted by an operator"),
    Code.CORPORATE_ACTION: ("DIV", "Corporate action"),
    Code.SETTLEMENT: ("JNLC", "Settled by a correction"),
    Code.VARIATION: ("PTC", "Result of a contract"),
    Code.INTEREST: ("INT", "Interest"),
    Code.BORROW_FEE: ("FEE", "Borrow fee"),
    Code.CONVERSION: ("FXTRD", "Conversion of currency"),
    Code.EXPIRY: ("OPEXP", "Expired contract"),
}
OF_SHARES: Final = {"JNLC": "JNLS", "DIV": "SPLIT"}  # the same word when shares move, not money
TYPES: Final = (FILL, *sorted({word for word, _ in WORDS.values()} | set(OF_SHARES.values())))
_ID: Final = re.compile(r"[0-9]{20}::([0-9]{1,13})-([ft])([0-9]{1,19})\Z", re.ASCII).match
MOVED: Final = """
SELECT t.id, t.seq, t.code, t.asset,
  CASE WHEN t.credit_account = %(account)s THEN t.amount ELSE -t.amount END,
  simgame_command_at(%(world)s::bigint << {shift} | t.seq)
FROM trading_transfer t
WHERE t.code IN ({codes}) AND (t.debit_account = %(account)s OR t.credit_account = %(account)s)
"""


class Place(NamedTuple):
    seq: int
    kind: str  # f sorts before t
    row: int


class Found(NamedTuple):
    place: Place
    at: datetime
    shown: JSON


def moved(portfolio_id: int, world_number: int, codes: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """(id, seq, code, asset, amount with its sign, wall time) of what moved without a fill."""
    asked = MOVED.format(shift=ids.WORLD_SHIFT, codes=", ".join(str(int(code)) for code in codes))
    with connection.cursor() as cursor:
        cursor.execute(asked, {"account": portfolio_id, "world": world_number})
        return cursor.fetchall()


def of(portfolio_id: int, asked: Mapping[str, Any]) -> list[JSON]:
    """A page, the newest first unless `direction` is asc.

    asked: types (of TYPES), limit, direction, and maybe after, until (datetime, exclusive), date, page_token.
    """
    portfolio = Portfolio.objects.select_related("game").get(id=portfolio_id)
    start = _place(asked["page_token"]) if asked.get("page_token") else None
    rising, limit = asked["direction"] == "asc", asked["limit"]
    found: list[Found] = []
    if FILL in asked["types"]:
        found += _fills(portfolio, asked, start, rising=rising)[:limit]
    found += _moves(portfolio, asked["types"])
    wanted = [each for each in found if _within(each, asked, start, rising=rising)]
    return [each.shown for each in sorted(wanted, key=lambda one: one.place, reverse=not rising)[:limit]]


def _fills(
    portfolio: Portfolio, asked: Mapping[str, Any], start: Place | None, *, rising: bool
) -> list[Found]:
    rows = Fill.objects.filter(portfolio=portfolio).order_by("id" if rising else "-id")
    if start:
        same = {"id__gt" if rising else "id__lt": start.row} if start.kind == "f" else {"pk__in": []}
        if start.kind == "t" and not rising:
            same = {}  # fills stand before the transfers of their command
        beyond = Q(seq__gt=start.seq) if rising else Q(seq__lt=start.seq)
        rows = rows.filter(beyond | Q(seq=start.seq, **same))
    since, until = _span(asked)
    rows = rows.filter(at__gt=since) if since else rows
    rows = rows.filter(at__lt=until) if until else rows
    page = list(rows[: asked["limit"]])
    scales = ranking.scales_of(portfolio.game.world_id)
    orders = Order.objects.in_bulk({row.order_id for row in page})
    return [_fill(row, scales[row.symbol], orders[row.order_id]) for row in page]


def _fill(row: Fill, scale: Scale, order: Order) -> Found:
    place = Place(row.seq, "f", row.pk)
    whole = order.filled_qty == order.qty
    shown = {
        "id": _id(row.at, place),
        "activity_type": FILL,
        "transaction_time": row.at,
        "type": "fill" if whole else "partial_fill",
        "price": scale.price(row.price),
        "qty": scale.qty(row.qty),
        "side": row.side,
        "symbol": row.symbol,
        "leaves_qty": scale.qty(order.qty - order.filled_qty),
        "order_id": str(row.order_id),
        "cum_qty": scale.qty(order.filled_qty),
        "order_status": order.status,
        "fee": scale.cash(row.fee),
    }
    return Found(place, row.at, shown)


def _moves(portfolio: Portfolio, types: tuple[str, ...]) -> list[Found]:
    scales = ranking.scales_of(portfolio.game.world_id)
    found = []
    for row, seq, code, asset, amount, at in moved(portfolio.pk, portfolio.game.world_id, tuple(WORDS)):
        word, text = WORDS[code]
        currency = currency_of(asset)
        word = word if currency else OF_SHARES.get(word, word)
        if word not in types:
            continue
        place = Place(seq, "t", row)
        shown: JSON = {
            "id": _id(at, place),
            "activity_type": word,
            "date": at.date(),
            "net_amount": money.show(amount, money.CURRENCY_EXPONENT[currency]) if currency else "0",
            "description": text,
            "status": "executed",
        }
        if currency:
            shown["currency"] = currency
        elif asset in scales:
            shown |= {"symbol": asset, "qty": scales[asset].qty(amount)}
        found.append(Found(place, at, shown))
    return found


def _within(each: Found, asked: Mapping[str, Any], start: Place | None, *, rising: bool) -> bool:
    if start and (each.place <= start if rising else each.place >= start):
        return False
    since, until = _span(asked)
    return (since is None or each.at > since) and (until is None or each.at < until)


def _span(asked: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    if day := asked.get("date"):
        begin = datetime.combine(day, datetime.min.time(), clock.now().tzinfo)
        return begin - timedelta(microseconds=1), begin + timedelta(days=1)
    return asked.get("after"), asked.get("until")


def _id(at: datetime, place: Place) -> str:
    return f"{at:%Y%m%d%H%M%S%f}::{place.seq}-{place.kind}{place.row}"


def _place(token: str) -> Place:
    if not (read := _ID(token)):
        raise Invalid(
            "page_token must be the id of the last activity of the page before.", pointer="/page_token"
        )
    return Place(int(read[1]), read[2], min(int(read[3]), money.INT64_MAX))
