"""Portfolios begin, are corrected by an operator, and are frozen."""

from __future__ import annotations

from typing import Final

import msgspec

from trading.engine import margin, positions, receipts
from trading.engine.accounts import MINT
from trading.engine.commands import Adjust, Freeze, OpenPortfolio
from trading.engine.entry import refuse
from trading.engine.events import Notice
from trading.engine.markets import Market
from trading.engine.matching import end
from trading.engine.orders import MASS_CANCEL, by_priority
from trading.engine.refusals import NO_BOOKS, Refusal
from trading.engine.restated import end_against
from trading.engine.state import Portfolio, State
from trading.engine.turn import ADJUST, GRANT, Turn

LEVERAGE_MAX: Final = 100  # what retail venues of currencies go to


def open_books(turn: Turn, asked: OpenPortfolio) -> None:
    state = turn.state
    if asked.portfolio in state.portfolios:
        refuse(turn, Refusal("PORTFOLIO_EXISTS", "The books of this portfolio are open already.", {}))
        return
    if refusal := _refuse_terms(asked):
        refuse(turn, refusal)
        return
    if asked.portfolio <= 0 or asked.cash < 0 or not asked.currency:
        refuse(
            turn,
            Refusal("INVALID", "A portfolio needs a positive id, a currency, and cash of 0 or more.", {}),
        )
        return

    # From here it must succeed.
    cash = state.balance(asked.portfolio, asked.currency)
    opened = Portfolio(asked.portfolio, asked.currency, cash, state.rates, asked.margin)
    state.portfolios[asked.portfolio] = opened
    if asked.margin is not None:
        cash.may_owe = True
        opened.accrued_day = state.market_day
    turn.touch(cash)
    turn.events.append(opened.row())
    turn.transfer(GRANT, state.system(MINT, asked.currency), cash, asked.cash)


def _refuse_terms(asked: OpenPortfolio) -> Refusal | None:
    terms = asked.margin
    if terms is None or (
        1 <= terms.leverage <= LEVERAGE_MAX and terms.interest_ppb >= 0 and terms.call_s >= 0
    ):
        return None
    text = f"A leverage is 1 to {LEVERAGE_MAX}; interest and the time of a margin call are 0 or more."
    return Refusal("INVALID", text, msgspec.structs.asdict(terms))


def adjust(turn: Turn, asked: Adjust) -> None:
    """A correction against the mint. It may not touch what open orders hold back; where shares come to a
    margin portfolio, its orders that would sell short end, for they would sell what it has now."""
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
    if market is not None and portfolio.margin is not None and _is_owed(portfolio, market):
        text = "Short positions and contracts are closed by orders, not by an operator's correction."
        refuse(turn, Refusal("UNSUPPORTED", text, {"asset": asked.asset}))
        return
    balance = state.balances.get((asked.portfolio, asked.asset))
    free = balance.available if balance else 0
    if market is None and portfolio.margin is not None:
        free = max(margin.available(portfolio), 0)
    if free + asked.amount < 0:
        code = "INSUFFICIENT_CASH" if market is None else "INSUFFICIENT_SELLABLE"
        refuse(turn, Refusal(code, "Less than that is free.", {"free": free, "amount": asked.amount}))
        return

    # From here it must succeed.
    if market is not None:
        _adjust_position(turn, portfolio, market, asked.amount)
        if portfolio.margin is not None:
            position = portfolio.positions[market.symbol]
            positions.note_holder(portfolio, position, position.held.posted + asked.amount)
    own, mint = state.balance(asked.portfolio, asked.asset), state.system(MINT, asked.asset)
    debit, credit = (mint, own) if asked.amount > 0 else (own, mint)
    turn.transfer(ADJUST, debit, credit, abs(asked.amount))
    if market is not None and portfolio.margin is not None:
        why = receipts.rule("correction", asked.reason or "An operator corrected the position.")
        end_against(turn, market, portfolio.id, why)
    facts = {"asset": asked.asset, "amount": asked.amount, "reason": asked.reason}
    turn.events.append(Notice(asked.portfolio, "ADJUSTED", "An operator corrected your portfolio.", facts))


def _is_owed(portfolio: Portfolio, market: Market) -> bool:
    position = portfolio.positions.get(market.symbol)
    contract = market.rules is not None and market.rules.is_contract
    return contract or (position is not None and position.held.posted < 0)


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
    status = "frozen" if asked.frozen else "active"
    if portfolio.status == status:
        return

    # From here it must succeed.
    portfolio.status = status
    portfolio.reason = asked.reason if asked.frozen else ""
    turn.events.append(portfolio.row())
    if asked.frozen:
        why = receipts.rule("frozen", asked.reason or "By the operator.")
        for order in sorted(portfolio.orders.values(), key=by_priority):
            end(turn, order, MASS_CANCEL, "ACCOUNT_FROZEN", why)
    text = "Your portfolio is frozen." if asked.frozen else "Your portfolio is active again."
    turn.events.append(Notice(asked.portfolio, status.upper(), text, {"reason": asked.reason}))
