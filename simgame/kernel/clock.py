"""The only place that reads the wall clock. Everything below the edges gets time as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
NS_PER_US = 1_000


def now_ns() -> int:
    """Nanoseconds since 1970, UTC."""
    return time.time_ns()


def now() -> datetime:
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Seconds for measuring durations; no relation to the date."""
    return time.monotonic()


def thread_s() -> float:
    """Processor time that this thread has used, in seconds."""
    return time.thread_time()


def from_ns(ns: int) -> datetime:
    """The instant `ns` as a datetime, microsecond precision."""
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).replace(microsecond=ns % NS_PER_S // NS_PER_US)


@lru_cache(1_024)  # what happened at once says the same time in several rows
def rfc3339(ns: int) -> str:
    """`2026-11-02T09:30:00.123456Z`: how every time goes out on the wire."""
    seconds, rest = divmod(ns, NS_PER_S)
    return f"{_to_the_second(seconds)}.{rest // NS_PER_US:06d}Z"


@lru_cache(256)  # rows of one batch share their second
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_rfc3339(value: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 instant or a date. Raises ValueError."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * NS_PER_US
