"""Orders come, change and go: new, cancel, replace, cancel all."""

from __future__ import annotations

from trading.engine import receipts, risk
from trading.engine.commands import CancelAll, CancelOrder, NewOrder, ReplaceOrder
from trading.engine.events import OrderRow, Refused
from trading.engine.matching import arrive, leave
from trading.engine.orders import (
    ACCEPT,
    CANCEL,
    FILLED,
    NOT_YET,
    REJECTED,
    REPLACE,
    REPLACE_TO_FILLED,
    SUSPENDED,
    Order,
    by_priority,
)
from trading.engine.refusals import Refusal
from trading.engine.risk import Draft
from trading.engine.turn import Turn

AS_ASKED = receipts.rule("request", "You asked for it.")


def place(turn: Turn, new: NewOrder) -> None:
    state = turn.state
    portfolio = state.portfolios.get(new.portfolio)
    if portfolio is None:
        refuse(turn, Refusal("UNKNOWN_ACCOUNT", "This portfolio has no books here.", {}), new.order_id)
        return
    if new.qty <= 0:  # no row can hold it
        refuse(
            turn, Refusal("BAD_QTY_OR_LOT", "The quantity must be positive.", {"qty": new.qty}), new.order_id
        )
        return
    assert new.order_id not in state.orders, "the exchange answers a repeated order from its journal"
    draft = risk.draft_of(state, new)
    refusal = risk.refuse_new(state, new, draft, turn.at_ns)
    if refusal or draft is None:
        _reject(turn, new, refusal)
        return

    # From here it must succeed.
    order = Order()
    order.id = new.order_id
    order.portfolio = portfolio
    order.market = draft.market
    order.client_order_id = new.client_order_id
    order.side = new.side
    order.buys = draft.buys
    order.type = new.type
    order.time_in_force = new.time_in_force
    order.qty = new.qty
    order.limit_price = new.limit_price
    order.price = draft.worst_price()
    order.status = NOT_YET
    order.reason = order.waits = ""
    order.filled_qty = order.filled_value = order.filled_cash = order.fees = 0
    order.reserved_cash = order.reserved_qty = order.queue_ahead = order.version = order.closed_ns = 0
    order.priority = turn.seq
    order.market_day = state.market_day
    order.submitted_ns = order.updated_ns = turn.at_ns
    state.orders[order.id] = portfolio.orders[order.id] = order
    if draft.buys:
        turn.reserve_cash(order, draft.cash_needed())
    else:
        turn.reserve_qty(order, order.qty)
    arrive(turn, order, ACCEPT)


def cancel(turn: Turn, asked: CancelOrder) -> None:
    order = turn.state.orders.get(asked.order_id)
    refusal = risk.refuse_late(asked.deadline_ns, turn.at_ns) or _refuse_touching(turn, asked, order)
    if refusal or order is None:
        refuse(turn, refusal, asked.order_id)
        return

    # From here it must succeed.
    end(turn, order, CANCEL, "REQUESTED", AS_ASKED)


def cancel_all(turn: Turn, asked: CancelAll) -> None:
    """Every open order of the portfolio, or of one instrument in it. None open: nothing happens."""
    portfolio = turn.state.portfolios.get(asked.portfolio)
    if refusal := risk.refuse_late(asked.deadline_ns, turn.at_ns) or _refuse_cancel_phase(turn):
        refuse(turn, refusal)
        return
    if portfolio is None:
        refuse(turn, Refusal("UNKNOWN_ACCOUNT", "This portfolio has no books here.", {}))
        return

    # From here it must succeed.
    for order in sorted(portfolio.orders.values(), key=by_priority):
        if asked.symbol in ("", order.market.symbol):
            end(turn, order, CANCEL, "REQUESTED", AS_ASKED)


def replace(turn: Turn, asked: ReplaceOrder) -> None:
    """Change quantity, limit or time in force; the order keeps its id.

    A better or worse price and a larger quantity send it to the end of the line; a smaller quantity
    keeps its place. A quantity that is filled already ends it, filled (FIX D11, D12).
    """
    order = turn.state.orders.get(asked.order_id)
    refusal = risk.refuse_late(asked.deadline_ns, turn.at_ns) or _refuse_touching(turn, asked, order)
    if refusal is None and order is not None:
        refusal = _refuse_change(turn, asked, order)
    if refusal or order is None:
        refuse(turn, refusal, asked.order_id)
        return

    # From here it must succeed.
    qty = order.qty if asked.qty is None else asked.qty
    price = order.price if asked.limit_price is None else asked.limit_price
    if qty <= order.filled_qty:
        leave(order)
        order.qty = order.filled_qty
        turn.change(order, REPLACE_TO_FILLED, receipts.order("filled", order, turn.at_ns, AS_ASKED))
        return
    back_of_line = price != order.price or qty > order.qty
    if back_of_line:
        leave(order)
        order.priority = turn.seq
    order.qty = qty
    order.price = order.limit_price = price
    if asked.time_in_force is not None:
        order.time_in_force = asked.time_in_force
        order.market_day = turn.state.market_day
    _reserve(turn, order)
    if back_of_line:
        arrive(turn, order, REPLACE)
    else:
        more = {"waits": order.waits} if order.waits else {}
        turn.change(order, REPLACE, receipts.order("rested", order, turn.at_ns, AS_ASKED, **more))


