"""`/api/v1/games`: what is played, joining, and how everybody stands."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import IDEMPOTENCY_KEY, Strict
from simgame.kernel import money
from trading import hosting, lobby, models, standings
from trading.api.door import Door, NotByKey, Problem

GAME = {200: OpenApiTypes.OBJECT, 404: Problem}


class Invitation(Strict):
    invitation = serializers.CharField(max_length=16, required=False, allow_blank=True, default="")


class NewGame(Strict):
    name = serializers.CharField(max_length=80)
    start_cash = serializers.CharField(max_length=24, required=False, default="1000000")
    ends_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class GamesQuery(Strict):
    limit = serializers.IntegerField(min_value=1, max_value=lobby.GAMES_SHOWN, default=lobby.GAMES_SHOWN)
    page_token = serializers.IntegerField(required=False, min_value=1, max_value=money.INT64_MAX)


class Games(Door):
    def get_permissions(self) -> list[BasePermission]:
        return [NotByKey() if self.request.method == "POST" else AllowAny()]

    @extend_schema(parameters=[GamesQuery], responses=OpenApiTypes.OBJECT, tags=["games"])
    def get(self, request: Request) -> Response:
        """Every public game and the caller's private ones, the newest first."""
        asked = self.query(GamesQuery)
        rows = lobby.rows(_player_id(request), asked["limit"] + 1, asked.get("page_token"))
        shown = rows[: asked["limit"]]
        after = str(shown[-1]["id"]) if len(rows) > len(shown) else None
        return Response({"games": shown, "next_page_token": after})

    @extend_schema(
        request=NewGame,
        responses={201: OpenApiTypes.OBJECT, 422: Problem},
        parameters=[IDEMPOTENCY_KEY],
        tags=["games"],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """A private game of the world that is played, not begun yet; its host alone sees the invitation."""
        return self.once(self.made)

    def made(self) -> Response:
        request = self.request
        made = hosting.make(request.user, **self.body(NewGame))
        return Response(_hosted(made, request.user.pk), status=201)


class Game(Door):
    permission_classes = (AllowAny,)

    @extend_schema(responses=GAME, tags=["games"])
    def get(self, request: Request, game: str) -> Response:
        """One game, by its number or slug."""
        self.query(Strict)
        return Response(lobby.row(lobby.find(game, _player_id(request)), _player_id(request)))


class Join(Door):
    permission_classes = (NotByKey,)

    @extend_schema(request=Invitation, responses=GAME, tags=["games"])
    def post(self, request: Request, game: str) -> Response:
        """The player's portfolio in the game, opened with its start cash. Idempotent.

        A private game asks for its invitation.
        """
        sent = self.body(Invitation)
        found = lobby.find(game, request.user.pk, sent.get("invitation", ""))
        lobby.join(request.user, found)
        return Response(lobby.row(lobby.find(game, request.user.pk), request.user.pk))


class Host(Door):
    permission_classes = (NotByKey,)

    @extend_schema(request=None, responses=GAME, tags=["games"])
    def post(self, request: Request, game: str, act: str) -> Response:
        """`start`, `pause`, `resume` or `end`: the host's word over a private game."""
        hosting.act(request.user, game, act)
        return Response(_hosted(hosting.of(request.user, game), request.user.pk))


class Export(Door):
    permission_classes = (NotByKey,)

    @extend_schema(responses=GAME, tags=["games"])
    def get(self, request: Request, game: str) -> Response:
        """Everything that happened in the host's game: players, standings, orders, fills."""
        self.query(Strict)
        return Response(hosting.export(hosting.of(request.user, game)))


def _hosted(game: models.Game, player_id: int) -> dict[str, Any]:
    return {**lobby.row(lobby.find(game.slug, player_id), player_id), "invitation": game.invitation}


class Standings(Door):
    permission_classes = (AllowAny,)

    @extend_schema(responses=GAME, tags=["games"])
    def get(self, request: Request, game: str) -> Response:
        """The ranked portfolios, best first; the asking player with its neighbours."""
        self.query(Strict)
        found = lobby.find(game, _player_id(request))
        return Response(standings.table(found, lobby.portfolio_in(found, _player_id(request))))


def _player_id(request: Request) -> int | None:
    return request.user.pk if request.user else None
