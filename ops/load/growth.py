"""How cost grows: instruments, portfolios and open orders, each size in a process of its own.

Of each size: the memory of the books, a new order and its cancel, a quote, and rebuilding the engine from
its rows (what recovery does once the rows have been read). A crowd are orders of one instrument at the very
price that its quotes show, each behind displayed size that changes with every quote.
"""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops.load import processes
from ops.load.bench import Report, Say, machine
from ops.load.pit import CLOSE, DEPTH, Pit
from trading.engine.commands import CancelOrder
from trading.engine.engine import Engine
from trading.engine.records import PortfolioState

HELP = "Memory, cost per order and rebuilding time as instruments, portfolios and open orders grow."
BASE = {"instruments": 100, "portfolios": 1_000, "orders": 10_000, "crowd": 0}
SIZES = {
    "instruments": (10, 100, 1_000),
    "portfolios": (100, 1_000, 10_000),
    "orders": (1_000, 10_000, 100_000),
    "crowd": (100, 1_000, 10_000),
}
GREATEST = {"instruments": 10_000, "portfolios": 100_000, "orders": 1_000_000, "crowd": 100_000}
PROBES = 2_000


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--full", action="store_true", help="also 10,000 instruments, 100,000 portfolios, "
                        "1,000,000 open orders (some minutes, 4 GB)")  # fmt: skip


def run(options: dict[str, Any], say: Say) -> Report:
    began, before = time.perf_counter(), machine()
    rows = []
    for what, sizes in SIZES.items():
        for size in (*sizes, *((GREATEST[what],) if options["full"] else ())):
            found = processes.asked("ops.load.growth", BASE | {what: size}, dict(os.environ))
            rows.append({"grows": what, **found})
            say(line(rows[-1]))
    seconds = round(time.perf_counter() - began, 1)
    return {"bench": "growth", "machine": before, "seconds": seconds, "rows": rows}


def line(row: Report) -> str:
    sizes = ", ".join(f"{row[what]:,} {what}" for what in SIZES)
    sizes = sizes if row["crowd"] else sizes.rpartition(",")[0]
    costs = f"order {row['order_us']} µs, cancel {row['cancel_us']} µs, quote {row['quote_us']} µs"
    return f"{sizes}: {row['memory_mb']} MB, {costs}, rebuilt in {row['rebuild_s']} s"


def table(found: Report) -> str:
    return "\n".join(map(line, found["rows"]))


def measure(asked: dict[str, int]) -> Report:
    empty_mb = memory_mb()
    pit = Pit(symbols=asked["instruments"], players=asked["portfolios"], cash=10**14)
    for n in range(asked["orders"]):
        pit.do(pit.order(n, CLOSE - 10 - n % 40))
    instruments = asked["instruments"]
    for n in range(asked["crowd"]):  # all at the first instrument's best bid
        pit.do(pit.order((asked["orders"] + PROBES + n) * instruments, CLOSE - 1))
    answer: Report = {**asked, "memory_mb": round(memory_mb() - empty_mb)}
    first = asked["orders"]
    orders = [pit.order(first + n, CLOSE - 10 - n % 40) for n in range(PROBES)]
    cancels = [CancelOrder(each.portfolio, each.order_id, f"c{n}", 0) for n, each in enumerate(orders)]
    answer["order_us"] = _each_us(pit.do, orders)
    answer["cancel_us"] = _each_us(pit.do, cancels)
    quotes = [pit.quote(0, DEPTH - n % 7) if asked["crowd"] else pit.quote(n) for n in range(PROBES)]
    answer["quote_us"] = _each_us(pit.do, quotes)
    answer["rebuild_s"] = round(_rebuilt_s(pit.engine), 2)
    return answer


def _each_us(do: Callable[[Any], Any], commands: list[Any]) -> float:
    began = time.thread_time()
    for command in commands:
        do(command)
    return round((time.thread_time() - began) / len(commands) * 1e6, 1)


def _rebuilt_s(engine: Engine) -> float:
    state = engine.state
    rows: dict[str, Any] = {
        "portfolios": [PortfolioState(each.id, each.currency) for each in state.portfolios.values()],
        "balances": [each.row() for each in state.balances.values()],
        "positions": [],
        "orders": [each.row("restated", {}) for each in state.orders.values()],
        "rules": [each.rules for each in state.markets.values()],
    }
    began = time.thread_time()
    Engine(1).restore(**rows)
    return time.thread_time() - began


def memory_mb() -> float:
    """Resident memory of this process; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.stdin.readline()))), flush=True)
