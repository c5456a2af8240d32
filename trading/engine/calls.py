"""Maintenance: looked at whenever a mark moves, of those who have a position there.

Below its maintenance margin a portfolio gets a margin call with a deadline, in the world's time. It is met
by any means: money, closing, a better market. When the deadline passes, or at once when equity has fallen
to half of the maintenance margin or less (ESMA decision (EU) 2018/796, Article 1(2): the margin close-out
protection), the exchange reduces the portfolio itself:

1. all its open orders are canceled;
2. its positions are closed one after another, the one that asks the most maintenance margin first (then by
   symbol), by market orders inside the collar, each for as many lots as it takes until equity, less the
   fees of closing them at the best price, covers the initial margin again (available funds back to nothing
   or more, the practice of Chinese futures brokers).

What cannot be matched now (phase, halt, no fresh quote, locked under T+1, no depth) is tried again with
the next mark or tick of the clock. Every such order says why in its receipt.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from simgame.kernel.money import CURRENCY_EXPONENT, show
from trading.engine import linked, margin, receipts
from trading.engine.entry import begin_forced
from trading.engine.events import Notice
from trading.engine.margin import Standing
from trading.engine.matching import end
from trading.engine.orders import MASS_CANCEL, by_priority
from trading.engine.state import Portfolio, Position
from trading.engine.turn import Turn

NS_PER_S: Final = 1_000_000_000
CALLED: Final = receipts.rule("margin", "The portfolio is being reduced: equity is below its margin.")
CLOSE_OUT_PARTS: Final = 2  # at once when equity is no more than one part in two of the maintenance margin
ORDERS_PER_LOOK_MAX: Final = 64  # more positions than that are reduced with the next look


def follow(turn: Turn) -> None:
    """Marks have moved, or the clock has gone on and a deadline may have passed: whoever has a position
    there, or a margin call, is looked at, in order of their ids.
    """
    concerned = set(turn.marked.holders) if turn.marked is not None else set()
    if turn.clocked:
        concerned |= set(turn.state.called)
    for number in sorted(concerned):
        look(turn, turn.state.portfolios[number])
        if turn.links:
            linked.follow(turn)


def look(turn: Turn, portfolio: Portfolio) -> None:
    now = margin.standing(portfolio)
    if not now.known:
        return
    if now.equity >= now.maintenance:
        if portfolio.call_ns:
            _met(turn, portfolio, now)
        return
    if not portfolio.call_ns:
        _call(turn, portfolio, now)
    at_once = now.equity * CLOSE_OUT_PARTS <= now.maintenance
    if at_once or turn.state.world_ns >= portfolio.call_ns:
        _reduce(turn, portfolio, now, at_once=at_once)


def _call(turn: Turn, portfolio: Portfolio, now: Standing) -> None:
    assert portfolio.margin is not None
    portfolio.call_ns = turn.state.world_ns + portfolio.margin.call_s * NS_PER_S
    turn.state.called[portfolio.id] = portfolio
    lacks = now.maintenance - now.equity
    text = (
        f"Margin call: {_shown(portfolio, lacks)} {portfolio.currency} are missing. Bring money or close "
        f"positions by the deadline, or the exchange closes them."
    )
    _tell(turn, portfolio, now, "MARGIN_CALL", text, deadline=portfolio.call_ns)


def _met(turn: Turn, portfolio: Portfolio, now: Standing) -> None:
    portfolio.call_ns = 0
    del turn.state.called[portfolio.id]
    _tell(turn, portfolio, now, "MARGIN_CALL_MET", "The margin call is met.")


def _tell(turn: Turn, portfolio: Portfolio, now: Standing, code: str, text: str, **more: int) -> None:
    turn.events.append(portfolio.row())
    facts = {"equity": now.equity, "maintenance": now.maintenance, "initial": now.initial, **more}
    turn.events.append(Notice(portfolio.id, code, text, facts))


def _reduce(turn: Turn, portfolio: Portfolio, now: Standing, *, at_once: bool) -> None:
    for order in sorted(portfolio.orders.values(), key=by_priority):
        if order.id in turn.state.orders:
            end(turn, order, MASS_CANCEL, "MARGIN_CALL", CALLED, **now._asdict())
    why = "half of the maintenance margin is gone" if at_once else "the margin call was not met in time"
    for position in _in_order(portfolio)[:ORDERS_PER_LOOK_MAX]:
        now = margin.standing(portfolio)
        if now.equity >= now.initial:
            break
        if turn.state.can_match(position.market, turn.at_ns):
            text = (
                f"Forced reduction: equity {_shown(portfolio, now.equity)} is below the margin of "
                f"{_shown(portfolio, now.maintenance)}, {why}."
            )
            _close_some(turn, portfolio, position, now, text)
    after = margin.standing(portfolio)
    if after.equity >= after.maintenance and portfolio.call_ns:
        _met(turn, portfolio, after)


def _in_order(portfolio: Portfolio) -> list[Position]:
    """The position that asks the most maintenance margin first."""
    held = [position for position in portfolio.positions.values() if position.held.posted]
    return sorted(held, key=lambda each: (-_asked(portfolio, each, kept=True), each.symbol))


def _asked(portfolio: Portfolio, position: Position, *, kept: bool) -> int:
    """Margin that the position asks, home currency."""
    rules, market, qty = position.market.rules, position.market, position.held.posted
    assert rules is not None
    assert portfolio.margin is not None
    rate = portfolio.rates.ppb(market.currency, portfolio.currency)
    worth = abs(margin.converted(market.worth(market.margin_price(), qty), rate))
    asked = margin.share_kept if kept else margin.share
    return margin.part(worth, asked(rules, portfolio.margin.leverage, long=qty > 0))


def _close_some(turn: Turn, portfolio: Portfolio, position: Position, now: Standing, text: str) -> None:
    """As many lots as give back what is missing and what it costs, today's apart from yesterday's."""
    rules = position.market.rules
    assert rules is not None
    size, missing = abs(position.held.posted), now.initial - now.equity
    asked = _asked(portfolio, position, kept=False)
    lots = range(rules.lot, size, rules.lot)
    fewest = bisect_left(
        lots, missing, key=lambda qty: asked * qty // size - _cost_of_closing(portfolio, position, qty)
    )
    wanted = lots[fewest] if fewest < len(lots) else size
    for effect in (margin.CLOSE, margin.CLOSE_TODAY) if position.market.parts_today else (margin.CLOSE,):
        qty = min(wanted, position.closable(effect))
        if qty < wanted and qty < size:
            qty -= qty % rules.lot
        if qty > 0:
            wanted -= qty
            begin_forced(turn, portfolio, position.market, effect, qty, text)


def _cost_of_closing(portfolio: Portfolio, position: Position, qty: int) -> int:
    """Fees, and what the best price is worse than the mark, home currency."""
    market, buys = position.market, position.held.posted < 0
    shown = market.side(buys=not buys).shown
    if not shown:
        return 0
    at_best, at_mark = market.worth_at_most(shown[0][0], qty), market.worth(market.mark(), qty)
    effects = (margin.CLOSE, margin.CLOSE_TODAY) if market.parts_today else (margin.CLOSE,)
    fees = max(market.fees(effect, buys=buys).total(at_best, qty) for effect in effects)
    worse = max(at_best - at_mark if buys else at_mark - at_best, 0)
    return margin.part(fees + worse, portfolio.rates.ppb(market.currency, portfolio.currency))


def _shown(portfolio: Portfolio, amount: int) -> str:
    return show(amount, CURRENCY_EXPONENT[portfolio.currency])
