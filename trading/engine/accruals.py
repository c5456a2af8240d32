"""What a night costs: interest on what a margin portfolio owes, and the fee for what it borrowed.

Once per market day, when it begins, for every calendar day since the one before: three for a weekend.
Actual days over 360, halves up, per currency and per position (ACT/360: ICMA and ISDA 2006 section
4.16(e), the money markets' convention). More than DAYS_MAX days are charged as DAYS_MAX: a world that was
moved to another date did not owe all the time between.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from market.rulebook.rules import PPB
from simgame.kernel.money import CURRENCY_EXPONENT, half_up, show
from trading.engine.accounts import LENDER
from trading.engine.events import Notice
from trading.engine.state import Portfolio
from trading.engine.turn import BORROW_FEE, INTEREST, Turn

YEAR_DAYS: Final = 360
DAYS_MAX: Final = 31


def days_between(before: int, after: int) -> int:
    """Calendar days from one market day (20261030) to a later one (20261102: 3); 0 when it is not later."""
    if not 0 < before < after:
        return 0
    return min((_date(after) - _date(before)).days, DAYS_MAX)


def accrue(turn: Turn) -> None:
    """The market day has begun."""
    state = turn.state
    for _, portfolio in sorted(state.portfolios.items()):
        if portfolio.margin is None or portfolio.accrued_day == state.market_day:
            continue
        days = days_between(portfolio.accrued_day, state.market_day)
        portfolio.accrued_day = state.market_day
        if days:
            _interest(turn, portfolio, days)
            _borrow_fees(turn, portfolio, days)
        turn.events.append(portfolio.row())


def _interest(turn: Turn, portfolio: Portfolio, days: int) -> None:
    assert portfolio.margin is not None
    rate = portfolio.margin.interest_ppb
    for currency, cash in sorted(portfolio.cashes.items()):
        amount = _accrued(-cash.posted, rate, days)
        if amount > 0:
            owed = -cash.posted
            turn.transfer(INTEREST, cash, turn.state.system(LENDER, currency), amount)
            facts = {"currency": currency, "owed": owed, "rate_ppb": rate, "days": days, "amount": amount}
            paid = show(amount, CURRENCY_EXPONENT[currency])
            text = f"Interest for {days} days on what you owe: {paid} {currency}."
            turn.events.append(Notice(portfolio.id, "INTEREST", text, facts))


def _borrow_fees(turn: Turn, portfolio: Portfolio, days: int) -> None:
    """Of the worth at the mark that the night ended with."""
    for symbol, position in sorted(portfolio.positions.items()):
        qty, rules = position.held.posted, position.market.rules
        if qty >= 0 or rules is None or rules.is_contract or not rules.borrow_ppb:
            continue
        mark = position.market.mark()
        worth = position.market.worth(mark, -qty) if mark else -position.cost
        amount = _accrued(worth, rules.borrow_ppb, days)
        if amount > 0:
            cash = turn.state.cash(portfolio, rules.currency)
            turn.transfer(BORROW_FEE, cash, turn.state.system(LENDER, rules.currency), amount)
            position.realised -= amount
            turn.touch_position(position)
            facts = {"symbol": symbol, "worth": worth, "rate_ppb": rules.borrow_ppb, "days": days,
                     "amount": amount, "row": rules.rows.get("borrow", "")}  # fmt: skip
            text = f"Fee for {days} days of borrowing {symbol}: {show(amount, rules.cash_exponent)}."
            turn.events.append(Notice(portfolio.id, "BORROW_FEE", text, facts))


def _accrued(amount: int, rate_ppb: int, days: int) -> int:
    return half_up(amount * rate_ppb * days, PPB * YEAR_DAYS) if amount > 0 else 0


def _date(market_day: int) -> date:
    return date(market_day // 10_000, market_day // 100 % 100, market_day % 100)
