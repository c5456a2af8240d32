"""Rows for the wire: the only place that turns orders, fills, positions and balances into JSON.

Every function takes an engine row (trading.engine.events) or the model that mirrors it, and the
`Scale` of its instrument. Money and quantities become decimal strings, times RFC 3339.
The shapes are Alpaca's where Alpaca has a word (docs/api/README.md). Each order comes through here: an
operator may compile it (decision 0079), which is why what may be of two kinds is declared as Any.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from simgame.kernel import clock, ids, money
from trading.engine.events import (
    BalanceRow,
    FillRow,
    Notice,
    OrderRow,
    OrderTerms,
    PortfolioRow,
    PositionRow,
)
from trading.messages.scale import Scale, Scales
from trading.models import Balance, Order, Position

OF_A_PORTFOLIO = frozenset((OrderRow, FillRow, PositionRow, PortfolioRow, Notice))
LEG_NAMES = "leg-"  # client ids that begin so are the exchange's own: those of legs
PERCENT_EXPONENT = 7  # parts per billion as percent
AVERAGE_DECIMALS = 4  # digits an average price may have beyond the instrument's own

JSON = dict[str, Any]


def order_json(order: OrderRow | Order, scale: Scale) -> JSON:
    submitted, updated, closed = _times(order)
    status, terms = order.status, terms_of(order)
    shown: JSON = {
        "id": str(order.id),
        "client_order_id": order.client_order_id,
        "created_at": submitted,
        "updated_at": updated,
        "submitted_at": submitted,
        "filled_at": closed if status == "filled" else None,
        "expired_at": closed if status == "expired" else None,
        "expires_at": None,
        "canceled_at": closed if status == "canceled" else None,
        "failed_at": closed if status == "rejected" else None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": scale.uid,
        "symbol": order.symbol,
        "asset_class": scale.asset_class,
        "notional": None,
        "qty": scale.qty(order.qty),
        "filled_qty": scale.qty(order.filled_qty),
        "filled_avg_price": average_price(int(order.filled_value), order.filled_qty, scale),
        "order_class": "simple",
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": "buy_to_open" if order.side == "buy" else "sell_to_close",
        "time_in_force": order.time_in_force,
        "limit_price": scale.price(order.limit_price),
        "stop_price": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "status": status,
        "extended_hours": False,
        "legs": None,
        "reason": order.reason or None,
        "fees": scale.cash(order.fees),
        "fired_by": None,
        "triggered": False,
        "post_only": False,
        "reduce_only": False,
        "forced": None,
        "leg": None,
        "parent_id": None,
        "leg_ids": [],
        "reserved_cash": scale.cash(order.reserved_cash),
        "queue_ahead": scale.qty(order.queue_ahead),
        "waits": order.receipt.get("waits") if closed is None else None,
        "version": order.version,
        "portfolio_id": _portfolio_id(order),
    }
    if terms is None:
        return shown
    if terms.effect:
        shown["position_intent"] = f"{order.side}_to_{terms.effect}"
    return shown | _terms_json(terms, scale)


def _terms_json(terms: OrderTerms, scale: Scale) -> JSON:
    """What an order has that asks for more than price and quantity; `order_json` has the rest as null."""
    percent = None if terms.trail_ppb is None else money.show_trimmed(terms.trail_ppb, PERCENT_EXPONENT)
    return {
        "expires_at": clock.rfc3339(terms.expire_ns) if terms.expire_ns else None,
        "notional": None if terms.notional is None else scale.cash(terms.notional),
        "order_class": terms.order_class,
        "stop_price": scale.price(terms.stop_price),
        "trail_price": scale.price(terms.trail_price),
        "trail_percent": percent,
        "hwm": scale.price(terms.hwm),
        "fired_by": terms.fired_by if terms.stop_price is not None else None,
        "triggered": terms.triggered,
        "post_only": terms.post_only,
        "reduce_only": terms.reduce_only,
        "forced": terms.forced or None,
        "leg": terms.leg or None,
        "parent_id": terms.made_by or None,
        "leg_ids": list(terms.with_it),
    }


def terms_of(order: OrderRow | Order) -> OrderTerms | None:
    found = order.terms
    return msgspec.convert(found, OrderTerms) if isinstance(found, dict) else found


def nested(order: JSON, legs: list[JSON]) -> JSON:
    """An order with the orders that came with it, as Alpaca nests them."""
    return {**order, "legs": legs} if legs else order


def fill_json(fill: Any, scale: Scale, world_number: int = 0) -> JSON:
    """`world_number` is needed for engine rows only: their key is not made yet."""
    engine = type(fill) is FillRow
    reverses = ids.world_key(world_number, fill.reverses) if engine and fill.reverses else fill.reverses
    return {
        "id": str(ids.world_key(world_number, fill.n) if engine else fill.id),
        "order_id": str(fill.order_id),
        "symbol": fill.symbol,
        "side": fill.side,
        "price": scale.price(fill.price),
        "qty": scale.qty(fill.qty),
        "cash": scale.cash(fill.cash),
        "fee": scale.cash(fill.fee),
        "fees": [{"name": name, "amount": scale.cash(amount)} for name, amount in fill.fees],
        "against": fill.against,
        "at": clock.rfc3339(fill.at_ns) if engine else _rfc3339(fill.at),
        "market_day": fill.market_day,
        "reverses": str(reverses) if reverses else None,
    }


def position_json(position: PositionRow | Position, scale: Scale, reserved: int | None = None) -> JSON:
    """`reserved` by open sells; an engine row knows it, a model row is told it from its balance."""
    held = position.reserved if type(position) is PositionRow else reserved or 0
    return {
        "symbol": position.symbol,
        "asset_id": scale.uid,
        "side": "short" if position.qty < 0 else "long",
        "contract": scale.is_contract,
        "qty": scale.qty(position.qty),
        "qty_available": scale.qty(_available(position, scale, held)),
        "bought_today": scale.qty(position.bought_today),
        "reserved": scale.qty(held),
        "avg_entry_price": average_cost(position.cost, position.qty, scale),
        "cost_basis": scale.cash(position.cost),
        "realised": scale.cash(position.realised),
        "market_day": position.market_day,
        "day_start_qty": scale.qty(position.day_start_qty),
        "day_cash": scale.cash(position.day_cash),
    }


def _available(position: PositionRow | Position, scale: Scale, held: int) -> int:
    """What may be closed now, with the sign of the position."""
    if position.qty < 0:
        return position.qty + held
    return position.qty - held - (0 if scale.is_contract else position.bought_today)


def currency_of(asset: str) -> str | None:
    """The currency of cash, or of a claim on cash (`due.CNY.…`, a dividend until its pay date); else None."""
    currency = asset.split(".")[1] if asset.startswith("due.") else asset
    return currency if currency in money.CURRENCY_EXPONENT else None


def balance_json(balance: BalanceRow | Balance) -> JSON:
    """A balance of cash or of a claim on it; holdings travel as positions."""
    exponent = money.CURRENCY_EXPONENT[currency_of(balance.asset) or balance.asset]
    return {
        "asset": balance.asset,
        "posted": money.show(balance.posted, exponent),
        "reserved": money.show(balance.reserved, exponent),
        "available": money.show(balance.posted - balance.reserved, exponent),
    }


def event_json(rows: Iterable[Any], scales: Scales, world_number: int) -> JSON:
    """The message of an account event: `rows` of one portfolio, each once."""
    orders: list[JSON] = []
    fills: list[JSON] = []
    positions: list[JSON] = []
    balances: list[JSON] = []
    notices: list[JSON] = []
    body: JSON = {}
    for row in rows:
        kind = type(row)  # comparing types is quicker than matching
        if kind is OrderRow:
            orders.append(order_json(row, scales(row.symbol)))
        elif kind is FillRow:
            fills.append(fill_json(row, scales(row.symbol), world_number))
        elif kind is PositionRow:
            positions.append(position_json(row, scales(row.symbol)))
        elif kind is BalanceRow:
            if currency_of(row.asset):
                balances.append(balance_json(row))
        elif kind is PortfolioRow:
            body["portfolio"] = portfolio_json(row)
        else:
            notices.append(notice_json(row))
    body["orders"] = orders
    body["fills"] = fills
    body["positions"] = positions
    body["balances"] = balances
    body["notices"] = notices
    return body


def portfolio_json(row: PortfolioRow) -> JSON:
    """Its status; of a margin portfolio also by when, in the world's time, a margin call must be met."""
    shown: JSON = {"status": row.status, "reason": row.reason}
    if row.accrued_day:
        shown["margin_call_until"] = clock.rfc3339(row.call_ns) if row.call_ns else None
    return shown


