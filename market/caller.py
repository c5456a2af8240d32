"""Which world a request on /v2 speaks of: that of the caller's portfolio, which only trading knows."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from rest_framework.request import Request

from market import worlds
from market.models import World

Resolver = Callable[[Request], World]


def world_played(_request: Request | None = None) -> World:
    """The world that this installation plays. Raises UnknownWorld."""
    return worlds.resolve(settings.WORLD)


_resolvers: list[Resolver] = [world_played]


def register_resolver(resolver: Resolver) -> None:
    """Called by the app that knows portfolios, once, from AppConfig.ready(); the last one counts."""
    _resolvers.append(resolver)


def world_of(request: Request) -> World:
    return _resolvers[-1](request)
