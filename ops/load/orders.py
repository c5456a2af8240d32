"""Bench of the order path: HTTP orders that are in PostgreSQL's log when they are acknowledged.

Ours: the web worker's hot road, the exchange process, one transaction per batch. The peer: the usual
Django REST Framework view, ORM, `select_for_update` and token authentication, on the same server and
the same database. Both run against a private PostgreSQL with everything durable, one after another,
driven by keep-alive connections from another process: closed-loop, each sends when it was answered, which
finds out how much both can do. Ours are buys and sells at prices of the last second, or with
`--fixed-prices` buys at those of the first (see flow). A closed loop waits with whoever makes it wait, so it
says little about latency; ours therefore takes orders on a timetable too (see open_client), over as many
connections. Then the same code takes orders in one process, where each stage's processor time can be told
apart.
"""

from __future__ import annotations

import subprocess
from argparse import ArgumentParser
from typing import Any

from ops.load import open_load, processes
from ops.load.bench import Report, Say, positive, positive_int, report

HELP = "Durable order acks a second over HTTP, against a DRF view with the ORM; processor time by stage."
CLIENT = "ops.load.orders_client"
RATE = 5_000.0  # orders a second that the exchange is to carry
CLOSED = ("acks_per_s", "p50_ms", "p99_ms", "p999_ms", "errors")
TIMED = ("sent", "acks", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms", "errors")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--connections", type=positive_int, default=128)
    parser.add_argument("--seconds", type=positive, default=5.0, help="of each measurement")
    parser.add_argument("--marketable", type=positive_int, default=50, help="percent of orders that can fill")
    parser.add_argument(
        "--rate", type=positive, default=RATE, help="orders/s of ours on a timetable, whatever the answers do"
    )
    parser.add_argument("--fixed-prices", action="store_true", help=open_load.FIXED_HELP)
    parser.add_argument("--keep", action="store_true", help="leave the bench's home for a look")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError, with what the process said, when something does not start."""
    with processes.home(say, keep=options["keep"]) as environment:
        ours, peer = _both(environment, options, say)
    return report("orders", options["seconds"], ours, peer, "acks_per_s")


def _both(environment: dict[str, str], options: dict[str, Any], say: Say) -> tuple[Report, Report]:
    asked = {name: options[name] for name in ("connections", "seconds", "marketable")}
    with processes.stage(asked["connections"], environment, say) as stage:
        ours = _ours(stage, asked, environment, options, say)
        say("ours: processor time by stage")
        ours |= processes.ask(stage, "stages")
        peer = _peer(asked | processes.ask(stage, "peer"), environment, say)
    return ours, {"name": "DRF + ORM, select_for_update", **peer}


def _ours(
    stage: subprocess.Popen[Any],
    asked: Report,
    environment: dict[str, str],
    options: dict[str, Any],
    say: Say,
) -> Report:
    """Without a timetable, then on one; then the books are reconciled."""
    known, follows = options["seconds"] >= open_load.SETTLED_FROM_S, not options["fixed_prices"]
    say(open_load.SETTLES if known else open_load.STARTS)
    with processes.street(stage, environment, known=known) as street:
        if follows:
            processes.ask(stage, "give")
        asked = asked | street.players | {"watched": street.watched, "follows": follows}
        asked |= {"port": street.port, "path": "/v2/orders"}
        say(f"ours: {_told(asked)}, {asked['marketable']} % can fill")
        ours = processes.asked(CLIENT, asked | {"run": "closed"}, environment)
        ours["prices"] = open_load.prices(fixed=not follows)
        say(f"ours: {ours['acks_per_s']:,} acks/s, p50 {ours['p50_ms']} ms, p99 {ours['p99_ms']} ms")
        say(f"ours: {options['rate']:g} orders/s on a timetable")
        processes.asked(open_load.CLIENT, asked | open_load.WARM | {"run": "warm"}, environment)
        timed = asked | {"rate": options["rate"], "run": "timed"}
        ours["at_rate"] = _timed(processes.asked(open_load.CLIENT, timed, environment))
        say(f"ours: p50 {ours['at_rate']['p50_ms']} ms, p99 {ours['at_rate']['p99_ms']} ms")
        facts: Report = processes.ask(stage, "settle")["facts"]
    return ours | facts


def _peer(asked: Report, environment: dict[str, str], say: Say) -> Report:
    environment = environment | {"DJANGO_SETTINGS_MODULE": "ops.load.orders_peer_settings"}
    with processes.server("ops.load.orders_peer:application", environment) as (port, _):
        say(f"peer: {_told(asked)}")
        asked |= {"port": port, "path": "/orders/", "run": "peer"}
        peer = processes.asked(CLIENT, asked, environment)
    say(f"peer: {peer['acks_per_s']:,} acks/s, p50 {peer['p50_ms']} ms, p99 {peer['p99_ms']} ms")
    return peer


def _told(asked: Report) -> str:
    return f"{asked['connections']} connections for {asked['seconds']:g} s"


def _timed(found: Report) -> Report:
    return {name: found[name] for name in ("rate", *TIMED, "core_share")} | {
        "errors": sum(found["errors"].values())
    }


def table(found: Report) -> str:
    ours, peer = found["ours"], found["peer"]
    lines = [f"{'':<12}{'ours':>12}  {peer['name']}"]
    lines += [f"{name:<12}{_shown(ours[name]):>12}  {_shown(peer[name])}" for name in CLOSED]
    lines.append(f"{'ratio':<12}{_shown(found['ratio']):>12}")
    timed = ours["at_rate"]
    lines.append(
        f"\non a timetable of {timed['rate']:,g} orders/s (latency counts from when an order was due)"
    )
    lines += [f"{name:<12}{_shown(timed[name]):>12}" for name in TIMED]
    lines.append("")
    lines.append(f"{'prices of our orders':<28}{ours['prices']}")
    lines += [f"{told:<28}{_listed(values)}" for told, values in (
        ("µs of processor per ack", ours.get("cpu_us_per_ack", {})),
        ("cores used on the timetable", timed["core_share"]),
        ("µs of an order by stage", ours["cpu_us_by_stage"]),
        ("books", {name: ours[name] for name in ours if name.startswith("orders_")}
            | {name: ours[name] for name in ("fills", "breaks", "batches", "largest_batch")}),
    )]  # fmt: skip
    return "\n".join(lines)


def _listed(values: Report) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"
