"""Bench of the engine alone: commands in, rows with receipts out, full A-share rules, one process, no I/O.

The peer is what matching alone costs: a bare book of dictionaries and queues without rules, money,
receipts or rows. Python's collector is kept off what was there before.
"""

from __future__ import annotations

import gc
import heapq
import time
from argparse import ArgumentParser
from collections import deque
from collections.abc import Callable
from typing import Any

from ops.load.bench import Report, Say, positive_int, report
from ops.load.pit import CLOSE, NS, Pit
from simgame.kernel import collector
from trading.engine import liquidity, risk
from trading.engine.commands import CancelOrder, Command, NewOrder, ReplaceOrder
from trading.engine.draft import draft_of

HELP = """Orders a second through the pure engine, by mix: resting, taking, cancel, replace, mixed.

And processor time per new order by stage, in microseconds: refuse (every rule, money included), walk (what
it would take of the other side), rest (the books, the receipts, the rows)."""
ROUND = 2_000  # commands between two quotes
STAGES = ("refuse", "walk", "rest")
STAGED_ROUNDS = 6  # the first of them warms up


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--orders", type=positive_int, default=40_000, help="of each mix")


def run(options: dict[str, Any], say: Say) -> Report:
    count, began = options["orders"], time.perf_counter()
    ours: dict[str, Any] = {}
    for name, mix in MIXES.items():
        seconds, commands = _timed(mix, count)
        ours[f"{name}_per_s"] = round(commands / seconds)
        say(f"{name}: {ours[f'{name}_per_s']:,} commands/s, {seconds / commands * 1e6:.1f} µs each")
    for name in ("resting", "taking"):
        stages = _by_stage(MIXES[name])
        ours |= {f"{name}_{stage}_us": each for stage, each in stages.items()}
        say(f"{name}: {', '.join(f'{stage} {each} µs' for stage, each in stages.items())}")
    ours["orders_per_s"] = ours["mixed_per_s"]
    peer = {"name": "a bare book, no rules", "orders_per_s": round(count / _bare(count))}
    return report("engine", round(time.perf_counter() - began, 1), ours, peer, "orders_per_s")


Mix = Callable[[Pit, int, int], list[Command]]  # commands first to first + count of a pit


def _resting(pit: Pit, first: int, count: int) -> list[Command]:
    return [pit.order(n, CLOSE - 10 - n % 40) for n in range(first, first + count)]


def _taking(pit: Pit, first: int, count: int) -> list[Command]:
    return [pit.order(n, CLOSE + 5) for n in range(first, first + count)]


def _canceling(pit: Pit, first: int, count: int) -> list[Command]:
    for command in _resting(pit, first, count):
        pit.do(command)
    return [CancelOrder(pit.who(n), f"o{n}", f"c{n}", 0) for n in range(first, first + count)]


def _replacing(pit: Pit, first: int, count: int) -> list[Command]:
    for command in _resting(pit, first, count):
        pit.do(command)
    return [
        ReplaceOrder(pit.who(n), f"o{n}", f"r{n}", 0, limit_price=CLOSE - 60 - n % 7)
        for n in range(first, first + count)
    ]


def _mixed(pit: Pit, first: int, count: int) -> list[Command]:
    """Of ten, five come to rest, two take, two are canceled, one is replaced."""
    commands: list[Command] = []
    for n in range(first, first + count):
        if n % 10 < 7:
            commands.append(pit.order(n, CLOSE - 10 - n % 40 if n % 10 < 5 else CLOSE + 5))
        elif n % 10 < 9:
            commands.append(CancelOrder(pit.who(n - 5), f"o{n - 5}", f"c{n}", 0))
        else:
            of = n - 9
            commands.append(ReplaceOrder(pit.who(of), f"o{of}", f"r{n}", 0, limit_price=CLOSE - 70))
    return commands


MIXES: dict[str, Mix] = {
    "resting": _resting, "taking": _taking, "cancel": _canceling, "replace": _replacing, "mixed": _mixed,
}  # fmt: skip


def _timed(mix: Mix, count: int) -> tuple[float, int]:
    """Seconds and commands: by the thread's clock, the making of the commands aside."""
    pit, spent, done = Pit(), 0.0, 0
    usual = gc.get_threshold()
    collector.set_aside()
    while done < count:
        commands = mix(pit, done, ROUND)
        pit.at_ns += NS // 100
        pit.quotes()
        apply, seq, at_ns = pit.engine.apply, pit.seq, pit.at_ns
        began = time.thread_time()
        for command in commands:
            seq += 1
            apply(command, seq, at_ns)
        spent += time.thread_time() - began
        pit.seq = seq
        done += len(commands)
    gc.unfreeze()
    gc.set_threshold(*usual)
    if broken := pit.engine.breaches():
        raise RuntimeError(f"the engine's books do not hold: {broken[0]}")
    return spent, done


def _by_stage(mix: Mix) -> dict[str, float]:
    """Microseconds per new order. Refusing and walking change nothing: they are done once more, apart."""
    pit, spent = Pit(), dict.fromkeys(STAGES, 0.0)
    for number in range(STAGED_ROUNDS):
        if number == 1:
            spent = dict.fromkeys(STAGES, 0.0)
        orders = [order for order in mix(pit, number * ROUND, ROUND) if isinstance(order, NewOrder)]
        pit.quotes()
        state, at_ns = pit.engine.state, pit.at_ns
        began = time.thread_time()
        drafts = [draft for order in orders if (draft := draft_of(state, order)) is not None]
        for order, draft in zip(orders, drafts, strict=True):
            risk.refuse_new(state, order, draft, at_ns)
        refused = time.thread_time()
        for draft in drafts:
            liquidity.walk(
                draft.market.asks, price=draft.worst_price(), qty=draft.qty, portfolio=draft.portfolio
            )
        walked = time.thread_time()
        for order in orders:
            pit.do(order)
        spent["refuse"] += refused - began
        spent["walk"] += walked - refused
        spent["rest"] += time.thread_time() - walked - (walked - began)
    return {name: round(each / (ROUND * (STAGED_ROUNDS - 1)) * 1e6, 2) for name, each in spent.items()}


def _bare(count: int) -> float:
    """Seconds to add orders to a price-time book, every second one of which trades with the one before."""
    queues: dict[int, deque[tuple[int, int]]] = {}
    prices: list[int] = []
    began = time.thread_time()
    for n in range(count):
        price = CLOSE + n % 40
        if n % 2:
            best = prices[0]
            queues[best].popleft()
            if not queues[best]:
                del queues[heapq.heappop(prices)]
        else:
            if price not in queues:
                queues[price] = deque()
                heapq.heappush(prices, price)
            queues[price].append((n, 100))
    return time.thread_time() - began
