"""The market's clock and its rules: phases, the day's roll, references, rules that change."""

from __future__ import annotations

from operator import itemgetter

from market.rulebook.rules import Phase
from market.ticks import PhaseTick, Reference
from trading.engine import accruals, at_close, auction, contracts, receipts, risk
from trading.engine.commands import SetRules
from trading.engine.entry import end, refuse
from trading.engine.markets import AFTER_HOURS, AUCTIONS, Market
from trading.engine.matching import resume_matching
from trading.engine.orders import EXPIRE, MASS_CANCEL, RESTATE, Order, by_priority
from trading.engine.refusals import Refusal
from trading.engine.state import Clock
from trading.engine.turn import Turn

NEW_RULES = receipts.rule("fees", "The fees have changed, and with them what it holds back.")
AFTER_THE_CLOSE = AFTER_HOURS | {Phase.CLOSED.value}
OF_THE_DAY = frozenset(("day", "opg", "cls"))
TIME_REACHED = receipts.rule("time_in_force", "The time it was good till has come.")
DAY_ENDED = receipts.rule("time_in_force", "A day order ends with its market day.")


def on_phase(turn: Turn, tick: PhaseTick) -> None:
    """The venue's clock: most ticks change nothing. Each market takes it as its own board does."""
    state = turn.state
    state.world_ns = 0  # a replayed world may have been taken back
    note_time(turn, tick.at_ns)
    new_day = tick.market_day != state.market_day
    if state.called:
        turn.clocked = True
    clock = Clock(tick.phase, tick.span, tick.paused)
    if not new_day and clock == state.clock:
        return
    was_restored = not state.market_day
    state.clock = clock
    markets = [market for _, market in sorted(state.markets.items())]
    matched = {market.symbol for market in markets if market.permit.match}
    if not new_day and not tick.paused:
        _cross_auctions(turn, markets)
    if new_day:
        state.market_day = tick.market_day
        state.opened_before = (state.opened_before and was_restored) or tick.opened
    for market in markets:
        market.has_opened = (market.has_opened and (not new_day or was_restored)) or tick.opened
        state.tell_phase(market)
    if new_day:
        _roll(turn)
        accruals.accrue(turn)
        contracts.await_settlement(turn)
    _expire_day_orders(turn)
    for market in markets:
        if market.permit.match and market.symbol not in matched and (market.bids.book or market.asks.book):
            resume_matching(turn, market)
        elif market.phase == Phase.AFTER_HOURS and market.aside:
            at_close.begin(turn, market)


def _cross_auctions(turn: Turn, markets: list[Market]) -> None:
    """Auctions whose phase is over match now, before anything else of the new phase."""
    phase, span, _ = turn.state.clock
    for market in markets:
        following = market.phase_at(phase, span)
        if not market.in_auction or following in AUCTIONS:
            continue
        closing = market.has_opened or following in AFTER_THE_CLOSE
        if market.rules is not None and (market.waiting or market.aside):
            auction.cross(turn, market, closing=closing)


def note_time(turn: Turn, world_ns: int) -> None:
    """The world's clock goes on, and gtd orders whose time has come expire before anything else."""
    state = turn.state
    if world_ns > state.world_ns:
        state.world_ns = world_ns
        for order in state.expired():
            end(turn, order, EXPIRE, "TIME_REACHED", TIME_REACHED)


def _roll(turn: Turn) -> None:
    """What was bought yesterday may be sold (T+1), and the day's figures begin again."""
    state = turn.state
    for key, position in sorted(state.traded.items(), key=itemgetter(0)):
        if position.market_day == state.market_day:
            continue  # restored in the middle of its day
        del state.traded[key]
        if position.is_at_rest or position.is_contract:  # a contract's day begins when it is settled
            continue
        position.market_day = state.market_day
        position.bought_today = position.day_cash = 0
        position.day_start_qty = position.held.posted
        turn.touch_position(position)


def _expire_day_orders(turn: Turn) -> None:
    """Day orders of another day; and those of today when their market has closed, or is about to trade
    at the close: what comes for that comes after this.
    """
    for order in sorted(turn.state.orders.values(), key=by_priority):
        if order.time_in_force not in OF_THE_DAY:
            continue
        market, today = order.market, order.market_day == turn.state.market_day
        if order.waits == at_close.WAITS and today and market.phase != Phase.CLOSED:
            continue
        if not today or market.phase in AFTER_THE_CLOSE:
            end(turn, order, EXPIRE, "DAY_ENDED", DAY_ENDED, market_day=order.market_day)


def on_reference(turn: Turn, reference: Reference) -> None:
    market = turn.state.market(reference.symbol)
    limits = market.limits
    market.set_reference(reference)
    if market.rules is not None and market.rules.is_contract:
        contracts.settle(turn, market, reference)
    if market.limits != limits:
        _recheck(turn, market)


def set_rules(turn: Turn, command: SetRules) -> None:
    """The rules of an instrument from now on. Orders that they no longer allow are canceled.

    A changed exponent, asset, currency or multiplier would change what rows already written mean.
    """
    rules = command.rules
    market = turn.state.market(rules.symbol)
    was = market.rules
    names = ("asset", "currency", "cash_exponent", "price_exponent", "qty_exponent", "multiplier")
    if was is not None and any(getattr(was, name) != getattr(rules, name) for name in names):
        refuse(turn, Refusal("UNSUPPORTED", f"{rules.symbol}: {', '.join(names)} never change.", {}))
        return
    if rules.lock_days not in (0, 1):
        refuse(
            turn,
            Refusal("UNSUPPORTED", f"{rules.symbol}: lock_days is 0 or 1.", {"lock_days": rules.lock_days}),
        )
        return

    # From here it must succeed.
    turn.state.set_rules(rules)
    turn.state.tell_phase(market)
    if was != rules:
        _recheck(turn, market)
        resume_matching(turn, market)


def _recheck(turn: Turn, market: Market) -> None:
    """Resting orders under new rules: dearer ones hold more, those that no longer fit are canceled."""
    if market.rules is None:
        return
    for order in market.orders():
        was, order.price = order.price, _worst_price(order)
        if refusal := risk.refuse_resting(turn.state, market, order):
            why = receipts.rule(refusal.rule, refusal.detail, refusal.row)
            end(turn, order, MASS_CANCEL, refusal.code, why, **refusal.facts)
        elif order.buys or order.effect or order.price != was:
            _reserve_anew(turn, order, moved=order.price != was)


def _worst_price(order: Order) -> int:
    """That of an order that waits without a limit follows the rules and the day's limits.

    Just restored, the day's limits are not known yet: then it stays what it was under them.
    """
    market, (low, high) = order.market, order.market.limits
    if order.limit_price is not None or market.reference is None:
        return order.price
    if order.terms is not None and order.terms.stop_price is not None:
        return market.collar(order.terms.stop_price, buys=order.buys)
    return max(order.price, low) if not order.buys else min(order.price, high or order.price)


def _reserve_anew(turn: Turn, order: Order, *, moved: bool) -> None:
    needed = order.market.hold_of(order)
    if needed == order.reserved_cash and not moved:
        return
    turn.reserve_cash(order, needed)
    more = {"waits": order.waits} if order.waits else {}
    turn.change(order, RESTATE, receipts.order("rested", order, turn.at_ns, NEW_RULES, **more))