def end(turn: Turn, order: Order, event: str, reason: str, why: receipts.Facts, **facts: object) -> None:
    """An order that rests ends unfilled, or filled in part."""
    leave(order)
    what = "expired" if event == "expire" else "canceled"
    more = {"facts": facts} if facts else {}
    turn.change(order, event, receipts.order(what, order, turn.at_ns, why, **more), reason)


def refuse(turn: Turn, refusal: Refusal | None, order_id: str = "") -> None:
    """The command changes nothing, and no order is made of it."""
    assert refusal is not None
    turn.events.append(Refused(refusal.code, refusal.detail, refusal.facts, order_id))


def _reserve(turn: Turn, order: Order) -> None:
    if order.buys:
        turn.reserve_cash(order, order.market.reservation(order.price, order.leaves, order.filled_cash))
    else:
        turn.reserve_qty(order, order.leaves)


def _refuse_touching(turn: Turn, asked: CancelOrder | ReplaceOrder, order: Order | None) -> Refusal | None:
    """Whether the caller may cancel or change this order. A foreign order looks like an unknown one."""
    unknown = Refusal("UNKNOWN_ORDER", "There is no such order.", {})
    if order is None:
        owner, status = turn.state.closed.get(asked.order_id, (0, ""))
        if owner != asked.portfolio:
            return unknown
        if status == FILLED:
            return Refusal("TOO_LATE_TO_CANCEL", "The order is filled already.", {"status": status})
        return Refusal("ALREADY_TERMINAL", f"The order is {status} already.", {"status": status})
    if order.portfolio.id != asked.portfolio:
        return unknown
    if asked.if_version and asked.if_version != order.version:
        return Refusal(
            "VERSION_CONFLICT",
            "The order changed since you read it.",
            {"version": order.version, "if_version": asked.if_version},
        )
    return _refuse_cancel_phase(turn)


def _refuse_cancel_phase(turn: Turn) -> Refusal | None:
    if turn.state.permit.cancel:
        return None
    return Refusal(
        "MARKET_CLOSED", "The venue lets no order be canceled in this phase.", {"phase": turn.state.phase}
    )


def _refuse_change(turn: Turn, asked: ReplaceOrder, order: Order) -> Refusal | None:
    if order.status == SUSPENDED:
        return Refusal("HALTED", f"Trading in {order.market.symbol} is halted.", {"status": SUSPENDED})
    if asked.time_in_force in risk.IMMEDIATE:
        return Refusal(
            "UNSUPPORTED", "An order that rests may be day or gtc.", {"time_in_force": asked.time_in_force}
        )
    qty = order.qty if asked.qty is None else asked.qty
    price = order.price if asked.limit_price is None else asked.limit_price
    in_force = asked.time_in_force or order.time_in_force
    if (qty, price, in_force) == (order.qty, order.price, order.time_in_force):
        return Refusal("NOTHING_TO_REPLACE", "The change would leave the order as it is.", {})
    if 0 < qty <= order.filled_qty:
        return None
    market = order.market
    assert market.rules is not None
    draft = Draft(order.portfolio, market, market.rules, order.buys, qty, price, order.filled_qty, order)
    return risk.refuse_replaced(turn.state, draft, turn.at_ns)


def _reject(turn: Turn, new: NewOrder, refusal: Refusal | None) -> None:
    """A refused order is stored: the player sees it, and a repeated request gets the same answer."""
    assert refusal is not None
    at_ns = turn.at_ns
    market = turn.state.markets.get(new.symbol)
    receipt = {
        "decided": "refused",
        "at": at_ns,
        "quote": market.looked_at(at_ns) if market else None,
        "limit_price": new.limit_price,
        "rule": receipts.rule(refusal.rule or refusal.code.lower(), refusal.detail, refusal.row),
        "code": refusal.code,
        "detail": refusal.detail,
        "facts": refusal.facts,
    }
    turn.state.closed[new.order_id] = (new.portfolio, REJECTED)
    turn.events.append(
        OrderRow(
            exec_type="rejected",
            id=new.order_id,
            portfolio=new.portfolio,
            symbol=new.symbol,
            client_order_id=new.client_order_id,
            side=new.side,
            type=new.type,
            time_in_force=new.time_in_force,
            qty=new.qty,
            limit_price=new.limit_price,
            status=REJECTED,
            reason=refusal.code,
            filled_qty=0,
            filled_value=0,
            filled_cash=0,
            fees=0,
            reserved_cash=0,
            reserved_qty=0,
            queue_ahead=0,
            priority=turn.seq,
            version=1,
            market_day=turn.state.market_day,
            submitted_ns=at_ns,
            updated_ns=at_ns,
            closed_ns=at_ns,
            receipt=receipt,
        )
    )
