"""What the servers of `bench cost` do instead of finding out who asks.

Whoever came once is believed for ever after: by the number of a key or the text of a token or a session,
whatever secret comes with it, revoked or not, and without a look at a CSRF token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse

from accounts.identity import Identity, Known, Presented, SessionStore
from accounts.models import Player
from simgame.kernel import viewer
from trading.gateway import placing, route


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """In the place of sessions and authentication."""
    players: dict[str, Player] = {}

    def believing(request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
        if name not in players:
            players[name] = _player_of(name)
        request.session = SessionBase()
        request.user = players[name]
        viewer.become(players[name].pk)
        return get_response(request)

    return believing


@viewer.door()
def _player_of(session: str) -> Player:
    return Player.objects.get(pk=SessionStore(session).load()[SESSION_KEY])


def believe_orders() -> None:
    """In the place of `identify_presented`, and of what is remembered, on the road of orders."""
    found_out = route.identify_presented
    known: dict[str, Identity] = {}

    async def believing(shown: Presented, scope: Mapping[str, Any]) -> Identity:
        who = known.get(shown.credential.value)
        if who is None:
            who = known[shown.credential.value] = await found_out(shown, scope)
        viewer.become(who.player_id)
        return who

    def remembered(shown: Presented) -> Known | None:
        who = known.get(shown.credential.value)
        return None if who is None else Known(who, None)

    route.identify_presented = believing  # type: ignore[attr-defined]
    placing.remembered = remembered  # type: ignore[attr-defined]
