"""Prometheus metrics of the whole installation, gathered when somebody scrapes.

Each process counts for itself with plain integers; this page asks them over their own sockets, so
that one scrape of a web worker shows feed, exchange and stream together. Not public: loopback, or
a bearer token (`SIMGAME_METRICS_TOKEN`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from market.feed.metrics import Family
from ops import counters
from simgame import env
from simgame.kernel.errors import Forbidden

VERSION = "0.1.0"
TOKEN = env.text("SIMGAME_METRICS_TOKEN")
LOOPBACK = frozenset({"127.0.0.1", "::1", ""})  # "" is a Unix socket
PREFIX = "simgame_"
NO_NAME = re.compile(r"[^a-z0-9_]+")


class Installation:
    """Everything that our own processes count."""

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily("simgame_build", "What is running", value={"version": VERSION})
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in counters.gather():
            name = PREFIX + NO_NAME.sub("_", sample.name.lower())
            if name not in families:
                kind = GaugeMetricFamily if sample.gauge else CounterMetricFamily
                families[name] = kind(name, sample.name.replace("_", " "), labels=["world"])
            families[name].add_metric([sample.world], sample.value)
        yield from families.values()
        yield from _feeds()

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: what there is shows at the first scrape."""
        return ()


def _feeds() -> Iterable[Metric]:
    """Each feed's families under one name, told apart by the label `world`."""
    up = GaugeMetricFamily(f"{PREFIX}feed_up", "Does the feed answer", labels=["world"])
    found: dict[str, Metric] = {}
    for world, families in counters.feeds():
        up.add_metric([world], int(families is not None))
        for family in families or ():
            name = f"{PREFIX}feed_{family.name}"
            metric = found.setdefault(name, Metric(name, family.help, family.kind))
            for suffix, labels, value in _lines(family):
                metric.add_sample(name + suffix, {"world": world, **labels}, value)
    yield up
    yield from found.values()


def _lines(family: Family) -> Iterable[tuple[str, dict[str, str], float]]:
    """Suffix, labels, value. Of a histogram: buckets added up, then count and sum."""
    if family.kind != "histogram":
        suffix = "_total" if family.kind == "counter" else ""
        yield from ((suffix, one.labels, one.value) for one in family.samples)
        return
    count = 0.0
    for one in family.samples:
        if "le" in one.labels:
            count += one.value
            yield "_bucket", one.labels, count
        else:
            yield "_sum", {}, one.value
    yield "_count", {}, count


REGISTRY = CollectorRegistry()
for collector in (ProcessCollector, PlatformCollector, GCCollector):
    collector(registry=REGISTRY)
REGISTRY.register(Installation())


def metrics(request: HttpRequest) -> HttpResponse:
    if not _allowed(request):
        raise Forbidden("Metrics are for this machine, or for a bearer of SIMGAME_METRICS_TOKEN.")
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _allowed(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if TOKEN:
        return secrets.compare_digest(given.encode(), TOKEN.encode())
    return request.META.get("REMOTE_ADDR", "") in LOOPBACK
