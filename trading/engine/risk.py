"""Every way the engine says no to an order, in order of precedence: the first that applies wins.

Codes are those of `trading.errors`. A refusal names the numbers that decided it (`facts`, scaled
integers) and, where a rule of the venue bound, the id of its dated rulebook row.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from market.rulebook.rules import InstrumentRules, Phase
from simgame.kernel.money import INT64_MAX, show, show_trimmed
from trading.engine import prices
from trading.engine.commands import NewOrder
from trading.engine.orders import Order
from trading.engine.state import Market, Portfolio, State

ORDERS_OPEN_MAX: Final = 10_000  # per portfolio: cancelling them all stays one short command
IMMEDIATE: Final = ("ioc", "fok")


class Refusal(NamedTuple):
    code: str
    detail: str
    facts: dict[str, Any]
    rule: str = ""  # name of the rule that bound
    row: str = ""  # id of its rulebook row


class Draft(NamedTuple):
    """What an order would be: new, or replaced (then `of` is the order that stands)."""

    portfolio: Portfolio
    market: Market
    rules: InstrumentRules
    buys: bool
    qty: int
    filled_qty: int
    price: int | None  # its limit; None for a market order
    of: Order | None = None

    @property
    def sellable(self) -> int:
        """What could be sold now, this order's own reservation included."""
        own = self.of.reserved_qty if self.of else 0
        position = self.portfolio.positions.get(self.market.symbol)
        return (position.sellable if position else 0) + own


def refuse_new(state: State, new: NewOrder, at_ns: int) -> Refusal | None:
    if refusal := refuse_late(new.deadline_ns, at_ns):
        return refusal
    market = state.markets.get(new.symbol)
    if market is None or market.rules is None:
        return Refusal(
            "UNKNOWN_SYMBOL", f"There is no instrument {new.symbol!r} here.", {"symbol": new.symbol}
        )
    portfolio = state.portfolios[new.portfolio]
    price = new.limit_price if new.type == "limit" else None
    draft = Draft(portfolio, market, market.rules, new.side == "buy", new.qty, 0, price)
    return (
        _refuse_instrument(draft)
        or _refuse_words(new)
        or _refuse_phase(state, market, immediate=price is None or new.time_in_force in IMMEDIATE)
        or _refuse_shape(state, draft, at_ns)
        or _refuse_portfolio(portfolio)
        or _refuse_money(draft)
    )


def refuse_replaced(state: State, draft: Draft, at_ns: int) -> Refusal | None:
    """Whether an open order may become `draft`. Its being open was checked before."""
    return (
        _refuse_instrument(draft)
        or _refuse_phase(state, draft.market, immediate=False)
        or _refuse_shape(state, draft, at_ns)
        or _refuse_money(draft)
    )


def refuse_resting(market: Market, order: Order) -> Refusal | None:
    """Whether an order that rests may go on doing so under today's rules and limits."""
    assert market.rules is not None
    draft = Draft(
        order.portfolio, market, market.rules, order.buys, order.qty, order.filled_qty, order.price, order
    )
    return _refuse_instrument(draft) or _refuse_tick(draft) or _refuse_band(draft) or _refuse_money(draft)


def refuse_late(deadline_ns: int, at_ns: int) -> Refusal | None:
    if 0 < deadline_ns < at_ns:
        return Refusal(
            "STALE_ORDER",
            "It reached the exchange after its deadline and was not executed.",
            {"deadline": deadline_ns, "at": at_ns},
        )
    return None


def _refuse_instrument(draft: Draft) -> Refusal | None:
    rules = draft.rules
    if not rules.tradable:
        return Refusal("NOT_TRADABLE", rules.why_not_tradable or "It cannot be traded today.", {}, "tradable")
    if rules.currency != draft.portfolio.currency:
        return Refusal(
            "UNSUPPORTED",
            f"{rules.symbol} is priced in {rules.currency}, your cash is {draft.portfolio.currency}.",
            {"currency": rules.currency, "cash": draft.portfolio.currency},
        )
    return None


def _refuse_words(new: NewOrder) -> Refusal | None:
    if new.type == "limit" and new.limit_price is None:
        return Refusal("UNSUPPORTED", "A limit order needs a limit price.", {})
    if new.type == "market" and new.limit_price is not None:
        return Refusal("UNSUPPORTED", "A market order has no limit price.", {})
    return None


