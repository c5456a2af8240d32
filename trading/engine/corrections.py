"""Fair repair: fills at bad prices, or a wrong corporate action, are taken back by one command.

Nothing is deleted. Every transfer is moved back by one that names it, every fill gets a row that names it
(ExecType H), and an order keeps what it was told it had filled. So the sums of the journal still add up,
and a correction can be corrected: "reinstate" takes back what took back.

Players have traded on meanwhile. The rule, the same for everybody:

1. What a player would have to give back and has sold since counts as bought at the fair price that the
   correction states: he keeps what he would have earned at a fair price, and not the rest.
2. Who lacks the cash sells of the shares that come back, at the fair price.
3. His open orders of that instrument, and his bids, are canceled, newest first, as far as they stand in
   the way.
4. If cash is lacking still, the correction is refused with a list; or, where both approvers wanted it, the
   house pays the rest, and that is written down too. Nobody's cash goes below nothing.

A margin portfolio may owe, so 2 and 4 are not for it: what it lacks it owes, and a margin call follows where
one is due. Rule 1 holds both ways: what it covered of a short position that is no more counts as sold at the
fair price. A contract's days were paid in cash; what they would have paid without the fills is paid now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from trading.engine import receipts
from trading.engine.accounts import CLEARING, CORPORATE, MARKET, MINT
from trading.engine.actions import RETIRES, retire
from trading.engine.commands import CorporateAction, Correct, Settlement, UndoneFill
from trading.engine.entry import refuse
from trading.engine.events import ActionEntryRow, ActionRow, FillRow
from trading.engine.margin import CLOSE, CLOSE_TODAY
from trading.engine.markets import Market
from trading.engine.matching import end
from trading.engine.orders import MASS_CANCEL, Order, by_priority
from trading.engine.positions import note_holder
from trading.engine.refusals import NO_BOOKS, Refusal
from trading.engine.restated import CORRECTED, end_against, orders_of, restore
from trading.engine.state import Portfolio, Position, State
from trading.engine.touched import Touched, tell
from trading.engine.turn import ADJUST, REVERSAL, SETTLEMENT, Turn


class Plan(NamedTuple):
    """What the correction comes to, before anything has moved."""

    touched: list[Touched]
    short: dict[int, int]  # portfolio → cash that nobody has; what the house would pay


def correct(turn: Turn, asked: Correct) -> None:
    state = turn.state
    plan = _refuse(state, asked) or _plan(state, asked)
    if isinstance(plan, Refusal):
        refuse(turn, plan)
        return
    if plan.short and not asked.house_pays:
        facts = {"short": {str(portfolio): amount for portfolio, amount in plan.short.items()}}
        refuse(turn, Refusal("REPAIR_SHORT", f"{len(plan.short)} portfolios cannot pay it back.", facts))
        return

    # From here it must succeed.
    if asked.what == "action":
        restore(turn, state.markets[state.actions[asked.action].command.symbol], asked.orders, asked.action)
    _move_back(turn, asked, _write_fills(turn, asked))
    for each in plan.touched:
        _settle(turn, each, asked)
    for portfolio, amount in plan.short.items():
        cash = state.portfolios[portfolio].cash
        turn.transfer(ADJUST, state.system(MINT, cash.asset), cash, amount)
    _make_room(turn, plan, asked)
    for each in plan.touched:
        note_holder(state.portfolios[each.position.portfolio], each.position, each.position.held.posted)
    if asked.what == "action":
        action = state.actions[asked.action]
        command, action.status = action.command, "reversed"
        retire(state.markets[command.symbol], command.kind, tradable=True)
        tradable = True if command.kind in RETIRES else None
        turn.events.append(ActionRow(asked.action, command.symbol, "reversed", tradable))
    tell(turn, asked, plan.touched, plan.short)


# --- refusals -------------------------------------------------------------------------------------


def _refuse(state: State, asked: Correct) -> Refusal | None:
    if asked.account != state.system(CORPORATE, "").account or not asked.transfers:
        return _invalid("A correction names what it takes back, for the account of this world's issuers.")
    for each in asked.transfers:
        if each.n in state.undone or not 0 < each.n <= state.transfers_n:
            return Refusal("ALREADY_REVERSED", "Part of it was taken back already.", {"transfer": each.n})
    if asked.what == "action":
        action = state.actions.get(asked.action)
        if action is None or action.status == "reversed":
            return Refusal("UNKNOWN_ACTION", f"No action {asked.action!r} stands to be reversed.", {})
    for one in asked.settlements:
        market, portfolio = state.markets.get(one.symbol), state.portfolios.get(one.portfolio)
        if portfolio is None:
            return NO_BOOKS
        lends = portfolio.margin is not None  # then what is missing may be missing the other way round
        if market is None or market.rules is None or one.price < 0 or (one.missing < 0 and not lends):
            return _invalid(f"{one.symbol}: no instrument, or no fair price.")
        position = state.position(portfolio, market)
        if position.is_contract and one.cost is None:
            return _invalid(f"{one.symbol} is a contract: what it was settled at must be worked out again.")
        if one.found is not None and one.found != (position.held.posted, position.cost, position.realised):
            facts = {"portfolio": one.portfolio, "symbol": one.symbol}
            return Refusal("BOOKS_MOVED", "The position has changed since the correction was made.", facts)
    return None


def _invalid(detail: str) -> Refusal:
    return Refusal("INVALID", detail, {})


# --- what it comes to -----------------------------------------------------------------------------


def _plan(state: State, asked: Correct) -> Plan | Refusal:
    touched = {(one.portfolio, one.symbol): _begun(state, one) for one in asked.settlements}
    claims: dict[tuple[int, str], int] = {}
    mint = state.system(MINT, "").account
    for each in asked.transfers:
        for account, change in ((each.debit, each.amount), (each.credit, -each.amount)):
            if account < 0:
                continue
            found = touched.get((account, each.symbol))
            if found is None:
                return _invalid(f"Portfolio {account} is touched in {each.symbol}, and not settled.")
            if each.asset == found.position.held.asset:
                found.qty += change
            elif each.asset == found.currency:
                found.cash += change
                found.granted += change if mint in (each.debit, each.credit) else 0
            else:
                claims[account, each.asset] = claims.get((account, each.asset), 0) + change
    for key, change in claims.items():
        if state.balance(*key).posted + change < 0:
            return _invalid(f"Portfolio {key[0]} does not hold so much of {key[1]} any more.")
    for found in touched.values():
        found.miss()
    return Plan(list(touched.values()), _shortages(touched.values()))


def _begun(state: State, one: Settlement) -> Touched:
    market, portfolio = state.markets[one.symbol], state.portfolios[one.portfolio]
    terms, rules = portfolio.margin, market.rules
    assert rules is not None
    may_owe = terms is not None and (rules.is_contract or (terms.shorts and rules.short_allowed))
    cash = state.cash(portfolio, rules.currency)
    return Touched(state.position(portfolio, market), market, one, cash.posted, may_owe=may_owe)


def _shortages(touched: Iterable[Touched]) -> dict[int, int]:
    """What each portfolio that may not owe lacks after selling what it gets back."""
    by_portfolio: dict[int, list[Touched]] = {}
    for each in touched:
        if each.position.held.may_owe:
            continue
        by_portfolio.setdefault(each.settlement.portfolio, []).append(each)
    short: dict[int, int] = {}
    for portfolio, mine in by_portfolio.items():
        lacks = -(mine[0].cash_before + sum(each.cash for each in mine))
        for each in mine:
            if lacks > 0:
                lacks -= each.sell_back(lacks)
        if lacks > 0:
            short[portfolio] = lacks
    return short


# --- doing it -------------------------------------------------------------------------------------


def _write_fills(turn: Turn, asked: Correct) -> dict[int, int]:
    """A row for each fill that is taken back, its fee returned; the new numbers by the old ones."""
    state = turn.state
    numbers = {each.n: state.fills_n + 1 + place for place, each in enumerate(asked.fills)}
    name = "reinstated" if asked.what == "reinstate" else "busted"
    why = receipts.rule(name, asked.reason, asked.client_id)
    for each in asked.fills:
        n = numbers[each.n]
        side, fees = "sell" if each.side == "buy" else "buy", tuple((line, -fee) for line, fee in each.fees)
        receipt = {"decided": name, "at": turn.at_ns, "reverses": each.n, "rule": why}
        turn.events.append(
            FillRow(
                n, numbers.get(each.match, n), each.order_id, each.portfolio, each.symbol, side, each.price,
                each.qty, each.cash, fees, -each.fee, each.against, state.market_day, turn.at_ns, receipt,
                each.n,
            )
        )  # fmt: skip
    state.fills_n += len(asked.fills)
    return numbers


def _move_back(turn: Turn, asked: Correct, numbers: dict[int, int]) -> None:
    state = turn.state
    for each in asked.transfers:
        debit, credit = state.balance(each.credit, each.asset), state.balance(each.debit, each.asset)
        turn.transfer(REVERSAL, debit, credit, each.amount, numbers.get(each.fill, 0), each.n)
        state.undone.add(each.n)


def _settle(turn: Turn, each: Touched, asked: Correct) -> None:
    """The missing shares, what is sold of those that come back, and the position's own figures."""
    state, position = turn.state, each.position
    own_cash = state.cash(state.portfolios[position.portfolio], each.currency)
    market_cash = state.system(MARKET, each.currency)
    market_asset = state.system(MARKET, position.held.asset)
    if each.missing > 0:
        turn.transfer(SETTLEMENT, market_asset, position.held, each.missing)
        turn.transfer(SETTLEMENT, own_cash, market_cash, each.paid)
    elif each.missing:
        turn.transfer(SETTLEMENT, position.held, market_asset, -each.missing)
        turn.transfer(SETTLEMENT, market_cash, own_cash, -each.paid)
    if position.is_contract and (result := each.settlement.result):
        clearing = state.system(CLEARING, each.currency)
        debit, credit = (clearing, own_cash) if result > 0 else (own_cash, clearing)
        turn.transfer(SETTLEMENT, debit, credit, abs(result))
    if each.sold:
        turn.transfer(SETTLEMENT, position.held, market_asset, each.sold)
        turn.transfer(SETTLEMENT, market_cash, own_cash, each.received)
    was = position.cost, position.realised
    each.refold()
    if each.settlement.day is not None:
        position.bought_today, position.day_cash, position.day_start_qty = each.settlement.day
    elif asked.what == "action":
        _unscale_day(each, state.actions[asked.action].command)
    else:
        _refold_day(turn, each, [one for one in asked.fills if _is_of(one, position)], asked.what)
    if asked.what == "action":
        turn.events.append(
            ActionEntryRow(
                asked.action, "reverse", position.portfolio, position.symbol, each.qty_change,
                each.cash_change, position.cost - was[0], position.realised - was[1],
            )
        )  # fmt: skip
    turn.touch_position(position)
    if not position.is_at_rest:
        state.traded[position.portfolio, position.symbol] = position


