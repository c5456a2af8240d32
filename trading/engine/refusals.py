"""Every way the engine says no to an order, in words: code, sentence, the numbers that decided, the rule.

Codes are those of `trading.errors`. Facts are scaled integers; where a rule of the venue bound, the
refusal names the id of its dated rulebook row. When each applies is decided in risk.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from market.rulebook.rules import VOLATILITY_HALT
from simgame.kernel.money import CURRENCY_EXPONENT, show, show_trimmed
from trading.engine.markets import NS_PER_MS, Market
from trading.engine.orders import HAVE_LIMIT

if TYPE_CHECKING:
    from trading.engine.draft import Draft
    from trading.engine.margin import Standing
    from trading.engine.state import Portfolio, State


class Refusal(NamedTuple):
    code: str
    detail: str
    facts: dict[str, Any]
    rule: str = ""  # name of the rule that bound
    row: str = ""  # id of its rulebook row


NO_BOOKS = Refusal("UNKNOWN_ACCOUNT", "This portfolio has no books here.", {})


def late(deadline_ns: int, at_ns: int) -> Refusal:
    return Refusal(
        "STALE_ORDER",
        "It reached the exchange after its deadline and was not executed.",
        {"deadline": deadline_ns, "at": at_ns},
    )


def unknown_symbol(symbol: str) -> Refusal:
    return Refusal("UNKNOWN_SYMBOL", f"There is no instrument {symbol!r} here.", {"symbol": symbol})


def unsupported(text: str, rule: str = "", **facts: Any) -> Refusal:
    """`rule` names the term of the order that is at fault."""
    return Refusal("UNSUPPORTED", text, facts, rule)


def expired(expire_ns: int, world_ns: int) -> Refusal:
    facts = {"expires": expire_ns, "now": world_ns}
    return Refusal("BAD_EXPIRY", "It would have expired already, by the world's clock.", facts, "expires_at")


def limit_price(kind: str) -> Refusal:
    word = "needs a" if kind in HAVE_LIMIT else "has no"
    return unsupported(f"A {kind.replace('_', ' ')} order {word} limit price.")


def instrument(draft: Draft) -> Refusal:
    rules = draft.rules
    if not rules.tradable:
        return Refusal("NOT_TRADABLE", rules.why_not_tradable or "It cannot be traded today.", {}, "tradable")
    if draft.effect:
        facts = {"last_day": rules.last_day}
        return Refusal("NOT_TRADABLE", f"{rules.symbol} expired on {rules.last_day}.", facts, "last_day")
    if rules.is_contract:
        return Refusal(
            "SHORT_NOT_ALLOWED",
            f"{rules.symbol} is a contract: only margin portfolios trade it.",
            {"symbol": rules.symbol},
            "portfolio",
        )
    return unsupported(
        f"{rules.symbol} is priced in {rules.currency}, your cash is {draft.portfolio.currency}.",
        currency=rules.currency,
        cash=draft.portfolio.currency,
    )


def closed(state: State, market: Market, text: str) -> Refusal:
    facts = {"phase": market.phase, "market_day": state.market_day}
    row = market.rules.rows.get("day", "") if market.rules else ""
    return Refusal("MARKET_CLOSED", text, facts, "phase", row)


def halted(state: State, market: Market) -> Refusal:
    why = f": {market.halt_reason}" if market.halt_reason else "."
    facts = {"phase": market.phase, "market_day": state.market_day}
    row = halts_row(market)
    return Refusal("HALTED", f"Trading in {market.symbol} is halted{why}", facts, "halt", row)


def halts_row(market: Market) -> str:
    """The rulebook's row behind a halt; "" for an operator's."""
    by_rule = market.halt_reason == VOLATILITY_HALT and market.rules
    return market.rules.rows.get("breaker", "") if by_rule and market.rules else ""


def tick(draft: Draft, price: int) -> Refusal:
    rules = draft.rules
    tick = rules.tick_at(price)
    return Refusal(
        "BAD_TICK_SIZE",
        f"The price must be a positive multiple of {show(tick, rules.price_exponent)}.",
        {"price": price, "tick": tick},
        "tick",
        rules.rows.get("tick", ""),
    )


def lot(draft: Draft) -> Refusal:
    rules = draft.rules
    lot, least = (show_trimmed(n, rules.qty_exponent) for n in (rules.lot, rules.least_qty))
    odd = (
        ""
        if draft.buys or not rules.odd_lot_sell
        else " What is left below that may be sold, all in one order."
    )
    return Refusal(
        "BAD_QTY_OR_LOT",
        f"The quantity must be a multiple of {lot} and at least {least}.{odd}",
        {"qty": draft.qty, "lot": rules.lot, "least_qty": rules.least_qty},
        "lot",
        rules.rows.get("lot", ""),
    )


def size(draft: Draft, most: int) -> Refusal:
    rules = draft.rules
    return Refusal(
        "EXCEEDS_LIMIT",
        f"One order may be for at most {show_trimmed(most, rules.qty_exponent)}.",
        {"qty": draft.qty, "qty_max": most},
        "qty_max",
        rules.rows.get("size", ""),
    )


def day_buys(draft: Draft, bought: int) -> Refusal:
    rules = draft.rules
    most, so_far = (show_trimmed(n, rules.qty_exponent) for n in (rules.day_buys_max, bought))
    return Refusal(
        "EXCEEDS_LIMIT",
        f"You may buy at most {most} {rules.symbol} a day; {so_far} are bought or asked for already.",
        {"qty": draft.qty, "day_buys_max": rules.day_buys_max, "bought": bought},
        "day_buys_max",
        rules.rows.get("size", ""),
    )


def band(draft: Draft, price: int) -> Refusal:
    rules = draft.rules
    low, high = draft.market.limits
    shown = [show(n, rules.price_exponent) for n in (low, high)]
    return Refusal(
        "PRICE_OUT_OF_BAND",
        f"Today's limits are {shown[0]} to {shown[1]}.",
        {"price": price, "limit_low": low, "limit_high": high},
        "band",
        rules.rows.get("band", ""),
    )


def cage(draft: Draft, price: int, cage: int) -> Refusal:
    rules = draft.rules
    word = "above" if draft.buys else "below"
    return Refusal(
        "PRICE_OUT_OF_BAND",
        f"The price cage lets no price {word} {show(cage, rules.price_exponent)} in just now.",
        {"price": price, "cage": cage, "cage_ppb": rules.cage_ppb},
        "cage",
        rules.rows.get("cage", ""),
    )


def no_price(draft: Draft, at_ns: int) -> Refusal:
    market = draft.market
    if market.is_fresh(at_ns):
        word = "offers" if draft.buys else "bids for"
        return Refusal("NO_FRESH_PRICE", f"Nobody {word} {market.symbol}.", {})
    age_ms = (at_ns - market.quote.received_ns) // NS_PER_MS if market.quote else None
    return Refusal(
        "NO_FRESH_PRICE",
        f"There is no fresh quote of {market.symbol}; a limit order may wait for one.",
        {"age_ms": age_ms, "age_ms_max": draft.rules.quote_age_ns_max // NS_PER_MS},
        "quote_age",
    )


def frozen(portfolio: Portfolio) -> Refusal:
    return Refusal(
        "ACCOUNT_FROZEN",
        "This portfolio is frozen: orders may be canceled, nothing may be bought or sold.",
        {"why": portfolio.reason},
    )


def too_many(orders_open_max: int) -> Refusal:
    return Refusal(
        "EXCEEDS_LIMIT",
        f"A portfolio may have at most {orders_open_max} open orders.",
        {"orders_open_max": orders_open_max},
    )


def cash(draft: Draft) -> Refusal:
    needed, free, cash = draft.cash_needed(), draft.free_cash, draft.portfolio.cash
    exponent = draft.rules.cash_exponent
    return Refusal(
        "INSUFFICIENT_CASH",
        f"It may cost up to {show(needed, exponent)}, fees included; {show(free, exponent)} is free.",
        {"needed": needed, "free": free, "posted": cash.posted, "reserved_cash": cash.reserved},
        "cash",
    )


def holding(draft: Draft) -> Refusal:
    rules, sellable, wanted = draft.rules, draft.sellable, draft.qty - draft.filled_qty
    position = draft.portfolio.positions.get(draft.market.symbol)
    held = position.held.posted if position else 0
    locked = position.bought_today if position else 0
    offered = held - locked - sellable
    have, of_today, on_offer = (show_trimmed(n, rules.qty_exponent) for n in (held, locked, offered))
    if held < wanted and not locked and not offered:
        detail = f"You hold {have} {rules.symbol}."
    elif locked:
        rest = f" and {on_offer} are already on offer" if offered else ""
        detail = f"Of your {have}, {of_today} were bought today and rest until tomorrow (T+1){rest}."
    else:
        detail = f"Of your {have}, {on_offer} are already on offer."
    return Refusal(
        "INSUFFICIENT_SELLABLE",
        f"You can sell {show_trimmed(sellable, rules.qty_exponent)} {rules.symbol} now. {detail}",
        {"qty": wanted, "held": held, "bought_today": locked, "reserved_qty": offered, "sellable": sellable},
        "lock" if locked and wanted <= held - offered else "holding",
        rules.rows.get("lock", "") if locked else "",
    )


def intent(draft: Draft, detail: str) -> Refusal:
    """The order would do another thing to the position than it says, or than is possible."""
    position = draft.portfolio.positions.get(draft.market.symbol)
    held = position.held.posted if position else 0
    return Refusal("POSITION_INTENT", detail, {"held": held, "effect": draft.effect}, "position_intent")


def no_shorts(draft: Draft, by_game: bool) -> Refusal:
    """`by_game`: the portfolio may sell short, but the rulebook does not let this instrument be borrowed."""
    symbol = draft.rules.symbol
    if by_game:
        row = draft.rules.rows.get("short", "")
        text = f"{symbol} cannot be sold short."
        return Refusal("SHORT_NOT_ALLOWED", text, {"symbol": symbol}, "short", row)
    text = "This portfolio sells only what it holds, and buys only to hold."
    return Refusal("SHORT_NOT_ALLOWED", text, {"symbol": symbol}, "portfolio")


def closable(draft: Draft) -> Refusal:
    position = draft.portfolio.positions.get(draft.market.symbol)
    held = position.held.posted if position else 0
    today = position.bought_today if position else 0
    free, wanted = draft.sellable, draft.qty - draft.filled_qty
    exponent = draft.rules.qty_exponent
    more = f" {show_trimmed(today, exponent)} of it are of today." if today else ""
    return Refusal(
        "INSUFFICIENT_SELLABLE",
        f"You can {draft.effect.replace('_', ' ')} {show_trimmed(max(free, 0), exponent)} of your "
        f"{show_trimmed(held, exponent)} {draft.rules.symbol} with this order.{more}",
        {"qty": wanted, "held": held, "bought_today": today, "sellable": free, "effect": draft.effect},
        "holding",
    )


def no_mark(draft: Draft) -> Refusal:
    text = "Nothing says yet what your positions, or this one, are worth."
    return Refusal("NO_FRESH_PRICE", text, {}, "mark")


def margin(draft: Draft, now: Standing, free: int) -> Refusal:
    needed, exponent = draft.cash_needed(), CURRENCY_EXPONENT[draft.portfolio.currency]
    return Refusal(
        "INSUFFICIENT_CASH",
        f"It may take up to {show(needed, exponent)} of your own money; {show(free, exponent)} is free.",
        {"needed": needed, "free": free, **now._asdict()},
        "margin",
        draft.rules.rows.get("margin", ""),
    )
