"""The engine against the naive one, event by event: who traded, at which price, and who stands where."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from market.ticks import PhaseTick, Print, Quote
from tests.engine.naive import Naive
from tests.engine.pit import PLAIN, START
from trading.engine.commands import Adjust, CancelOrder, NewOrder, OpenPortfolio, SetRules
from trading.engine.engine import Engine
from trading.engine.events import FillRow

PRICES = st.integers(95, 105)
SIZES = st.integers(1, 60)
SIDES = st.sampled_from(["buy", "sell"])
LEVELS = st.lists(st.tuples(st.integers(0, 3), SIZES), max_size=4)
NEW = st.tuples(
    st.just("new"), st.integers(1, 4), SIDES, st.none() | PRICES | PRICES | PRICES, SIZES,
    st.sampled_from(["day", "gtc", "gtc", "ioc"]),
)  # fmt: skip
COMMANDS = st.one_of(
    NEW,
    NEW,
    NEW,
    st.tuples(st.just("cancel"), st.integers(0, 200)),
    st.tuples(st.just("quote"), st.integers(96, 103), LEVELS, LEVELS),
    st.tuples(st.just("print"), PRICES, SIZES, st.sampled_from(["buy", "sell", ""])),
)


def ladder(best: int, gaps: list[tuple[int, int]], sign: int) -> tuple[tuple[int, int], ...]:
    levels, price = [], best
    for gap, size in gaps:
        levels.append((price + gap * sign, size))
        price += (gap + 1) * sign
    return tuple(levels)


def engine() -> Engine:
    found = Engine(1)
    found.apply(SetRules(PLAIN), 0, START)
    found.apply(PhaseTick(20261102, "continuous", "", 0, START, START), 0, START)
    for who in range(1, 5):
        found.apply(OpenPortfolio(who, "CNY", 10**12, "open"), 0, START)
        found.apply(Adjust(who, "NLB", 10**9, "", "give"), 0, START)
    found.apply(Quote("NLB", (), (), START, START, "sim"), 0, START)
    return found


def command_of(step: tuple[Any, ...], seq: int, orders: list[str]) -> Any:
    at = START + seq  # always fresh
    if step[0] == "new":
        _, who, side, price, qty, tif = step
        orders.append(f"o{seq:04}")
        kind = "market" if price is None else "limit"
        return NewOrder(who, orders[-1], orders[-1], "NLB", side, kind, tif, qty, price, 0)
    if step[0] == "cancel":
        return orders[step[1] % len(orders)] if orders else None
    if step[0] == "quote":
        _, bid, bids, asks = step
        return Quote("NLB", ladder(bid, bids, -1), ladder(bid + 1, asks, 1), at, at, "sim", seq=seq)
    _, price, size, side = step
    return Print("NLB", price, size, side, at, at, "sim", seq=seq)


@given(st.lists(COMMANDS, max_size=60))
@settings(max_examples=150, deadline=None)
def test_both_engines_agree(steps: list[tuple[Any, ...]]) -> None:
    one, plain = engine(), Naive()
    orders: list[str] = []
    owners: dict[str, int] = {}
    for seq, step in enumerate(steps, 1):
        command = command_of(step, seq, orders)
        if isinstance(command, str):
            command = CancelOrder(owners[command], command, "x", 0)
        if command is None:
            continue
        if isinstance(command, NewOrder):
            owners[command.order_id] = command.portfolio
        events = one.apply(command, seq, START + seq)
        filled = [(event.order_id, event.price, event.qty) for event in events if isinstance(event, FillRow)]
        assert filled == plain.apply(command)
        stand = sorted((o.id, o.leaves, o.queue_ahead) for o in one.state.orders.values())
        assert stand == sorted((r.order.order_id, r.leaves, r.ahead) for r in plain.resting)
    assert one.breaches() == []
