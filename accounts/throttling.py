"""Rate limits for DRF views. Their headers on every answer: accounts.doors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import limits, logins
from simgame.kernel.errors import RateLimited

if TYPE_CHECKING:  # DRF's views import this module while they are made
    from rest_framework.views import APIView


class PlayerThrottle(BaseThrottle):
    """REQUEST_RATE requests a second for a player, and for an address that nobody signed in from."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        player = request.user
        who = f"player:{player.pk}" if player else f"address:{logins.address_of(request._request)}"
        spend(request, f"requests:{who}", settings.REQUEST_RATE)
        return True


def spend(request: Request, key: str, rate: int, window_s: int = 1) -> None:
    """One attempt of `key`. Raises RateLimited with the headers that say when to come back."""
    allowance = limits.take(key, rate, window_s)
    request._request.allowance = allowance  # type: ignore[attr-defined]  for RateLimitHeaders
    if not allowance.ok:
        raise RateLimited(
            f"At most {rate} in {window_s} s: try again in {allowance.reset_s:.1f} s.",
            headers=allowance.headers(),
            limit=rate,
            window_s=window_s,
        )
