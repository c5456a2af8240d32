"""Who is at the other end of a WebSocket: lends the sockets our ways of knowing players."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts import identity
from accounts.identity import Identity
from realtime import degrade
from realtime.degrade import Degrade
from realtime.identity import Who, register
from simgame.kernel.errors import Unauthenticated
from simgame.switches import runtime


def register_identities() -> None:
    """Called once, by the roof."""
    register(_by_scope, _by_token, _revoked)


def register_switches() -> None:
    """Called once, by the roof."""
    degrade.register(_degrade)


async def _degrade() -> Degrade:
    paused = str(await runtime.aget("stream.paused_kinds"))
    return Degrade(int(await runtime.aget("stream.conflate_ms")), frozenset(paused.split()))


async def _by_scope(scope: Mapping[str, Any]) -> Who | None:
    """A browser with a session, or a bot that sends its headers with the handshake."""
    try:
        return _who(await identity.identify(scope))
    except Unauthenticated:
        return None


async def _by_token(token: str) -> Who | None:
    """An access token, or `<key id>:<secret>` of an API key."""
    key_id, colon, secret = token.partition(":")
    try:
        if colon:
            return _who(await identity.identify_key(key_id, secret))
        return _who(await identity.identify_token(token))
    except Unauthenticated:
        return None


async def _revoked(who: Who) -> bool:
    return await identity.ended(who.player_id, who.session)


def _who(known: Identity) -> Who | None:
    """A key speaks for its one portfolio; a player for all of theirs (checked per topic). A key that may not
    read hears nothing."""
    if "read" not in known.scopes:
        return None
    portfolios = frozenset() if known.portfolio_id is None else frozenset({known.portfolio_id})
    return Who(known.player_id, known.session, portfolios)
