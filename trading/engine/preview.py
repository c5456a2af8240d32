"""What would this order do now? The same refusals, the same walk, the same fees; nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from trading.engine import at_close, liquidity, margin, receipts, risk
from trading.engine.commands import NewOrder
from trading.engine.draft import Draft, draft_of
from trading.engine.fees import FeeLines
from trading.engine.fills import TAKER
from trading.engine.markets import AFTER_HOURS, Market
from trading.engine.orders import AUCTION_ONLY, IMMEDIATE
from trading.engine.records import Walk
from trading.engine.refusals import Refusal
from trading.engine.state import State

STEPS_MAX: Final = 6  # tick, band, cage, lot, size, money: each is mended at most once


def preview(state: State, new: NewOrder, at_ns: int) -> dict[str, Any]:
    """See README.md for the keys. `nearest` is the closest order that would pass, when it is refused."""
    if new.portfolio not in state.portfolios:
        return {
            "refusal": _told(Refusal("UNKNOWN_ACCOUNT", "This portfolio has no books here.", {})),
            "nearest": None,
        }
    draft = draft_of(state, new)
    refusal = risk.refuse_new(state, new, draft, at_ns)
    if refusal or draft is None:
        return {"refusal": _told(refusal), "nearest": _nearest(state, new, at_ns)}
    return {"refusal": None, "nearest": None, **_estimate(state, new, draft, at_ns)}


def _waits_for(new: NewOrder, draft: Draft) -> str:
    """What an order that is in no book waits for; "" for one that goes to the book."""
    if draft.stop is not None:
        return "stop"
    if new.time_in_force in AUCTION_ONLY:
        return "auction"
    return at_close.WAITS if draft.market.phase in AFTER_HOURS else ""


def _told(refusal: Refusal | None) -> dict[str, Any]:
    assert refusal is not None
    rule = receipts.rule(refusal.rule or refusal.code.lower(), refusal.detail, refusal.row)
    return {"code": refusal.code, "detail": refusal.detail, "facts": refusal.facts, "rule": rule}


def _estimate(state: State, new: NewOrder, draft: Draft, at_ns: int) -> dict[str, Any]:
    market, buys, price = draft.market, draft.buys, draft.worst_price()
    aside = _waits_for(new, draft)
    matches = state.can_match(market, at_ns) and not aside
    walk = Walk([], 0, None, None)
    if matches:
        walk = liquidity.walk(
            market.side(buys=not buys), price=price, qty=draft.qty, portfolio=draft.portfolio
        )
    if new.time_in_force == "fok" and walk.filled < draft.qty:
        walk = Walk([], 0, walk.own, walk.beyond)
    cash = sum(market.worth(step.price, step.size) for step in walk.steps)
    lines = market.fees(draft.effect, buys=buys) if draft.effect else _lines(market, buys=buys)
    fee, _, told = lines.fill(lines.charge(0, 0, capped=False), cash, walk.filled, capped=not buys)
    if market.tells_roles:
        fee, told = _by_step(market.fees_as(TAKER, draft.effect, buys=buys), market, walk)
    left = draft.qty - walk.filled
    may_rest = aside or (new.limit_price is not None and new.time_in_force not in IMMEDIATE)
    rests = left if may_rest and not walk.own else 0
    reserved = _reserved(draft, rests, cash, walk.filled) if rests else 0
    moved = -(cash + fee) if buys else cash - fee
    return {
        "levels": receipts.levels(walk.steps, walk.beyond),
        "quote": market.looked_at(at_ns),
        "filled_qty": walk.filled,
        "filled_value": sum(step.price * step.size for step in walk.steps),
        "cash": cash,
        "fees": told,
        "fee": fee,
        "rests_qty": rests,
        "canceled_qty": left - rests,
        "queue_ahead": market.side(buys=buys).left_at(price) if rests and matches else 0,
        "waits": aside or ("" if matches else "quote" if market.permit.match else "phase"),
        "own_order": walk.own.id if walk.own else None,
        "limit_price": new.limit_price,
        "collar": price if new.limit_price is None else None,
        "stop_price": draft.stop,
        "reserved_cash": reserved,
        "reserved_qty": 0 if draft.opens else rests,
        "free_cash_after": _free_after(draft, walk.filled, moved, reserved),
        **({"position_intent": f"{new.side}_to_{draft.effect}"} if draft.effect else {}),
    }


def _by_step(lines: FeeLines, market: Market, walk: Walk) -> tuple[int, list[dict[str, Any]]]:
    """Where each fill pays for itself: what they come to together."""
    paid = [lines.of_fill(market.worth(step.price, step.size), step.size) for step in walk.steps]
    told = lines.of_fill(0, 0)[2]
    for _, _, each in paid:
        for sums, line in zip(told, each, strict=True):
            sums |= {name: sums[name] + line[name] for name in ("base", "amount", "qty") if name in sums}
    return sum(fee for fee, _, _ in paid), told


def _lines(market: Market, *, buys: bool) -> FeeLines:
    return market.buy_fees if buys else market.sell_fees


def _reserved(draft: Draft, rests: int, cash: int, filled: int) -> int:
    """What the part that rests would hold."""
    market, price = draft.market, draft.worst_price()
    if draft.basis is None:
        return market.reservation(price, rests, cash, filled) if draft.buys else 0
    terms, basis, effect = draft.portfolio.margin, draft.basis, draft.effect
    filled_now = (cash, filled)
    return margin.hold(
        terms, market, basis, effect, buys=draft.buys, price=price, leaves=rests, filled=filled_now
    )


def _free_after(draft: Draft, filled: int, moved: int, reserved: int) -> int:
    """Free cash, or in a margin portfolio available money, if what is filled now were held like an order."""
    if draft.basis is None:
        return draft.portfolio.cash.available + moved - reserved
    return margin.available(draft.portfolio) - draft.cash_needed()


def _nearest(state: State, new: NewOrder, at_ns: int) -> dict[str, Any] | None:
    """Mend one refusal after another; None when something cannot be mended by price or quantity."""
    candidate = new
    for _ in range(STEPS_MAX):
        draft = draft_of(state, candidate)
        refusal = risk.refuse_new(state, candidate, draft, at_ns)
        if refusal is None:
            return {
                "side": new.side,
                "type": new.type,
                "qty": candidate.qty,
                "limit_price": candidate.limit_price,
            }
        mend = MENDS.get(refusal.rule)
        mended = mend(draft, refusal) if mend and draft else None
        if mended is None or min(mended.values()) <= 0:
            return None
        candidate = msgspec.structs.replace(candidate, **mended)
    return None


def _to_tick(draft: Draft, refusal: Refusal) -> dict[str, int] | None:
    """Towards the side that costs the player no more: down for a buy, up for a sell."""
    price, tick = refusal.facts["price"], draft.rules.tick
    if price != draft.price:
        return None  # it is the stop's, or a leg's
    down = price // tick * tick
    return {"limit_price": max(down, tick) if draft.buys else max(-(-price // tick) * tick, tick)}


def _to_band(draft: Draft, refusal: Refusal) -> dict[str, int]:
    low, high = draft.market.limits
    price = max(refusal.facts["price"], low)
    return {"limit_price": min(price, high) if high else price}


def _to_cage(draft: Draft, refusal: Refusal) -> dict[str, int]:
    return {"limit_price": refusal.facts["cage"]}


def _to_lot(draft: Draft, refusal: Refusal) -> dict[str, int]:
    rules = draft.rules
    down = draft.qty // rules.lot * rules.lot
    if down >= rules.least_qty:
        return {"qty": down}
    return {"qty": rules.least_qty} if draft.buys else {"qty": _most_sellable(draft)}


def _to_size(draft: Draft, refusal: Refusal) -> dict[str, int]:
    return {"qty": min(draft.rules.qty_max, draft.qty) // draft.rules.lot * draft.rules.lot}


def _to_cash(draft: Draft, refusal: Refusal) -> dict[str, int]:
    """The most lots whose reservation fits: it grows with the quantity, so halving finds it."""
    lot, free = draft.rules.lot, refusal.facts["free"]
    fits, too_many = 0, draft.qty // lot + 1
    while too_many - fits > 1:
        lots = (fits + too_many) // 2
        if draft.of_qty(lots * lot).cash_needed() <= free:
            fits = lots
        else:
            too_many = lots
    return {"qty": fits * lot if fits * lot >= draft.rules.least_qty else 0}


def _to_holding(draft: Draft, refusal: Refusal) -> dict[str, int]:
    return {"qty": _most_sellable(draft)}


def _most_sellable(draft: Draft) -> int:
    rules, sellable = draft.rules, draft.sellable
    if rules.odd_lot_sell:
        return sellable
    whole = sellable // rules.lot * rules.lot
    return whole if whole >= rules.least_qty else 0


MENDS: Final[dict[str, Callable[[Draft, Refusal], dict[str, int] | None]]] = {
    "tick": _to_tick,
    "band": _to_band,
    "cage": _to_cage,
    "lot": _to_lot,
    "qty_max": _to_size,
    "cash": _to_cash,
    "margin": _to_cash,
    "lock": _to_holding,
    "holding": _to_holding,
}
