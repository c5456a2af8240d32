"""How often somebody may do something: one number per key, in this process.

The bucket is the generic cell rate algorithm (ITU-T I.371): `_until[key]` is the instant at which
the bucket would be full again. Forged or countless keys cost one float each, and full buckets are
forgotten.
"""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

from simgame.kernel import clock

KEYS_MAX: Final = 100_000
_until: dict[str, float] = {}
_lock = threading.Lock()  # views run in threads: of two who see one last attempt, one gets it


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


def _forget_full(now: float) -> None:
    for key in [key for key, full_at in _until.items() if full_at <= now]:
        del _until[key]
    if len(_until) >= KEYS_MAX:  # an attack with countless keys: begin again rather than grow
        _until.clear()


def forget() -> None:
    """For tests: everybody's bucket is full."""
    _until.clear()