def _refuse_phase(state: State, market: Market, *, immediate: bool) -> Refusal | None:
    facts = {"phase": state.phase, "market_day": state.market_day}
    if not state.permit.enter:
        return Refusal("MARKET_CLOSED", "The market takes no orders in this phase.", facts, "phase")
    if market.halted:
        why = f": {market.halt_reason}" if market.halt_reason else "."
        return Refusal("HALTED", f"Trading in {market.symbol} is halted{why}", facts, "halt")
    if immediate and not state.permit.match:
        return Refusal(
            "MARKET_CLOSED",
            "Market, ioc and fok orders need a phase that matches; a limit order may wait for it.",
            facts,
            "phase",
        )
    return None


def _refuse_shape(state: State, draft: Draft, at_ns: int) -> Refusal | None:
    return (
        _refuse_tick(draft)
        or _refuse_lot(draft)
        or _refuse_size(draft)
        or _refuse_band(draft)
        or _refuse_cage(state, draft, at_ns)
        or _refuse_no_price(draft, at_ns)
    )


def _refuse_tick(draft: Draft) -> Refusal | None:
    rules, price = draft.rules, draft.price
    if price is None or (price > 0 and price % rules.tick == 0):
        return None
    tick = show(rules.tick, rules.price_exponent)
    return Refusal(
        "BAD_TICK_SIZE",
        f"The price must be a positive multiple of {tick}.",
        {"price": price, "tick": rules.tick},
        "tick",
        rules.rows.get("tick", ""),
    )


def _refuse_lot(draft: Draft) -> Refusal | None:
    rules, buys, qty = draft.rules, draft.buys, draft.qty
    if qty > 0 and qty % rules.lot == 0 and qty >= rules.least_qty:
        return None
    if draft.of is not None and qty == draft.of.qty:
        return None  # it was right when it came
    if not buys and rules.odd_lot_sell and _is_remainder(draft):
        return None
    lot, least = (show_trimmed(n, rules.qty_exponent) for n in (rules.lot, rules.least_qty))
    odd = "" if buys or not rules.odd_lot_sell else " What is left below that may be sold, all in one order."
    return Refusal(
        "BAD_QTY_OR_LOT",
        f"The quantity must be a multiple of {lot} and at least {least}.{odd}",
        {"qty": qty, "lot": rules.lot, "least_qty": rules.least_qty},
        "lot",
        rules.rows.get("lot", ""),
    )


def _is_remainder(draft: Draft) -> bool:
    """Whether a sell takes the whole odd remainder along.

    Source: SSE and SZSE trading rules, "a balance below 100 shares is sold in one order"; where the lot
    is 1 with a larger least quantity (STAR, BSE), the remainder is what is below that.
    """
    lot, sellable, wanted = draft.rules.lot, draft.sellable, draft.qty - draft.filled_qty
    if not 0 < wanted <= sellable:
        return False
    return wanted % lot == sellable % lot if lot > 1 else wanted == sellable


def _refuse_size(draft: Draft) -> Refusal | None:
    rules, price = draft.rules, draft.price or draft.market.last_price
    if draft.qty <= rules.qty_max and prices.worth_at_most(rules, price, draft.qty) <= INT64_MAX:
        return None
    return Refusal(
        "EXCEEDS_LIMIT",
        f"One order may be for at most {show_trimmed(rules.qty_max, rules.qty_exponent)}.",
        {"qty": draft.qty, "qty_max": rules.qty_max},
        "qty_max",
        rules.rows.get("qty_max", ""),
    )


def _refuse_band(draft: Draft) -> Refusal | None:
    rules, price = draft.rules, draft.price
    low, high = draft.market.limits
    if price is None or (price >= low and (not high or price <= high)):
        return None
    shown = [show(n, rules.price_exponent) for n in (low, high)]
    return Refusal(
        "PRICE_OUT_OF_BAND",
        f"Today's limits are {shown[0]} to {shown[1]}.",
        {"price": price, "limit_low": low, "limit_high": high},
        "band",
        rules.rows.get("band", ""),
    )


