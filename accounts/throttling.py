"""Rate limits for DRF views. Their headers on every answer: accounts.doors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import limits, logins
from accounts.limits import Bucket
from simgame.kernel.errors import RateLimited

if TYPE_CHECKING:  # DRF's views import this module while they are made
    from rest_framework.views import APIView


class PlayerThrottle(BaseThrottle):
    """REQUEST_RATE requests a second for a player and for each of their keys; ADDRESS_RATE for everybody
    behind one address, REQUEST_RATE where nobody signed in."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        address = f"requests:address:{logins.address_of(request._request)}"
        if not request.user:
            _spend(request, [Bucket(address, settings.REQUEST_RATE)])
            return True
        mine = [Bucket(f"requests:player:{request.user.pk}", settings.REQUEST_RATE)]
        if key := getattr(request.auth, "key_id", None):
            mine.append(Bucket(f"requests:key:{key}", settings.REQUEST_RATE))
        _spend(request, [*mine, Bucket(f"{address}:signed-in", settings.ADDRESS_RATE)])
        return True


def spend(request: Request, key: str, rate: int, window_s: int = 1) -> None:
    """One attempt of `key`. Raises RateLimited with the headers that say when to come back."""
    _spend(request, [Bucket(key, rate, window_s)])


def _spend(request: Request, buckets: list[Bucket]) -> None:
    allowance = limits.take_all(buckets)
    request._request.allowance = allowance  # type: ignore[attr-defined]  for RateLimitHeaders
    if not allowance.ok:
        raise RateLimited(
            f"At most {allowance.limit} in {allowance.window_s} s: try again in {allowance.reset_s:.1f} s.",
            headers=allowance.headers(),
            limit=allowance.limit,
            window_s=allowance.window_s,
        )