def _is_of(fill: UndoneFill, position: Position) -> bool:
    return (fill.portfolio, fill.symbol) == (position.portfolio, position.symbol)


def _refold_day(turn: Turn, each: Touched, fills: list[UndoneFill], what: str) -> None:
    """Today's fills leave today's figures; what is older was never there when the day began."""
    position, today = each.position, turn.state.market_day
    of_today = [one for one in fills if one.market_day == today == position.market_day]
    for one in of_today:
        if one.side == "buy":
            position.bought_today = max(position.bought_today - one.qty, 0)
        elif what == "reinstate" and each.market.rules is not None and each.market.rules.lock_days:
            position.bought_today += one.qty
    if of_today:  # what is settled for them is of today too
        older = [one for one in fills if one not in of_today]
        position.day_cash += each.cash_change - each.granted - sum(_cash_back(one) for one in older)
        position.day_start_qty += sum(_qty_back(one) for one in older)
    else:
        position.day_start_qty += each.qty_change
    position.day_start_qty = max(position.day_start_qty, 0)


def _unscale_day(each: Touched, action: CorporateAction) -> None:
    """A reversed split divides what was there when the day began, and what is locked, as it multiplied it."""
    position = each.position
    held = position.held.posted
    if position.day_start_qty == held - each.qty_change and not position.bought_today:
        position.day_start_qty = held  # nothing was traded on that day
    elif action.kind in ("split", "bonus"):
        position.day_start_qty = -(-position.day_start_qty * action.old // action.new)
        position.bought_today = -(-position.bought_today * action.old // action.new)
    else:
        position.day_start_qty = max(position.day_start_qty + each.qty_change, 0)


def _cash_back(fill: UndoneFill) -> int:
    """What taking it back gives its portfolio."""
    return fill.cash + fill.fee if fill.side == "buy" else fill.fee - fill.cash


def _qty_back(fill: UndoneFill) -> int:
    return -fill.qty if fill.side == "buy" else fill.qty


def _make_room(turn: Turn, plan: Plan, asked: Correct) -> None:
    """Open orders that offer what is not there any more are canceled, the newest first."""
    why = receipts.rule("corrected", asked.reason, asked.client_id)
    for each in plan.touched:
        position, cash = each.position, turn.state.balance(each.position.portfolio, each.currency)
        if position.held.may_owe:
            _make_room_on_margin(turn, each, why)
            continue
        for order in _newest_first(turn, each.market, position.portfolio, buys=False):
            if position.sellable >= 0:
                break
            end(turn, order, MASS_CANCEL, CORRECTED, why)
        if position.sellable < 0:
            position.bought_today = position.held.available
            turn.touch_position(position)
        for order in _bids(turn.state.portfolios[position.portfolio]):
            if cash.available >= 0 or cash.may_owe:
                break
            if order.id in turn.state.orders:
                end(turn, order, MASS_CANCEL, CORRECTED, why)


def _make_room_on_margin(turn: Turn, each: Touched, why: receipts.Facts) -> None:
    """Orders that would open against the position, or close what is not there any more, are canceled."""
    position, mine = each.position, each.position.portfolio
    size = abs(position.held.posted)
    if position.bought_today > size:
        position.bought_today = size
        turn.touch_position(position)
    end_against(turn, each.market, mine, why)
    for buys in (True, False):
        against = position.held.posted < 0 if buys else position.held.posted > 0
        for order in _newest_first(turn, each.market, mine, buys=buys):
            closes = order.effect in (CLOSE, CLOSE_TODAY) and order.id in turn.state.orders
            if closes and (not against or position.closable(order.effect) < 0):
                end(turn, order, MASS_CANCEL, CORRECTED, why)


def _newest_first(turn: Turn, market: Market, portfolio: int, *, buys: bool) -> list[Order]:
    mine = [each for each in orders_of(turn, market) if each.portfolio.id == portfolio and each.buys == buys]
    return mine[::-1]


def _bids(portfolio: Portfolio) -> list[Order]:
    return sorted((each for each in portfolio.orders.values() if each.buys), key=by_priority, reverse=True)
