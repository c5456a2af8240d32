"""Rate limits for DRF views, and their headers on every answer."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from accounts import limits, logins
from simgame.kernel.errors import RateLimited


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


class RateLimitHeaders(APIView):
    """Base of views whose answers say how much of the limit is left."""

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        final = super().finalize_response(request, response, *args, **kwargs)
        if allowance := getattr(request._request, "allowance", None):
            for name, value in allowance.headers().items():
                final.headers.setdefault(name, value)
        return final
