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

import msgspec

from market.rulebook.rules import FeeRule, InstrumentRules
from market.ticks import PhaseTick, Quote, Reference
from ops.load.bench import Report, Say, positive_int, report
from trading.engine.commands import CancelOrder, Command, NewOrder, OpenPortfolio, ReplaceOrder, SetRules
from trading.engine.engine import Engine

HELP = "Orders a second through the pure engine, by mix: resting, taking, cancel, replace, mixed."
DAY, NS, START = 20_261_102, 1_000_000_000, 1_000 * 1_000_000_000
SYMBOLS, PLAYERS = 8, 64
CLOSE, DEPTH = 1_000, 10**12
ROUND = 2_000  # commands between two quotes
# The main board on 2026-11-02: 10 % band, 2 % cage or ten ticks, T+1, commission 0.025 % and at least
# 5.00, transfer 0.001 %, stamp 0.05 % of sells.
A_SHARE = InstrumentRules(
    symbol="", asset="", currency="CNY", cash_exponent=2, price_exponent=2, qty_exponent=0, multiplier=1,
    tick=1, lot=100, least_qty=100, odd_lot_sell=True, qty_max=1_000_000, band_ppb=100_000_000,
    cage_ppb=20_000_000, cage_ticks=10, lock_days=1,
    fees=(
        FeeRule("commission", "both", 250_000, 500, "fee.commission"),
        FeeRule("transfer", "both", 10_000, 0, "fee.transfer"),
        FeeRule("stamp", "sell", 500_000, 0, "fee.stamp"),
    ),
    rows={name: f"{name}.main" for name in ("band", "cage", "lot", "lock", "tick")},
)  # fmt: skip


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


class Pit:
    """An engine with a deep market in some shares, and rich players."""

    def __init__(self) -> None:
        self.engine, self.seq, self.at_ns = Engine(1), 0, START
        self.symbols = [f"60{n:04d}" for n in range(SYMBOLS)]
        for symbol in self.symbols:
            self.do(SetRules(msgspec.structs.replace(A_SHARE, symbol=symbol, asset=symbol)))
        self.do(PhaseTick(DAY, "continuous", "", 0, self.at_ns, self.at_ns))
        for symbol in self.symbols:
            self.do(Reference(symbol, DAY, CLOSE, 0, 0, self.at_ns, self.at_ns, "bench"))
        self.quotes()
        for player in range(1, PLAYERS + 1):
            self.do(OpenPortfolio(player, "CNY", 10**15, f"open{player}"))

    def quotes(self) -> None:
        at = self.at_ns
        bids, asks = ((CLOSE - 1, DEPTH), (CLOSE - 2, DEPTH)), ((CLOSE, DEPTH), (CLOSE + 1, DEPTH))
        for symbol in self.symbols:
            self.do(Quote(symbol, bids, asks, at, at, "bench", seq=self.seq))

    def do(self, command: Command) -> Any:
        self.seq += 1
        return self.engine.apply(command, self.seq, self.at_ns)

    def order(self, n: int, price: int) -> NewOrder:
        order_id = f"o{n}"
        return NewOrder(
            n % PLAYERS + 1,
            order_id,
            order_id,
            self.symbols[n % SYMBOLS],
            "buy",
            "limit",
            "day",
            100,
            price,
            0,
        )


Mix = Callable[[Pit, int, int], list[Command]]  # commands first to first + count of a pit


def _resting(pit: Pit, first: int, count: int) -> list[Command]:
    return [pit.order(n, CLOSE - 10 - n % 40) for n in range(first, first + count)]


def _taking(pit: Pit, first: int, count: int) -> list[Command]:
    return [pit.order(n, CLOSE + 5) for n in range(first, first + count)]


def _canceling(pit: Pit, first: int, count: int) -> list[Command]:
    for command in _resting(pit, first, count):
        pit.do(command)
    return [CancelOrder(n % PLAYERS + 1, f"o{n}", f"c{n}", 0) for n in range(first, first + count)]


def _replacing(pit: Pit, first: int, count: int) -> list[Command]:
    for command in _resting(pit, first, count):
        pit.do(command)
    return [
        ReplaceOrder(n % PLAYERS + 1, f"o{n}", f"r{n}", 0, limit_price=CLOSE - 60 - n % 7)
        for n in range(first, first + count)
    ]


def _mixed(pit: Pit, first: int, count: int) -> list[Command]:
    """Of ten, five come to rest, two take, two are canceled, one is replaced."""
    commands: list[Command] = []
    for n in range(first, first + count):
        if n % 10 < 7:
            commands.append(pit.order(n, CLOSE - 10 - n % 40 if n % 10 < 5 else CLOSE + 5))
        elif n % 10 < 9:
            commands.append(CancelOrder((n - 5) % PLAYERS + 1, f"o{n - 5}", f"c{n}", 0))
        else:
            of = n - 9
            commands.append(ReplaceOrder(of % PLAYERS + 1, f"o{of}", f"r{n}", 0, limit_price=CLOSE - 70))
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
