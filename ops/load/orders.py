"""Bench of the order path: HTTP orders that are in PostgreSQL's log when they are acknowledged.

Ours: the web worker's hot road, the exchange process, one transaction per batch. The peer: the usual
Django REST Framework view, ORM, `select_for_update` and token authentication, on the same server and
the same database. Both run against a private PostgreSQL with everything durable, one after another,
driven closed-loop by keep-alive connections from another process. Then the same code takes orders in one
process, where each stage's processor time can be told apart.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from ops.load import processes
from ops.load.bench import Report, Say, positive, positive_int, report

HELP = "Durable order acks a second over HTTP, against a DRF view with the ORM; processor time by stage."
CLIENT = "ops.load.orders_client"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--connections", type=positive_int, default=128)
    parser.add_argument("--seconds", type=positive, default=5.0, help="of each measurement")
    parser.add_argument("--marketable", type=positive_int, default=50, help="percent of orders that can fill")
    parser.add_argument("--keep", action="store_true", help="leave the bench's home for a look")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError, with what the process said, when something does not start."""
    with processes.home(say, keep=options["keep"]) as environment:
        ours, peer = _both(environment, options, say)
    return report("orders", options["seconds"], ours, peer, "acks_per_s")


def _both(environment: dict[str, str], options: dict[str, Any], say: Say) -> tuple[Report, Report]:
    count = options["connections"]
    asked = {name: options[name] for name in ("connections", "seconds", "marketable")}
    with processes.stage(count, environment, say) as stage:
        with processes.street(stage, environment) as street:
            say(f"ours: {count} connections for {options['seconds']:g} s, {options['marketable']} % can fill")
            where = {"port": street.port, "path": "/v2/orders", "watched": street.watched}
            ours = processes.asked(CLIENT, asked | where | street.players, environment)
            say(f"ours: {ours['acks_per_s']:,} acks/s, p50 {ours['p50_ms']} ms, p99 {ours['p99_ms']} ms")
            processes.write(stage, "settle")
            ours |= processes.read(stage)["facts"]
        say("ours: processor time by stage")
        processes.write(stage, "stages")
        ours |= processes.read(stage)
        peer_environment = environment | {"DJANGO_SETTINGS_MODULE": "ops.load.orders_peer_settings"}
        processes.write(stage, "peer")
        players = processes.read(stage)
        with processes.server("ops.load.orders_peer:application", peer_environment) as (port, _):
            say(f"peer: {count} connections for {options['seconds']:g} s")
            where = {"port": port, "path": "/orders/"}
            peer = processes.asked(CLIENT, asked | where | players, peer_environment)
        say(f"peer: {peer['acks_per_s']:,} acks/s, p50 {peer['p50_ms']} ms, p99 {peer['p99_ms']} ms")
    return ours, {"name": "DRF + ORM, select_for_update", **peer}
