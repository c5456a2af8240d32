"""Open-loop load: orders arrive at a fixed rate, as from many people who do not wait for each other.

The same private street as `bench orders`. The generator is a process of its own and says how much of a
core it took, how late it was at worst, and what was left of the machine.
"""

from __future__ import annotations

from typing import Any

from ops.load import processes
from ops.load.bench import Report, Say, machine

CLIENT = "ops.load.open_client"
SETTLED_FROM_S = 3.0  # a shorter run does not wait for the exchange to know who reads which stream
STARTS = "feed, exchange and web worker"
SETTLES = f"{STARTS}; 15 s until the exchange knows who reads which stream"
FIXED_HELP = "of the first second, buys only"
WARM = {"rate": 200.0, "seconds": 4.0}  # every player is identified once, statements are planned


def run(
    rates: list[float], seconds: float, connections: int, marketable: int, say: Say, *, fixed_prices: bool
) -> Report:
    """One measurement per rate, the books reconciled at the end. Raises RuntimeError.

    `fixed_prices`: buys only, at prices of the first second.
    """
    began = machine()
    known = seconds >= SETTLED_FROM_S
    say(SETTLES if known else STARTS)
    with (
        processes.home(say, keep=False) as environment,
        processes.stage(connections, environment, say) as stage,
        processes.street(stage, environment, known=known) as street,
    ):
        if not fixed_prices:
            processes.ask(stage, "give")
        fixed = {"port": street.port, "path": "/v2/orders", "watched": street.watched,
                 "connections": connections, "marketable": marketable,
                 "follows": not fixed_prices, **street.players}  # fmt: skip
        processes.asked(CLIENT, fixed | WARM | {"run": "warm"}, environment)
        found = []
        for rate in rates:
            say(f"{rate:g} orders/s for {seconds:g} s over {connections} connections")
            wanted = {"rate": rate, "seconds": seconds, "run": f"r{len(found)}"}
            found.append(processes.asked(CLIENT, fixed | wanted, environment))
            say(_line(found[-1]))
        facts = processes.ask(stage, "settle")["facts"]
    return {"bench": "loadtest", "machine": began, "seconds": seconds, "connections": connections,
            "prices": prices(fixed=fixed_prices),
            "rates": found, "books": facts}  # fmt: skip


def prices(*, fixed: bool) -> str:
    """For reports."""
    return "fixed, buys only" if fixed else "of the last second, buys and sells"


def table(found: Report) -> str:
    heads = ("rate", "acks", "p50_ms", "p99_ms", "p999_ms", "max_ms", "errors", "generator", "idle")
    lines = [" ".join(f"{name:>10}" for name in heads)]
    for each in found["rates"]:
        shares = each["core_share"]
        told = {
            "errors": sum(each["errors"].values()),
            "generator": shares.get("client"),
            "idle": shares["idle"],
        }
        lines.append(" ".join(f"{(each | told)[name]!s:>10}" for name in heads))
        busy = ", ".join(f"{name} {share}" for name, share in shares.items())
        lines.append(f"{'of a core':>10}: {busy}")
        if len(each["minutes"]) > 1:
            parts = enumerate(each["minutes"], 1)
            lines += [
                " ".join(f"{cell!s:>10}" for cell in (f"minute {n}", *map(part.get, heads[1:6])))
                for n, part in parts
            ]
    return "\n".join([*lines, f"books: {found['books']}"])


def _line(found: dict[str, Any]) -> str:
    errors = sum(found["errors"].values())
    return (
        f"  p50 {found['p50_ms']} ms, p99 {found['p99_ms']} ms, p99.9 {found['p999_ms']} ms, "
        f"errors {errors}, generator {found['core_share'].get('client', 0):.0%} of a core"
    )
