"""What a feed counts, as Prometheus families: plain data, so that any process can show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from market.feed.histogram import BOUNDS_S, Histogram
from market.sources.live.life import Live
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_S

if TYPE_CHECKING:
    from market.feed.process import Feed

Labels = dict[str, str]


class Sample(msgspec.Struct):
    labels: Labels
    value: float


class Family(msgspec.Struct):
    """`name` without the prefix; `kind`: counter | gauge | histogram.

    A histogram's samples are its buckets (label `le`, not yet added up), then one labelled {"sum": ""}.
    """

    name: str
    kind: str
    help: str
    samples: list[Sample]


def families(feed: Feed) -> list[Family]:
    return [*_flow(feed), *_trouble(feed), *_sources(feed), *_keeping(feed), *_latencies(feed)]


def _flow(feed: Feed) -> Iterator[Family]:
    ingress, valve = feed.ingress, feed.intake.valve
    yield _counter("published", "Ticks given a number and passed on", feed.published)
    yield _gauge("ticks_per_second", "Ticks passed on in the last second", feed.rate.per_s)
    yield _counter("ingress_accepted", "Messages taken into the ingress queue", ingress.accepted)
    yield _by(
        "ingress_dropped",
        "counter",
        "Messages dropped at a full ingress queue",
        "policy",
        {"drop_newest": ingress.dropped_newest, "drop_oldest": ingress.dropped_oldest},
    )
    yield _counter("ingress_backpressure", "Messages whose source had to wait", ingress.blocked)
    yield _gauge("ingress_length", "Messages waiting", len(ingress))
    yield _gauge("ingress_fill_ratio", "Of the queue's capacity", len(ingress) / ingress.capacity)
    yield _by(
        "held_back",
        "counter",
        "Messages or turns that an operator's switch held back",
        "switch",
        {"paused": valve.paused, "conflated": valve.conflated, "throttled": valve.throttled},
    )
    yield _gauge("subscribers", "Downstreams of the hub, links among them", len(feed.hub.downstreams))
    yield _by(
        "link_waiting",
        "gauge",
        "Frames waiting for a link",
        "link",
        {link.name: link.waiting for link in feed.server.links},
    )
    yield _by(
        "link_conflated",
        "counter",
        "Times a link that was behind got the latest only",
        "link",
        {link.name: link.conflated_frames for link in feed.server.links},
    )


def _trouble(feed: Feed) -> Iterator[Family]:
    sequence = feed.pipeline.sequence
    yield _counter("gaps", "Gaps told or noticed", sequence.gaps)
    yield _counter("missing", "Messages known to be missing", sequence.missing)
    yield _counter("duplicates", "Messages refused as said before", sequence.duplicates)
    yield _counter("late", "Messages refused as older than the last one", sequence.late)
    yield _counter("out_of_order", "Messages refused as behind their successors", sequence.out_of_order)
    yield _counter("old_epoch", "Messages of a connection that is over", sequence.old_epoch)
    refused = {str(reason): count for reason, count in feed.pipeline.gate.refused.items()}
    yield _by("quarantined", "counter", "Messages that the quality gate refused", "reason", refused)
    news = feed.publisher.news
    yield _by(
        "errors",
        "counter",
        "What went wrong outside the feed",
        "kind",
        {
            "database": feed.database.errors + feed.switch_reader.errors,
            "redis_dropped": news.dropped,
            "link_cut": feed.server.cut,
            "link_refused": feed.server.refused,
            **({"nats_dropped": feed.nats.dropped} if feed.nats else {}),
        },
    )
    if feed.nats:
        yield _counter("nats_published", "Messages that NATS took", feed.nats.published)
        yield _gauge("nats_connected", "Is the NATS server there", int(feed.nats.connected))
    yield _counter("bars_too_late", "Prints that no held bar could take", feed.bars.too_late)


def _sources(feed: Feed) -> Iterator[Family]:
    leaves = [leaf for leaf in feed.source.leaves() if isinstance(leaf, Live)]
    of = {leaf.name: leaf.subscriptions for leaf in leaves}
    wanted = {name: len(one.wanted) for name, one in of.items()}
    acknowledged = {name: len(one.acknowledged) for name, one in of.items()}
    ticking = {leaf.name: acknowledged[leaf.name] - len(leaf.stale()) for leaf in leaves}
    yield _by("wanted", "gauge", "Subscriptions that are wanted", "source", wanted)
    yield _by("acknowledged", "gauge", "Subscriptions that the venue acknowledged", "source", acknowledged)
    yield _by("ticking", "gauge", "Acknowledged ones that are not silent", "source", ticking)
    live = {leaf.name: int(leaf.live) for leaf in feed.source.leaves()}
    yield _by("source_live", "gauge", "Is the source live or degraded", "source", live)
    messages = {leaf.name: leaf.messages for leaf in leaves}
    yield _by("source_messages", "counter", "Messages heard from the venue", "source", messages)
    ages = {leaf.name: clock.monotonic_s() - leaf.heard_s for leaf in leaves if leaf.heard_s}
    yield _by("source_silent_seconds", "gauge", "Since the source's last message", "source", ages)
    yield Family(
        "reconnects",
        "counter",
        "Connections that ended",
        [
            Sample({"source": leaf.name, "reason": reason}, count)
            for leaf in leaves
            for reason, count in leaf.reconnects.items()
        ],
    )
    limited = {leaf.name: leaf.rate_limited for leaf in leaves}
    yield _by("rate_limit_hits", "counter", "Times a venue said we ask too often", "source", limited)
    switches = getattr(feed.source, "switched", 0)
    yield _counter("failovers", "Times another source began to speak", switches)
    newest = max((quote.received_ns for quote in feed.state.quotes.values()), default=0)
    age = (clock.now_ns() - newest) / NS_PER_S if newest else 0.0
    yield _gauge("last_message_age_seconds", "Since the newest quote came in", age)


def _keeping(feed: Feed) -> Iterator[Family]:
    yield _counter("wal_bytes", "Written to the write-ahead log", feed.wal.bytes_written)
    yield _counter("bars_written", "Rows of bars written to the tables", feed.bar_writer.written)
    yield _counter("bars_filled", "Partial bars made whole from a venue's history", feed.backfill.filled)
    yield _gauge("bars_partial", "Bars over gaps that wait to be filled", feed.backfill.waiting)
    yield _gauge("sequence", "The number of the last tick", feed.state.seq)
    yield _gauge("epoch", "Of the lease", feed.epoch)
    yield _counter("unread", "Messages left out because nobody reads their topic", feed.publisher.unread)
    yield _counter("redis_published", "Messages of topics that Redis took", feed.publisher.news.published)


def _latencies(feed: Feed) -> Iterator[Family]:
    yield _histogram("ingest_seconds", "From the source's socket to the log", feed.path.ingest)
    yield _histogram("fanout_seconds", "From the log to the last downstream", feed.path.fanout)
    yield _histogram("end_to_end_seconds", "From the source's socket to a link's", feed.server.end_to_end)


def _counter(name: str, help_: str, value: float) -> Family:
    return Family(name, "counter", help_, [Sample({}, value)])


def _gauge(name: str, help_: str, value: float) -> Family:
    return Family(name, "gauge", help_, [Sample({}, value)])


def _by(name: str, kind: str, help_: str, label: str, values: dict[str, Any]) -> Family:
    return Family(name, kind, help_, [Sample({label: of}, value) for of, value in values.items()])


def _histogram(name: str, help_: str, seen: Histogram) -> Family:
    bounds: Iterable[str] = (*map(str, BOUNDS_S), "+Inf")
    buckets = [Sample({"le": bound}, count) for bound, count in zip(bounds, seen.counts, strict=True)]
    return Family(name, "histogram", help_, [*buckets, Sample({"sum": ""}, seen.sum_s)])


class Rate:
    """Ticks a second, from a counter that is looked at by the second."""

    def __init__(self) -> None:
        self.per_s = 0.0
        self._count, self._at_s = 0, clock.monotonic_s()

    def look(self, count: int) -> None:
        now_s = clock.monotonic_s()
        if now_s > self._at_s:
            self.per_s = (count - self._count) / (now_s - self._at_s)
        self._count, self._at_s = count, now_s