def cage_limit(state: State, draft: Draft, at_ns: int) -> int | None:
    """The worst price the venue's cage lets in now; None where or while there is no cage.

    A buy is measured from the best ask, else the best bid, else the last trade, else the previous
    close; a sell the other way round. Source: SSE trading rules 3.3.13 (2023).
    """
    rules, market = draft.rules, draft.market
    if not rules.cage_ppb or state.phase != Phase.CONTINUOUS:
        return None
    base = 0
    if market.is_fresh(at_ns):
        near, far = market.shown(bids=not draft.buys), market.shown(bids=draft.buys)
        base = near[0][0] if near else far[0][0] if far else 0
    base = base or market.last_price or (market.reference.previous_close if market.reference else 0)
    if not base:
        return None
    return prices.distant(base, rules.cage_ppb, rules.tick, rules.cage_ticks, above=draft.buys)


def _refuse_cage(state: State, draft: Draft, at_ns: int) -> Refusal | None:
    price, cage = draft.price, cage_limit(state, draft, at_ns)
    if cage is None or price is None or (price <= cage if draft.buys else price >= cage):
        return None
    rules = draft.rules
    word = "above" if draft.buys else "below"
    return Refusal(
        "PRICE_OUT_OF_BAND",
        f"The price cage lets no price {word} {show(cage, rules.price_exponent)} in just now.",
        {"price": price, "cage": cage, "cage_ppb": rules.cage_ppb},
        "cage",
        rules.rows.get("cage", ""),
    )


def _refuse_no_price(draft: Draft, at_ns: int) -> Refusal | None:
    if draft.price is not None:
        return None
    market = draft.market
    if not market.is_fresh(at_ns):
        age_ms = (at_ns - market.quote.received_ns) // 1_000_000 if market.quote else None
        return Refusal(
            "NO_FRESH_PRICE",
            f"There is no fresh quote of {market.symbol}; a limit order may wait for one.",
            {"age_ms": age_ms, "age_ms_max": draft.rules.quote_age_ns_max // 1_000_000},
            "quote_age",
        )
    if not market.shown(bids=not draft.buys):
        return Refusal(
            "NO_FRESH_PRICE", f"Nobody {'offers' if draft.buys else 'bids for'} {market.symbol}.", {}
        )
    return None


def _refuse_portfolio(portfolio: Portfolio) -> Refusal | None:
    if portfolio.status != "active":
        return Refusal(
            "ACCOUNT_FROZEN",
            "This portfolio is frozen: orders may be canceled, nothing may be bought or sold.",
            {"why": portfolio.reason},
        )
    if len(portfolio.orders) >= ORDERS_OPEN_MAX:
        return Refusal(
            "EXCEEDS_LIMIT",
            f"A portfolio may have at most {ORDERS_OPEN_MAX} open orders.",
            {"orders_open_max": ORDERS_OPEN_MAX},
        )
    return None


def worst_price(draft: Draft) -> int:
    """The worst price it may trade at: its limit, or the collar around the best displayed price."""
    if draft.price is not None:
        return draft.price
    best = draft.market.shown(bids=not draft.buys)[0][0]
    return prices.collar(draft.rules, best, draft.market.limits, buys=draft.buys)


def cash_needed(draft: Draft) -> int:
    filled_cash = draft.of.filled_cash if draft.of else 0
    return draft.market.reservation(worst_price(draft), draft.qty - draft.filled_qty, filled_cash)


def _refuse_money(draft: Draft) -> Refusal | None:
    return _refuse_cash(draft) if draft.buys else _refuse_holding(draft)


def _refuse_cash(draft: Draft) -> Refusal | None:
    needed = cash_needed(draft)
    cash = draft.portfolio.cash
    free = cash.available + (draft.of.reserved_cash if draft.of else 0)
    if needed <= free:
        return None
    exponent = draft.rules.cash_exponent
    return Refusal(
        "INSUFFICIENT_CASH",
        f"It may cost up to {show(needed, exponent)}, fees included; {show(free, exponent)} is free.",
        {"needed": needed, "free": free, "posted": cash.posted, "reserved_cash": cash.reserved},
        "cash",
    )


def _refuse_holding(draft: Draft) -> Refusal | None:
    wanted, sellable = draft.qty - draft.filled_qty, draft.sellable
    if wanted <= sellable:
        return None
    rules = draft.rules
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
