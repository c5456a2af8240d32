"""Orders come and go: new, close a position, cancel, cancel all. How they change: changes.py."""

from __future__ import annotations

from simgame.kernel.money import PPB
from trading.engine import at_close, credit, linked, margin, receipts, refusals, risk, terms, triggers
from trading.engine.commands import (
    CancelAll,
    CancelOrder,
    ClosePosition,
    NewOrder,
    NewOrderWithTerms,
    ReplaceOrder,
)
from trading.engine.draft import Draft, draft_of
from trading.engine.events import OrderRow, OrderTerms, Refused
from trading.engine.markets import AFTER_HOURS, Market
from trading.engine.matching import arrive, end, stand_aside
from trading.engine.orders import ACCEPT, AUCTION_ONLY, CANCEL, FILLED, REJECTED, Order, by_priority
from trading.engine.refusals import NO_BOOKS, Refusal, unsupported
from trading.engine.state import Portfolio
from trading.engine.turn import Turn

NO_ORDER = Refusal("UNKNOWN_ORDER", "There is no such order.", {})
AS_ASKED = receipts.rule("request", "You asked for it.")


def place(turn: Turn, new: NewOrder) -> None:
    state = turn.state
    portfolio = state.portfolios.get(new.portfolio)
    if portfolio is None:
        refuse(turn, NO_BOOKS, new.order_id)
        return
    asked = new.terms if type(new) is NewOrderWithTerms else None
    if new.qty <= 0 and not (asked and asked.notional):  # no row can hold it
        refuse(
            turn, Refusal("BAD_QTY_OR_LOT", "The quantity must be positive.", {"qty": new.qty}), new.order_id
        )
        return
    assert new.order_id not in state.orders, "the exchange answers a repeated order from its journal"
    draft = draft_of(state, new)
    refusal = risk.refuse_new(state, new, draft, turn.at_ns)
    if refusal or draft is None:
        _reject(turn, new, draft, refusal)
        return

    # From here it must succeed.
    price, effect = draft.price, draft.effect
    order = Order(
        new.order_id,
        portfolio,
        draft.market,
        new.client_order_id,
        new.side,
        new.type,
        new.time_in_force,
        draft.qty,
        price,
        draft.worst_price() if price is None else price,
        _begun(new, draft) if effect else None,
    )
    turn.enter(order)
    if order.opens or effect:
        turn.reserve_cash(order, draft.cash_needed())
    if not order.opens:
        turn.reserve_qty(order, order.qty)
    if type(new) is NewOrderWithTerms:
        order.terms = order.terms or terms.begun(new, draft)
        state.note_expiry(order)
        linked.hold_legs(turn, order, new.terms)
    _set_out(turn, order, ACCEPT)


def _begun(new: NewOrder, draft: Draft) -> OrderTerms:
    asked = terms.begun(new, draft) if type(new) is NewOrderWithTerms else None
    return credit.begun(draft, asked)


def _set_out(turn: Turn, order: Order, event: str) -> None:
    """To where it belongs: beside the book until its price or its auction comes, else to the market."""
    if (asked := order.terms) is not None and asked.is_stop:
        triggers.stand_by(turn, order, event)
    elif order.time_in_force in AUCTION_ONLY:
        stand_aside(turn, order, event)
    elif order.market.phase in AFTER_HOURS:
        at_close.arrive(turn, order, event)
    else:
        arrive(turn, order, event)


def begin_forced(turn: Turn, portfolio: Portfolio, market: Market, effect: str, qty: int, text: str) -> None:
    """A market order that the exchange itself places to reduce a portfolio. It may cost what it costs.

    Its id has the form of a UUIDv7, made of the engine's time and the number of the command; its client id
    has a blank, which no player's has.
    """
    assert market.rules is not None
    turn.forced += 1
    buys = portfolio.positions[market.symbol].held.posted < 0
    other = market.side(buys=not buys).shown
    if not other:
        return
    order = Order(
        _forced_id(turn),
        portfolio,
        market,
        f"forced {turn.seq}.{turn.forced}",
        "buy" if buys else "sell",
        "market",
        "ioc",
        qty,
        None,
        market.collar(other[0][0], buys=buys),
        OrderTerms(effect=effect, basis=margin.basis_of(portfolio, market), forced=text),  # type: ignore[arg-type]
    )
    turn.enter(order)
    turn.hold(order)
    arrive(turn, order, ACCEPT)


