"""Bench of the engine alone: commands in, rows with receipts out, full A-share rules, one process, no I/O.

The peer is what matching alone costs: a bare book of dictionaries and queues without rules, money,
receipts or rows.
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
from trading.engine.commands import CancelOrder, Command, ReplaceOrder

HELP = "Orders a second through the pure engine, by mix: resting, taking, cancel, replace, mixed."
ROUND = 2_000  # commands between two quotes


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--orders", type=positive_int, default=40_000, help="of each mix")


def run(options: dict[str, Any], say: Say) -> Report:
    count, began = options["orders"], time.perf_counter()
    ours: dict[str, Any] = {}
    for name, mix in MIXES.items():
        seconds, commands = _timed(mix, count)
        ours[f"{name}_per_s"] = round(commands / seconds)
        say(f"{name}: {ours[f'{name}_per_s']:,} commands/s, {seconds / commands * 1e6:.1f} µs each")
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
    gc.collect()
    gc.freeze()
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
    if broken := pit.engine.breaches():
        raise RuntimeError(f"the engine's books do not hold: {broken[0]}")
    return spent, done


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
