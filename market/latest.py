"""The last state of a world, wherever it can be had: from Redis, else from the feed itself.

The feed writes its keys with each batch (`market.feed.publisher` lists them). Redis is a hint: it may
be away, empty, or hold what a feed said that has stopped since; the feed's lease tells.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any, Final

import msgspec
import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from market.errors import BadControl, FeedUnavailable
from market.feed import client
from market.messages import JSON
from market.models import FeedLease, World
from realtime.publish import Breaker
from simgame.kernel import clock

ALIVE_FOR: Final = timedelta(seconds=10)  # the feed signs its lease every second
FEED_PAUSE_S: Final = 1.0  # a feed that did not answer is left alone for this long

log = structlog.get_logger(__name__)
_decode = msgspec.json.decode


class Latest(msgspec.Struct):
    """What a feed said last. Offsets are those of the topics `board:<slug>` and `phase:<slug>`."""

    epoch: str
    quotes: dict[str, JSON]
    depth: dict[str, JSON]
    phase: JSON | None
    board_offset: int
    phase_offset: int


class Tail(msgspec.Struct):
    """The newest rows of a topic (trades, bars) with its position.

    `at`: in which message each row was last said; `forgot`: the newest message about a row that is not here.
    """

    epoch: str
    offset: int
    rows: list[JSON]
    at: list[int]
    forgot: int = 0

    def since(self, offset: int) -> list[tuple[int, list[JSON]]] | None:
        """What followed on `offset`, as (offset, rows) without a gap; None when that is not all here.

        A row that was said again since stands where it was said last; an offset whose rows all were has
        those that come next, so that offsets go on by one.
        """
        if not self.forgot <= offset <= self.offset:
            return None
        later = [(at, row) for at, row in zip(self.at, self.rows, strict=True) if at > offset]
        if self.offset > offset and self.offset not in self.at:
            return None
        said: list[tuple[int, list[JSON]]] = []
        for number in range(self.offset, offset, -1):
            rows = [row for at, row in later if at == number]
            said.append((number, rows or said[-1][1]))
        return said[::-1]


class _Patience:
    """Who did not answer is not asked again at once. One per process."""

    def __init__(self) -> None:
        self.redis = Breaker()
        self.feed_after_s: dict[int, float] = {}


_patience = _Patience()


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=settings.REDIS_TIMEOUT_S,
        socket_connect_timeout=settings.REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def alive(world: World) -> bool:
    """Does a feed serve this world now?"""
    since = clock.now() - ALIVE_FOR
    return FeedLease.objects.filter(world=world, beat_at__gte=since).exists()


def of(world: World) -> Latest | None:
    """Everything; None when nobody knows anything."""
    found = _ask_redis(
        world, ("hgetall", "offset"), ("get", "phase"), ("hgetall", "latest"), ("hgetall", "depth")
    )
    if found is None or not _is_of(world, found[0].get(b"epoch", b"").decode()):
        return _from_feed(world)
    offsets, phase, quotes, depth = found
    return _latest(offsets, phase, _rows(quotes), _rows(depth))


def of_symbol(world: World, symbol: str) -> Latest | None:
    """As `of`, with the rows of one symbol only: cheaper."""
    found = _ask_redis(
        world, ("hgetall", "offset"), ("get", "phase"), ("hget", "latest", symbol), ("hget", "depth", symbol)
    )
    if found is None or not _is_of(world, found[0].get(b"epoch", b"").decode()):
        return _from_feed(world)
    offsets, phase, quote, depth = found
    quotes = {symbol: _decode(quote)} if quote else {}
    return _latest(offsets, phase, quotes, {symbol: _decode(depth)} if depth else {})


def of_phase(world: World) -> Latest | None:
    """As `of`, without any quote."""
    found = _ask_redis(world, ("hgetall", "offset"), ("get", "phase"))
    if found is None or not _is_of(world, found[0].get(b"epoch", b"").decode()):
        return _from_feed(world)
    return _latest(found[0], found[1], {}, {})


def trades(world: World, symbol: str) -> Tail | None:
    """The last 50 TradeRows, oldest first."""
    row = _tail_in_redis(world, "trades", symbol) or _ask_feed(world, {"op": "trades", "symbol": symbol})
    return Tail(row["epoch"], row["offset"], row["trades"], row["at"], row["forgot"]) if row else None


def bars(world: World, symbol: str, interval: str) -> Tail | None:
    """The newest BarRows, the forming one among them, oldest first: two, or 300 of one second."""
    row = _tail_in_redis(world, "bars", f"{symbol}:{interval}") if interval != "1s" else None
    row = row or _ask_feed(world, {"op": "bars", "symbol": symbol, "interval": interval})
    return Tail(row["epoch"], row["offset"], row["bars"], row["at"], row["forgot"]) if row else None


def _tail_in_redis(world: World, kind: str, field: str) -> dict[str, Any] | None:
    found = _ask_redis(world, ("hget", kind, field))
    row = _decode(found[0]) if found and found[0] else None
    return row if row and _is_of(world, row["epoch"]) else None


def _is_of(world: World, epoch: str) -> bool:
    """Was this said in the world's present history, and not before its tables were made anew?"""
    return epoch.startswith(f"{world.stream_epoch}.")


def feed_status(world: World) -> dict[str, Any]:
    """What the feed says of itself. Raises FeedUnavailable."""
    return client.ask_sync(world.number, {"op": "status"})


def _latest(offsets: dict[bytes, bytes], phase: bytes | None, quotes: Any, depth: Any) -> Latest:
    return Latest(
        epoch=offsets[b"epoch"].decode(),
        quotes=quotes,
        depth=depth,
        phase=_decode(phase) if phase else None,
        board_offset=int(offsets[b"board"]),
        phase_offset=int(offsets[b"phase"]),
    )


def _rows(found: dict[bytes, bytes]) -> dict[str, JSON]:
    return {symbol.decode(): _decode(row) for symbol, row in found.items()}


def _ask_redis(world: World, *questions: tuple[str, ...]) -> list[Any] | None:
    """The answers to (command, kind, field…), all of one instant; None when Redis does not answer."""
    if not _patience.redis.allows(clock.monotonic_s()):
        return None
    try:
        with _redis().pipeline(transaction=True) as pipe:
            for command, kind, *fields in questions:
                getattr(pipe, command)(f"sg:{kind}:{world.slug}", *fields)
            answers = pipe.execute()
    except (RedisError, OSError) as error:
        _patience.redis.failed(clock.monotonic_s())
        log.warning("redis_silent", why=str(error))
        return None
    _patience.redis.succeeded()
    return answers


def _from_feed(world: World) -> Latest | None:
    answer = _ask_feed(world, {"op": "latest"})
    if answer is None:
        return None
    offsets = answer["offsets"]
    return Latest(
        epoch=answer["epoch"],
        quotes=answer["quotes"],
        depth=answer["depth"],
        phase=answer["phase"],
        board_offset=offsets.get(f"board:{world.slug}", 0),
        phase_offset=offsets.get(f"phase:{world.slug}", 0),
    )


def _ask_feed(world: World, question: dict[str, Any]) -> dict[str, Any] | None:
    now_s = clock.monotonic_s()
    if now_s < _patience.feed_after_s.get(world.number, 0.0):
        return None
    try:
        return client.ask_sync(world.number, question)
    except (FeedUnavailable, BadControl) as error:
        _patience.feed_after_s[world.number] = now_s + FEED_PAUSE_S
        log.info("feed_silent", world=world.slug, why=str(error))
        return None
