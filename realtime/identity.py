"""Who is at the other end of a socket. `accounts` registers how to find out; we only carry it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Who:
    """A signed-in player. `session` names the session, token family or API key that let them in."""

    player_id: int
    session: str
    portfolio_ids: frozenset[int] = frozenset()

    @property
    def key(self) -> str:
        """Equal for all sockets that one revocation closes."""
        return f"{self.player_id}:{self.session}"


@dataclass(frozen=True)
class Authentication:
    """How to find out (all async, all may raise: the socket is told UNAVAILABLE).

    by_scope   (ASGI scope) → Who of the session cookie, or None
    by_token   (token) → Who, or None when the token is not valid
    revoked    (who) → has the session or key been revoked since
    """

    by_scope: Callable[[Mapping[str, Any]], Awaitable[Who | None]]
    by_token: Callable[[str], Awaitable[Who | None]]
    revoked: Callable[[Who], Awaitable[bool]]


async def _nobody(_: Any) -> None:
    return None


async def _never(_: Who) -> bool:
    return False


_NOBODY_SIGNS_IN = Authentication(_nobody, _nobody, _never)
_registered: list[Authentication] = []


def register(
    authenticate_scope: Callable[[Mapping[str, Any]], Awaitable[Who | None]],
    authenticate_token: Callable[[str], Awaitable[Who | None]],
    revoked: Callable[[Who], Awaitable[bool]] = _never,
) -> None:
    """Called in the owning app's `AppConfig.ready()`; the last call holds. Until then everybody is
    anonymous."""
    _registered[:] = [Authentication(authenticate_scope, authenticate_token, revoked)]


def authentication() -> Authentication:
    return _registered[0] if _registered else _NOBODY_SIGNS_IN
