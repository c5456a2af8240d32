"""Asks each process of this installation what it counted: the numbers behind `/metrics`.

A process that does not answer is a number too (`up` 0), never an error page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import msgspec

from market.errors import MarketError
from market.feed.client import ask_sync as ask_feed
from market.feed.metrics import Family
from market.models import FeedLease
from realtime import hub
from trading.exchange.client import ask_sync as ask_exchange
from trading.exchange.wire import Status
from trading.invariants import watch
from trading.models import ExchangeLease

ASK_TIMEOUT_S = 1.0
# What rises and falls; everything else a process reports only grows.
GAUGES = frozenset({"up", "epoch", "waiting", "length", "capacity", "links", "sockets", "topics", "groups"})
GAUGES |= {"bus_up", "at_ns", "age_s", "speed", "paused", "last_message_age_s", "ticks_per_s", "wal_bytes"}
GAUGES |= {"open_breaks", "portfolios", "orders", "cash"}  # of the checker: coverage in percent


class Sample(NamedTuple):
    name: str  # without prefix: "exchange_seq"
    world: str
    value: float

    @property
    def gauge(self) -> bool:
        return any(self.name.endswith(f"_{name}") for name in GAUGES)


def gather() -> list[Sample]:
    return [*_exchanges(), *_checkers(), *_hubs()]


def feeds() -> Iterator[tuple[str, list[Family] | None]]:
    """World and what its feed counts; None: it does not answer."""
    for lease in FeedLease.objects.select_related("world").exclude(address=""):
        try:
            answer = ask_feed(lease.world_id, {"op": "metrics"})
            yield lease.world.slug, msgspec.convert(answer["families"], list[Family])
        except MarketError:
            yield lease.world.slug, None


def _exchanges() -> Iterator[Sample]:
    for lease in ExchangeLease.objects.select_related("world").exclude(address=""):
        reply = ask_exchange(lease.world_id, Status(), timeout_s=ASK_TIMEOUT_S)
        answer = reply.result if reply.outcome == "executed" else None
        yield from _samples("exchange", lease.world.slug, answer)


def _checkers() -> Iterator[Sample]:
    for said in watch.summaries():
        yield from _samples("checker", said.world, asdict(said))


def _hubs() -> Iterator[Sample]:
    for one in hub.running():
        sizes = {"sockets": len(one.sockets), "topics": len(one.states), "groups": len(one.groups)}
        counted = {name: value for name, value in asdict(one.counters).items() if name != "closed"}
        yield from _samples("stream", "", {**counted, **sizes, "bus_up": int(one.bus_up)})


def _samples(process: str, world: str, answer: Mapping[str, Any] | None) -> Iterator[Sample]:
    yield Sample(f"{process}_up", world, int(answer is not None))
    for name, value in _flat(answer or {}):
        yield Sample(f"{process}_{name}", world, value)


def _flat(answer: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in an answer; nested ones joined with "_", a wrapping "counters" left out."""
    for key, value in answer.items():
        name = prefix if key == "counters" else f"{prefix}_{key}".strip("_")
        if isinstance(value, bool | int | float):
            yield name, float(value)
        elif isinstance(value, Mapping):
            yield from _flat(value, name)
