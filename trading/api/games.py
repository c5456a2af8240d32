"""`/api/v1/games`: what is played, joining, and how everybody stands."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Strict
from trading import lobby, queries
from trading.api.door import Door, NotByKey, Problem

GAME = {200: OpenApiTypes.OBJECT, 404: Problem}


class Games(Door):
    permission_classes = (AllowAny,)

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=["games"])
    def get(self, request: Request) -> Response:
        """Every public game, the running ones first."""
        self.query(Strict)
        return Response({"games": lobby.rows(_player_id(request))})


class Game(Door):
    permission_classes = (AllowAny,)

    @extend_schema(responses=GAME, tags=["games"])
    def get(self, request: Request, game: str) -> Response:
        """One game, by its number or slug."""
        self.query(Strict)
        return Response(lobby.row(lobby.find(game), _player_id(request)))


class Join(Door):
    permission_classes = (NotByKey,)

    @extend_schema(request=None, responses=GAME, tags=["games"])
    def post(self, request: Request, game: str) -> Response:
        """The player's portfolio in the game, opened with its start cash. Idempotent."""
        lobby.join(request.user, lobby.find(game))
        return Response(lobby.row(lobby.find(game), request.user.pk))


class Standings(Door):
    permission_classes = (AllowAny,)

    @extend_schema(responses=GAME, tags=["games"])
    def get(self, request: Request, game: str) -> Response:
        """The ranked portfolios, best first; the asking player with its neighbours."""
        self.query(Strict)
        found = lobby.find(game)
        return Response(queries.standings(found, lobby.portfolio_in(found, _player_id(request))))


def _player_id(request: Request) -> int | None:
    return request.user.pk if request.user else None
