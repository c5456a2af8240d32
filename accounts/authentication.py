"""Django REST Framework asks here: request.user is the Player, request.auth the Identity."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import identity
from accounts.identity import Identity
from accounts.models import Player


class PlayerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Player, Identity] | None:
        """None for a request that presents nothing; a bad credential is refused, never ignored."""
        if not identity.presents_credential(request._request):
            return None
        known = identity.known_of_request(request._request)
        return known.player, known.identity

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="simgame"'