def _forced_id(turn: Turn) -> str:
    ms = turn.at_ns // 1_000_000 % (1 << 48)
    low = turn.state.world_number % (1 << 22) << 40 | turn.seq % (1 << 40)
    digits = f"{ms:012x}7{turn.forced % (1 << 12):03x}{1 << 63 | low:016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def close_position(turn: Turn, asked: ClosePosition) -> None:
    """Sell at market what may be sold of a holding, or a part of it; buy back a short one. Refused like
    any order."""
    portfolio = turn.state.portfolios.get(asked.portfolio)
    position = portfolio.positions.get(asked.symbol) if portfolio else None
    rules = turn.state.market(asked.symbol).rules if position else None
    if position is None or rules is None or not position.held.posted:
        refuse(turn, Refusal("INSUFFICIENT_SELLABLE", f"You hold no {asked.symbol}.", {}), asked.order_id)
        return
    if (asked.qty is not None and asked.share_ppb is not None) or not 0 < (asked.share_ppb or PPB) <= PPB:
        refuse(turn, unsupported("Close a quantity, or up to 100 percent, of it."), asked.order_id)
        return
    buys = position.held.posted < 0
    free = position.sellable
    if portfolio is not None and portfolio.margin is not None:
        free = position.closable(margin.effect_of(position, position.market, "", buys=buys))
    qty = asked.qty if asked.qty is not None else free
    if asked.share_ppb is not None and asked.share_ppb < PPB:
        qty = abs(position.held.posted) * asked.share_ppb // PPB // rules.lot * rules.lot
    if qty <= 0:
        facts = {"held": position.held.posted, "sellable": free, "lot": rules.lot}
        code, text = "INSUFFICIENT_SELLABLE", "None of it can be closed now."
        if free > 0:
            code, text = "BAD_QTY_OR_LOT", "That part of it is less than one lot."
        refuse(turn, Refusal(code, text, facts), asked.order_id)
        return
    ids = (asked.portfolio, asked.order_id, asked.client_order_id, asked.symbol)
    place(turn, NewOrder(*ids, "buy" if buys else "sell", "market", "day", qty, None, asked.deadline_ns))


def cancel(turn: Turn, asked: CancelOrder) -> None:
    order = turn.state.orders.get(asked.order_id)
    refusal = refuse_touching(turn, asked, order)
    if refusal or order is None:
        refuse(turn, refusal, asked.order_id)
        return

    # From here it must succeed.
    end(turn, order, CANCEL, "REQUESTED", AS_ASKED)


def cancel_all(turn: Turn, asked: CancelAll) -> None:
    """Every open order of the portfolio, or of one instrument in it. None open: nothing happens."""
    portfolio = turn.state.portfolios.get(asked.portfolio)
    if refusal := risk.refuse_late(asked.deadline_ns, turn.at_ns):
        refuse(turn, refusal)
        return
    if portfolio is None:
        refuse(turn, NO_BOOKS)
        return
    meant = [o for o in portfolio.orders.values() if asked.symbol in ("", o.market.symbol)]
    free = [order for order in meant if order.market.permit.cancel]
    if meant and not free:
        refuse(turn, _refuse_cancel_phase(meant[0].market))
        return

    # From here it must succeed.
    for order in sorted(free, key=by_priority):
        end(turn, order, CANCEL, "REQUESTED", AS_ASKED)


def refuse(turn: Turn, refusal: Refusal | None, order_id: str = "") -> None:
    """The command changes nothing, and no order is made of it."""
    assert refusal is not None
    turn.events.append(Refused(refusal.code, refusal.detail, refusal.facts, order_id))


def refuse_touching(turn: Turn, asked: CancelOrder | ReplaceOrder, order: Order | None) -> Refusal | None:
    """Whether the caller may cancel or change this order. A foreign order looks like an unknown one."""
    if 0 < asked.deadline_ns < turn.at_ns:
        return refusals.late(asked.deadline_ns, turn.at_ns)
    if order is None:
        owner, status = turn.state.closed.get(asked.order_id, (0, ""))
        if owner != asked.portfolio:
            return NO_ORDER
        if status == FILLED:
            return Refusal("TOO_LATE_TO_CANCEL", "The order is filled already.", {"status": status})
        return Refusal("ALREADY_TERMINAL", f"The order is {status} already.", {"status": status})
    if order.portfolio.id != asked.portfolio:
        return NO_ORDER
    if asked.if_version and asked.if_version != order.version:
        return Refusal(
            "VERSION_CONFLICT",
            "The order changed since you read it.",
            {"version": order.version, "if_version": asked.if_version},
        )
    return None if order.market.permit.cancel else _refuse_cancel_phase(order.market)


def _refuse_cancel_phase(market: Market) -> Refusal:
    return Refusal(
        "MARKET_CLOSED", "The venue lets no order be canceled in this phase.", {"phase": market.phase}
    )


def _reject(turn: Turn, new: NewOrder, draft: Draft | None, refusal: Refusal | None) -> None:
    """A refused order is stored: the player sees it, and a repeated request gets the same answer."""
    assert refusal is not None
    qty = draft.qty if draft else new.qty
    if qty <= 0:  # an amount of money that is worth no lot
        refuse(turn, refusal, new.order_id)
        return
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
    turn.state.note_end(new.order_id, new.portfolio, REJECTED)
    row = OrderRow(
        exec_type="rejected",
        id=new.order_id,
        portfolio=new.portfolio,
        symbol=new.symbol,
        client_order_id=new.client_order_id,
        side=new.side,
        type=new.type,
        time_in_force=new.time_in_force,
        qty=qty,
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
        terms=terms.begun(new, draft) if type(new) is NewOrderWithTerms and draft else None,
    )
    turn.events.append(row)
