"""The last state of a world, wherever it can be had: Redis, else the feed itself, else the last bars.

The feed writes each batch into the keys below. Redis is a hint: it may be empty or away, and what
lies there may be of a feed that has stopped. `Latest.stale` says that the rows are not of a live feed.
"""

from __future__ import annotations

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
from market.models import World
from realtime.publish import Breaker
from simgame.kernel import clock

log = structlog.get_logger(__name__)

FEED_PAUSE_S: Final = 1.0  # a feed that did not answer is left alone for this long
_decode = msgspec.json.decode


def quotes_key(slug: str) -> str:
    """Hash symbol → QuoteRow."""
    return f"sg:latest:{slug}"


def depth_key(slug: str) -> str:
    """Hash symbol → DepthRow."""
    return f"sg:depth:{slug}"


def phase_key(slug: str) -> str:
    """String: PhaseRow. Expires when no feed renews it: then the hashes are stale, too."""
    return f"sg:phase:{slug}"


class Latest(msgspec.Struct):
    """Rows by symbol. `phase` None: nobody says."""

    quotes: dict[str, JSON] = {}
    depth: dict[str, JSON] = {}
    phase: JSON | None = None


class _Patience:
    """Who did not answer is not asked again at once. One per process."""

    def __init__(self) -> None:
        self.redis = Breaker()
        self.feed_after_s: dict[int, float] = {}


_patience = _Patience()


@cache
def _redis() -> redis.Redis:
    timeout_s = settings.REDIS_TIMEOUT_S
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


def of(world: World) -> Latest | None:
    """Everything at once; None when neither Redis nor the feed says anything live."""
    return _from_redis(world) or _from_feed(world)


def phase_of(world: World) -> JSON | None:
    """Only the PhaseRow: as `of`, cheaper."""
    found = _ask_redis([("get", phase_key(world.slug))])
    if found and found[0] is not None:
        return _decode(found[0])
    state = _from_feed(world)
    return state.phase if state else None


def _from_redis(world: World) -> Latest | None:
    slug = world.slug
    found = _ask_redis(
        [("get", phase_key(slug)), ("hgetall", quotes_key(slug)), ("hgetall", depth_key(slug))]
    )
    if found is None or found[0] is None:
        return None
    phase, quotes, depth = found
    return Latest(_rows(quotes), _rows(depth), _decode(phase))


def _ask_redis(questions: list[tuple[str, str]]) -> list[Any] | None:
    """The answers, all of one instant; None when Redis does not answer."""
    if not _patience.redis.allows(clock.monotonic_s()):
        return None
    try:
        with _redis().pipeline(transaction=True) as pipe:
            for command, key in questions:
                getattr(pipe, command)(key)
            answers = pipe.execute()
    except (RedisError, OSError) as error:
        _patience.redis.failed(clock.monotonic_s())
        log.warning("redis_silent", why=str(error))
        return None
    _patience.redis.succeeded()
    return answers


def _rows(found: dict[bytes, bytes]) -> dict[str, JSON]:
    return {symbol.decode(): _decode(row) for symbol, row in found.items()}


def _from_feed(world: World) -> Latest | None:
    now_s = clock.monotonic_s()
    if now_s < _patience.feed_after_s.get(world.number, 0.0):
        return None
    try:
        answer: dict[str, Any] = client.ask_sync(world.number, {"op": "latest"})
    except (FeedUnavailable, BadControl) as error:
        _patience.feed_after_s[world.number] = now_s + FEED_PAUSE_S
        log.info("feed_silent", world=world.slug, why=str(error))
        return None
    return Latest(answer["quotes"], answer["depth"], answer["phase"])
