"""Corporate actions: what becomes of everybody's holding of an instrument, exactly once per key.

The issuers' account, CORPORATE, stands on the other side of everything: cash, new shares, rights, and what
is owed until a pay date. Between the ex-date and the pay date a dividend is an asset of its own,
`due.<currency>.<key>`, counted in minor units of cash; rights are the asset `right.<key>`. So what players
may still claim is in the ledger, and survives whatever happens to the process.

Taxes on dividends are left out: a game's players pay none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from simgame.kernel.money import show, show_trimmed
from trading.engine import risk
from trading.engine.accounts import CORPORATE
from trading.engine.commands import CorporateAction, ExerciseRights, SettleAction
from trading.engine.entry import refuse
from trading.engine.events import ActionEntryRow, ActionRow, Notice
from trading.engine.margin import OPEN, available
from trading.engine.markets import Market
from trading.engine.positions import note_holder
from trading.engine.refusals import NO_BOOKS, Refusal
from trading.engine.restated import forget_prices, restate
from trading.engine.state import Action, Balance, Portfolio, Position, State
from trading.engine.turn import CORPORATE_ACTION, Turn

RETIRES = {"rename": "It has another name now.", "delisting": "It was delisted."}
KEY_MAX = 22  # `due.<currency>.<key>` fits an asset's name


def due_asset(currency: str, key: str) -> str:
    return f"due.{currency}.{key}"


def right_asset(key: str) -> str:
    return f"right.{key}"


def apply_action(turn: Turn, asked: CorporateAction) -> None:
    """The ex-date."""
    state = turn.state
    if refusal := _refuse_action(state, asked):
        refuse(turn, refusal)
        return

    # From here it must succeed.
    market = state.markets[asked.symbol]
    restate(turn, market, asked)
    step = STEPS[asked.kind]
    for portfolio, position in _holders(state, market):
        step(turn, market, asked, portfolio, position)
        if portfolio.margin is not None:
            for each in portfolio.positions.values():
                note_holder(portfolio, each, each.held.posted)
    if asked.kind != "rename":
        forget_prices(market)
    is_open = asked.kind == "rights" or (asked.kind == "dividend" and asked.settles)
    state.actions[asked.client_id] = Action(asked, "open" if is_open else "applied")
    retire(market, asked.kind, tradable=False)
    tradable = False if asked.kind in RETIRES else None
    turn.events.append(ActionRow(asked.client_id, asked.symbol, "open" if is_open else "applied", tradable))


def retire(market: Market, kind: str, *, tradable: bool) -> None:
    """After a rename or a delisting nobody trades in the old instrument; after its reversal all do again."""
    if kind in RETIRES and market.rules is not None:
        why = "" if tradable else RETIRES[kind]
        market.set_rules(msgspec.structs.replace(market.rules, tradable=tradable, why_not_tradable=why))


def _refuse_action(state: State, asked: CorporateAction) -> Refusal | None:
    market = state.markets.get(asked.symbol)
    if asked.account != state.system(CORPORATE, "").account:
        return _invalid("The account must be this world's issuers'.")
    if asked.client_id in state.actions:
        return Refusal("ACTION_APPLIED", f"The action {asked.client_id!r} was applied already.", {})
    if market is None or market.rules is None:
        return Refusal("UNKNOWN_SYMBOL", f"There is no instrument {asked.symbol!r} here.", {})
    if market.rules.is_contract:
        return _invalid(f"{asked.symbol} is a contract: nothing of this kind happens to it.")
    if not 0 < len(asked.client_id) <= KEY_MAX:
        return _invalid(f"The key of an action has 1 to {KEY_MAX} characters.")
    if min(asked.new, asked.old, asked.per) <= 0 or min(asked.cash, asked.price, asked.reduce_by) < 0:
        return _invalid("The terms must be positive.")
    if asked.kind == "dividend" and not asked.cash:
        return _invalid("A dividend needs an amount.")
    if asked.kind == "bonus" and asked.new < asked.old:
        return _invalid("Bonus shares never make a holding smaller.")
    if asked.kind == "rename":
        return _refuse_rename(state, market, asked)
    return None


def _refuse_rename(state: State, market: Market, asked: CorporateAction) -> Refusal | None:
    into = state.markets.get(asked.into)
    if into is None or into.rules is None or into is market or market.rules is None:
        return Refusal("UNKNOWN_SYMBOL", f"There is no instrument {asked.into!r} to become.", {})
    names = ("currency", "cash_exponent", "price_exponent", "qty_exponent", "multiplier")
    if any(getattr(market.rules, name) != getattr(into.rules, name) for name in names):
        return _invalid(f"{asked.into} is not counted like {asked.symbol}: {', '.join(names)}.")
    return None


def _invalid(detail: str) -> Refusal:
    return Refusal("INVALID", detail, {})


def _holders(state: State, market: Market) -> Iterator[tuple[Portfolio, Position]]:
    for number in sorted(state.portfolios):
        position = state.portfolios[number].positions.get(market.symbol)
        if position is not None and position.held.posted:
            yield state.portfolios[number], position


# --- what each kind does to one holding -----------------------------------------------------------


def _dividend(turn: Turn, market: Market, asked: CorporateAction, owner: Portfolio, held: Position) -> None:
    amount = held.held.posted * asked.cash // asked.per
    if not amount:
        return
    currency = _currency(market)
    if asked.settles:
        _move(turn, due_asset(currency, asked.client_id), owner, amount)
    else:
        _move(turn, currency, owner, amount)
        held.realised += amount
        turn.touch_position(held)
        _enter(turn, asked.client_id, "ex", held, cash=amount, realised=amount)
    _tell(turn, market, asked, owner, cash=amount)


def _split(turn: Turn, market: Market, asked: CorporateAction, owner: Portfolio, held: Position) -> None:
    before = held.held.posted
    after, part = divmod(before * asked.new, asked.old)
    cash = market.worth(asked.price, part) // asked.old
    gone = held.cost * part // (before * asked.new) if after else held.cost
    _move(turn, held.held.asset, owner, after - before)
    _move(turn, _currency(market), owner, cash)
    held.cost -= gone
    held.realised += cash - gone
    held.bought_today = held.bought_today * asked.new // asked.old
    held.day_start_qty = held.day_start_qty * asked.new // asked.old
    turn.touch_position(held)
    _enter(turn, asked.client_id, "ex", held, qty=after - before, cash=cash, cost=-gone, realised=cash - gone)
    _tell(turn, market, asked, owner, before=before, after=after, cash=cash)


def _rights(turn: Turn, market: Market, asked: CorporateAction, owner: Portfolio, held: Position) -> None:
    rights = held.held.posted * asked.new // asked.old
    if not rights:
        return
    _move(turn, right_asset(asked.client_id), owner, rights)
    _tell(turn, market, asked, owner, rights=rights, price=asked.price)


def _rename(turn: Turn, market: Market, asked: CorporateAction, owner: Portfolio, held: Position) -> None:
    """The holding leaves with its cost, its lock and its day; what it earned stays with the old name."""
    into = turn.state.position(owner, turn.state.markets[asked.into])
    before, cost = held.held.posted, held.cost
    after, part = divmod(before * asked.new, asked.old)
    cash = market.worth(asked.price, part) // asked.old
    gone = cost * part // (before * asked.new) if after else cost
    _move(turn, held.held.asset, owner, -before)
    _move(turn, into.held.asset, owner, after)
    _move(turn, _currency(market), owner, cash)
    into.cost += cost - gone
    into.bought_today += held.bought_today * asked.new // asked.old
    into.day_start_qty += held.day_start_qty * asked.new // asked.old
    into.market_day = held.market_day
    held.cost = held.bought_today = held.day_start_qty = 0
    held.realised += cash - gone
    for position in (held, into):
        turn.touch_position(position)
        if not position.is_at_rest:
            turn.state.traded[owner.id, position.symbol] = position
    _enter(turn, asked.client_id, "ex", held, qty=-before, cash=cash, cost=-cost, realised=cash - gone)
    _enter(turn, asked.client_id, "ex", into, qty=after, cost=cost - gone)
    _tell(turn, market, asked, owner, before=before, after=after, cash=cash, into=asked.into)


def _delisting(turn: Turn, market: Market, asked: CorporateAction, owner: Portfolio, held: Position) -> None:
    qty, cost = held.held.posted, held.cost
    cash = market.worth(asked.price, qty)
    _move(turn, held.held.asset, owner, -qty)
    _move(turn, _currency(market), owner, cash)
    held.realised += cash - cost
    held.cost = held.bought_today = held.day_start_qty = 0
    turn.touch_position(held)
    _enter(turn, asked.client_id, "ex", held, qty=-qty, cash=cash, cost=-cost, realised=cash - cost)
    _tell(turn, market, asked, owner, before=qty, cash=cash, price=asked.price)


STEPS: dict[str, Callable[[Turn, Market, CorporateAction, Portfolio, Position], None]] = {
    "dividend": _dividend,
    "split": _split,
    "bonus": _split,
    "rights": _rights,
    "rename": _rename,
    "delisting": _delisting,
}


# --- later: the pay date, the last day of rights, a player who uses them ---------------------------


def settle_action(turn: Turn, asked: SettleAction) -> None:
    """Pays what is due; ends the time of rights. A right that nobody used is sold at `price`, or lapses."""
    state = turn.state
    action = state.actions.get(asked.client_id)
    if action is None:
        refuse(turn, Refusal("UNKNOWN_ACTION", f"No action {asked.client_id!r} was applied here.", {}))
        return
    if action.status != "open" or asked.price < 0 or asked.account != action.command.account:
        refuse(turn, Refusal("ACTION_APPLIED", f"Nothing of {asked.client_id!r} waits to be settled.", {}))
        return

    # From here it must succeed.
    command = action.command
    market = state.markets[command.symbol]
    currency, pays = _currency(market), command.kind == "dividend"
    asset = due_asset(currency, asked.client_id) if pays else right_asset(asked.client_id)
    for claim in _claims(state, asset):
        owner, count = state.portfolios[claim.account], claim.posted
        held = state.position(owner, market)
        cash = count if pays else market.worth(asked.price, count)
        _move(turn, asset, owner, -count)
        _move(turn, currency, owner, cash)
        held.realised += cash
        turn.touch_position(held)
        _enter(turn, asked.client_id, "settle", held, cash=cash, realised=cash)
        _tell(turn, market, command, owner, cash=cash, **({} if pays else {"unused": count}))
    action.status = "applied"
    turn.events.append(ActionRow(asked.client_id, command.symbol, "applied"))


def exercise_rights(turn: Turn, asked: ExerciseRights) -> None:
    """New shares for rights and cash. Where T+1 holds they may be sold on the next market day."""
    state = turn.state
    portfolio, action = state.portfolios.get(asked.portfolio), state.actions.get(asked.key)
    if portfolio is None:
        refuse(turn, NO_BOOKS)
        return
    if refusal := risk.refuse_late(asked.deadline_ns, turn.at_ns) or _refuse_exercise(
        state, portfolio, action, asked
    ):
        refuse(turn, refusal)
        return
    assert action is not None

    # From here it must succeed.
    market = state.markets[action.command.symbol]
    held, cash = (
        state.position(portfolio, market),
        market.worth_at_most(action.command.price, asked.qty),
    )
    _move(turn, _currency(market), portfolio, -cash)
    _move(turn, right_asset(asked.key), portfolio, -asked.qty)
    _move(turn, held.held.asset, portfolio, asked.qty)
    held.cost += cash
    held.day_cash -= cash
    held.market_day = state.market_day
    if market.rules is not None and market.rules.lock_days:
        held.bought_today += asked.qty
    state.traded[portfolio.id, market.symbol] = held
    turn.touch_position(held)
    note_holder(portfolio, held, held.held.posted)
    _enter(turn, asked.key, "exercise", held, qty=asked.qty, cash=-cash, cost=cash)
    facts = _facts(market, cash=cash, after=asked.qty)
    text = f"You subscribed for {facts['after']} new shares of {market.symbol} and paid {facts['cash']}."
    turn.events.append(Notice(portfolio.id, "RIGHTS_EXERCISED", text, facts))


def _refuse_exercise(
    state: State, portfolio: Portfolio, action: Action | None, asked: ExerciseRights
) -> Refusal | None:
    if action is None or action.command.kind != "rights":
        return Refusal("UNKNOWN_ACTION", f"There is no rights issue {asked.key!r} here.", {})
    if action.status != "open":
        return Refusal("RIGHTS_ENDED", "The time to use these rights is over.", {})
    if portfolio.status == "frozen":
        return Refusal("ACCOUNT_FROZEN", "The portfolio is frozen.", {})
    market = state.markets[action.command.symbol]
    owned = state.balances.get((portfolio.id, right_asset(asked.key)))
    if asked.qty <= 0 or owned is None or owned.posted < asked.qty:
        has = owned.posted if owned else 0
        return Refusal("NO_RIGHTS", "So many rights are not yours.", {"held": has, "qty": asked.qty})
    if portfolio.margin is not None and (refusal := _refuse_against(portfolio, market)):
        return refusal
    needed = market.worth_at_most(action.command.price, asked.qty)
    free = state.balance(portfolio.id, _currency(market)).available
    if portfolio.margin is not None and portfolio.currency == _currency(market):
        free = min(free, max(available(portfolio), 0))  # what a short sale brought buys nothing
    if free < needed:
        facts = {"needed": needed, "available": free}
        return Refusal("INSUFFICIENT_CASH", "The new shares cost more than is free.", facts)
    return None


def _refuse_against(portfolio: Portfolio, market: Market) -> Refusal | None:
    """New shares would open a long position: as an order of a margin portfolio would."""
    position = portfolio.positions.get(market.symbol)
    held = position.held.posted if position else 0
    facts = {"held": held, "effect": OPEN}
    if held < 0:
        text = "You are short of it, and new shares would open against that: buy it back first."
        return Refusal("POSITION_INTENT", text, facts, "position_intent")
    if any(
        each.market is market and each.effect == OPEN and not each.buys for each in portfolio.orders.values()
    ):
        text = "An open order would sell it short: cancel that first."
        return Refusal("POSITION_INTENT", text, facts, "position_intent")
    return None


# --- the parts ------------------------------------------------------------------------------------


def _currency(market: Market) -> str:
    assert market.rules is not None
    return market.rules.currency


def _claims(state: State, asset: str) -> list[Balance]:
    """What players hold of an asset, by portfolio."""
    found = [
        each for each in state.balances.values() if each.asset == asset and each.account > 0 and each.posted
    ]
    return sorted(found, key=_by_account)


def _by_account(balance: Balance) -> int:
    return balance.account


def _move(turn: Turn, asset: str, owner: Portfolio, amount: int) -> None:
    """From the issuers to the portfolio; back when negative."""
    own, issuers = turn.state.balance(owner.id, asset), turn.state.system(CORPORATE, asset)
    own.may_owe = owner.margin is not None  # who is short owes what the others get
    debit, credit = (issuers, own) if amount > 0 else (own, issuers)
    turn.transfer(CORPORATE_ACTION, debit, credit, abs(amount))


def _enter(
    turn: Turn, key: str, step: str, held: Position, *, qty: int = 0, cash: int = 0, cost: int = 0,
    realised: int = 0,
) -> None:  # fmt: skip
    row = ActionEntryRow(key, step, held.portfolio, held.symbol, qty, cash, cost, realised)  # type: ignore[arg-type]
    turn.events.append(row)


def _facts(market: Market, **numbers: int | str) -> dict[str, str]:
    """In decimals, for people."""
    rules = market.rules
    assert rules is not None
    scales = {"cash": rules.cash_exponent, "price": rules.price_exponent}
    shown = {"symbol": market.symbol}
    for name, value in numbers.items():
        if isinstance(value, str):
            shown[name] = value
        elif name in scales:
            shown[name] = show(value, scales[name])
        else:
            shown[name] = show_trimmed(value, rules.qty_exponent)
    return shown


WORDS = {
    "dividend": "{symbol} pays a dividend: {cash} for your holding.",
    "split": "{symbol} was split: your {before} shares are {after} now.",
    "bonus": "{symbol} gives bonus shares: your {before} shares are {after} now.",
    "rights": "{symbol} offers new shares at {price}: you have {rights} rights.",
    "rename": "{symbol} is called {into} from now on: your {before} shares are {after} of it.",
    "delisting": "{symbol} was delisted: you received {cash} for {before} shares.",
    "unused": "{unused} rights of {symbol} that you did not use are over: you received {cash}.",
}


def _tell(turn: Turn, market: Market, asked: CorporateAction, owner: Portfolio, **numbers: int | str) -> None:
    facts = _facts(market, **numbers)
    kind = "unused" if "unused" in facts else asked.kind
    text = WORDS[kind].format(**facts)
    turn.events.append(Notice(owner.id, f"ACTION_{kind.upper()}", text, {**facts, "action": asked.client_id}))
