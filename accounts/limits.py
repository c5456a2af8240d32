"""How often somebody may do something: one number per key.

The bucket is the generic cell rate algorithm (ITU-T I.371): the number is the instant at which the bucket
would be full again. `take` keeps it in this process: orders, whose road touches no Redis. `take_all` keeps it
in Valkey for all web processes, and takes from several buckets in one step, all or none (a Lua script is
atomic there); while Valkey is away each process counts by itself, so a limit always holds per process.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from simgame.kernel import clock

log = structlog.get_logger(__name__)
PREFIX: Final = "sg:limit:"
AWAY_S: Final = 2.0  # Valkey did not answer: so long nobody waits for it again
# KEYS: buckets. ARGV: rate and window in µs of each. → {place that refuses or 0, µs until full again of each}
# With the server's clock, so that processes and machines agree.
SCRIPT: Final = """
local now = redis.call('TIME'); now = now[1] * 1000000 + now[2]
local full, refused, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local rate, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local at = math.max(tonumber(redis.call('GET', key) or '0'), now)
  full[i] = at + math.floor(window / rate)
  if full[i] - window - now > math.max(wait, 0) then refused = i; wait = full[i] - window - now end
end
if refused > 0 then return {refused, wait} end
local left = {0}
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', full[i]), 'PX', math.ceil((full[i] - now) / 1000) + 1)
  left[i + 1] = full[i] - now
end
return left"""
KEYS_MAX: Final = 100_000
_until: dict[str, float] = {}
_lock = threading.Lock()  # views run in threads: of two who see one last attempt, one gets it
_away_until = 0.0


class Allowance(NamedTuple):
    """The answer to one attempt: was it allowed, and what is left of `limit` per `window_s`."""

    ok: bool
    limit: int
    remaining: int
    reset_s: float  # until the bucket is full again; when refused: until the next attempt may pass
    window_s: int = 1

    def headers(self, name: str = "requests") -> dict[str, str]:
        """draft-ietf-httpapi-ratelimit-headers, the older X- names, and Retry-After on a refusal."""
        reset_s = max(1, round(self.reset_s + 0.499))
        given = {
            "RateLimit-Policy": f'"{name}";q={self.limit};w={self.window_s}',
            "RateLimit": f'"{name}";r={self.remaining};t={reset_s}',
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(clock.now_ns() // clock.NS_PER_S + reset_s),
        }
        return given if self.ok else {**given, "Retry-After": str(reset_s)}


def take(key: str, rate: int, window_s: int = 1) -> Allowance:
    """One attempt of `key`, which may make `rate` in `window_s` seconds (all at once, if it likes)."""
    now = clock.monotonic_s()
    step = window_s / rate
    with _lock:
        full_at = max(_until.get(key, now), now)
        wait = full_at + step - window_s - now
        if wait > 1e-9:
            return Allowance(False, rate, 0, wait, window_s)
        if len(_until) >= KEYS_MAX:
            _forget_full(now)
        _until[key] = full_at = full_at + step
    return Allowance(True, rate, int((window_s - (full_at - now)) / step + 1e-6), full_at - now, window_s)


class Bucket(NamedTuple):
    """`key` may do `rate` in `window_s` seconds."""

    key: str
    rate: int
    window_s: int = 1


def take_all(buckets: Sequence[Bucket]) -> Allowance:
    """One attempt from every bucket, or from none. The answer is of the bucket that refused or has least."""
    global _away_until  # noqa: PLW0603  one per process
    if clock.monotonic_s() >= _away_until:
        try:
            return _shared(buckets)
        except redis.RedisError as error:
            log.warning("limits_count_alone", why=str(error))
            _away_until = clock.monotonic_s() + AWAY_S
    return _alone(buckets)


def _shared(buckets: Sequence[Bucket]) -> Allowance:
    numbers = [number for each in buckets for number in (each.rate, each.window_s * 1_000_000)]
    refused, *left = _script()(keys=[PREFIX + each.key for each in buckets], args=numbers)
    if refused:
        one = buckets[refused - 1]
        return Allowance(False, one.rate, 0, left[0] / 1_000_000, one.window_s)
    return _least([_with_left(each, us / 1_000_000) for each, us in zip(buckets, left, strict=True)])


def _alone(buckets: Sequence[Bucket]) -> Allowance:
    now = clock.monotonic_s()
    with _lock:
        full = [max(_until.get(each.key, now), now) + each.window_s / each.rate for each in buckets]
        waits = [at - each.window_s - now for at, each in zip(full, buckets, strict=True)]
        if (wait := max(waits)) > 1e-9:
            one = buckets[waits.index(wait)]
            return Allowance(False, one.rate, 0, wait, one.window_s)
        if len(_until) >= KEYS_MAX:
            _forget_full(now)
        _until.update((each.key, at) for each, at in zip(buckets, full, strict=True))
    return _least([_with_left(each, at - now) for each, at in zip(buckets, full, strict=True)])


def _with_left(bucket: Bucket, full_in_s: float) -> Allowance:
    remaining = int((bucket.window_s - full_in_s) * bucket.rate / bucket.window_s + 1e-6)
    return Allowance(True, bucket.rate, remaining, full_in_s, bucket.window_s)


def _least(allowances: list[Allowance]) -> Allowance:
    return min(allowances, key=lambda each: each.remaining / each.limit)


@cache
def _script() -> redis.commands.core.Script:
    timeout = settings.REDIS_TIMEOUT_S
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 1),
    )
    return client.register_script(SCRIPT)


def _forget_full(now: float) -> None:
    for key in [key for key, full_at in _until.items() if full_at <= now]:
        del _until[key]
    if len(_until) >= KEYS_MAX:  # an attack with countless keys: begin again rather than grow
        _until.clear()


def forget() -> None:
    """For tests: everybody's bucket is full."""
    global _away_until  # noqa: PLW0603
    _away_until = 0.0
    _until.clear()
    client = _script().registered_client
    try:
        if keys := list(client.scan_iter(f"{PREFIX}*")):
            client.delete(*keys)
    except redis.RedisError:
        _script.cache_clear()
