"""Portfolios begin, are corrected by an operator, and are frozen."""

from __future__ import annotations

from typing import Literal

from trading.engine import receipts
from trading.engine.accounts import MINT
from trading.engine.commands import Adjust, Freeze, OpenPortfolio
from trading.engine.entry import refuse
from trading.engine.events import Notice, PortfolioRow
from trading.engine.markets import Market
from trading.engine.matching import end
from trading.engine.orders import MASS_CANCEL, by_priority
from trading.engine.refusals import NO_BOOKS, Refusal
from trading.engine.state import Portfolio, State
from trading.engine.turn import ADJUST, GRANT, Turn


def open_books(turn: Turn, asked: OpenPortfolio) -> None:
    state = turn.state
    if asked.portfolio in state.portfolios:
        refuse(turn, Refusal("PORTFOLIO_EXISTS", "The books of this portfolio are open already.", {}))
        return
    if asked.portfolio <= 0 or asked.cash < 0 or not asked.currency:
        refuse(
            turn,
            Refusal("INVALID", "A portfolio needs a positive id, a currency, and cash of 0 or more.", {}),
        )
        return

    # From here it must succeed.
    cash = state.balance(asked.portfolio, asked.currency)
    state.portfolios[asked.portfolio] = Portfolio(asked.portfolio, asked.currency, cash)
    turn.touch(cash)
    turn.events.append(PortfolioRow(asked.portfolio, "active"))
    turn.transfer(GRANT, state.system(MINT, asked.currency), cash, asked.cash)


def adjust(turn: Turn, asked: Adjust) -> None:
    """A correction against the mint. It may not touch what open orders hold back."""
    state = turn.state
    portfolio = state.portfolios.get(asked.portfolio)
    if portfolio is None:
        refuse(turn, NO_BOOKS)
        return
    market = _market_of(state, asked.asset)
    if asked.amount == 0 or (asked.asset != portfolio.currency and market is None):
        refuse(
            turn,
            Refusal("INVALID", "Name the currency or an instrument, and an amount.", {"asset": asked.asset}),
        )
        return
    balance = state.balances.get((asked.portfolio, asked.asset))
    free = balance.available if balance else 0
    if free + asked.amount < 0:
        code = "INSUFFICIENT_CASH" if market is None else "INSUFFICIENT_SELLABLE"
        refuse(turn, Refusal(code, "Less than that is free.", {"free": free, "amount": asked.amount}))
        return

    # From here it must succeed.
    if market is not None:
        _adjust_position(turn, portfolio, market, asked.amount)
    own, mint = state.balance(asked.portfolio, asked.asset), state.system(MINT, asked.asset)
    debit, credit = (mint, own) if asked.amount > 0 else (own, mint)
    turn.transfer(ADJUST, debit, credit, abs(asked.amount))
    facts = {"asset": asked.asset, "amount": asked.amount, "reason": asked.reason}
    turn.events.append(Notice(asked.portfolio, "ADJUSTED", "An operator corrected your portfolio.", facts))


def _market_of(state: State, asset: str) -> Market | None:
    """The instrument whose holdings this asset counts."""
    market = state.markets.get(asset)
    if market is not None and market.rules is not None and market.rules.asset == asset:
        return market
    return None


def _adjust_position(turn: Turn, portfolio: Portfolio, market: Market, amount: int) -> None:
    """Given holdings cost nothing; taken ones take their share of the cost along, as a loss.

    So cash = grants + realised - cost holds over any corrections. The day's figures treat them as if
    they had been there, or gone, when the day began.
    """
    position = turn.state.position(portfolio, market)
    turn.state.traded[portfolio.id, market.symbol] = position
    position.market_day = turn.state.market_day
    position.day_start_qty += amount
    if amount < 0:
        gone = position.cost * -amount // position.held.posted
        position.cost -= gone
        position.realised -= gone
        left = position.held.available + amount
        position.bought_today = min(position.bought_today, left)
    turn.touch_position(position)


def freeze(turn: Turn, asked: Freeze) -> None:
    """Cancel-only from now on, and its open orders are canceled; or active again. Twice is once."""
    portfolio = turn.state.portfolios.get(asked.portfolio)
    if portfolio is None:
        refuse(turn, NO_BOOKS)
        return
    status: Literal["active", "frozen"] = "frozen" if asked.frozen else "active"
    if portfolio.status == status:
        return

    # From here it must succeed.
    portfolio.status = status
    portfolio.reason = asked.reason if asked.frozen else ""
    turn.events.append(PortfolioRow(asked.portfolio, status, portfolio.reason))
    if asked.frozen:
        why = receipts.rule("frozen", asked.reason or "By the operator.")
        for order in sorted(portfolio.orders.values(), key=by_priority):
            end(turn, order, MASS_CANCEL, "ACCOUNT_FROZEN", why)
    text = "Your portfolio is frozen." if asked.frozen else "Your portfolio is active again."
    turn.events.append(Notice(asked.portfolio, status.upper(), text, {"reason": asked.reason}))