def notice_json(notice: Notice) -> JSON:
    return {"code": notice.code, "text": notice.text, "facts": notice.facts}


def average_price(value: int, qty: int, scale: Scale) -> str | None:
    """Display only: the average of price x qty over qty."""
    if not qty:
        return None
    scaled = money.half_up(value * 10**AVERAGE_DECIMALS, qty)
    return _at_least(scaled, scale.price_exponent + AVERAGE_DECIMALS, scale.price_exponent)


def average_cost(cost: int, qty: int, scale: Scale) -> str:
    """Display only: cost per unit, fees included, as a price."""
    decimals = scale.price_exponent + AVERAGE_DECIMALS
    if not qty:
        return _at_least(0, decimals, scale.price_exponent)
    shift = decimals + scale.qty_exponent - scale.cash_exponent
    units = abs(qty) * scale.multiplier * 10 ** max(-shift, 0)
    per_unit = money.half_up(abs(cost) * 10 ** max(shift, 0), units)
    return _at_least(per_unit, decimals, scale.price_exponent)


def _at_least(scaled: int, exponent: int, decimals: int) -> str:
    """The decimal string, trailing zeros cut down to `decimals` digits."""
    text = money.show(scaled, exponent)
    cut = len(text) - (exponent - decimals)
    return (text[:cut] + text[cut:].rstrip("0")).rstrip(".")


def _times(order: Any) -> tuple[str, str, str | None]:
    """Submitted, updated, closed: of most orders one moment, written once."""
    if type(order) is OrderRow:
        submitted = clock.rfc3339(order.submitted_ns)
        updated = submitted
        if order.updated_ns != order.submitted_ns:
            updated = clock.rfc3339(order.updated_ns)
        if order.closed_ns in (0, order.updated_ns):
            return submitted, updated, updated if order.closed_ns else None
        return submitted, updated, clock.rfc3339(order.closed_ns)
    closed = _rfc3339(order.closed_at) if order.closed_at else None
    return _rfc3339(order.submitted_at), _rfc3339(order.updated_at), closed


def _rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _portfolio_id(order: Any) -> int:
    return order.portfolio if type(order) is OrderRow else order.portfolio_id
