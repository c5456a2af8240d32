"""`/api/v1/auth/…`: join, sign in, keep a guest, refresh, sign out, see one's devices."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import factors, identity, logins, players, tokens
from accounts.doors import Strict
from accounts.models import Login, Player
from accounts.signing import PUBLISHED_S, keyring
from accounts.throttling import spend
from accounts.tokens import Pair
from simgame.kernel import money
from trading import games
from trading.api.door import Door, NotByKey, Problem
from trading.models import Portfolio

SIGN_INS_A_MINUTE: Final = 20  # per address, as on the sign-in page


class Registration(Strict):
    username = serializers.CharField(max_length=200)
    password = serializers.CharField(max_length=2000, trim_whitespace=False)
    email = serializers.CharField(max_length=254, required=False, allow_blank=True, default="")


class Credentials(Strict):
    username = serializers.CharField(max_length=200)
    password = serializers.CharField(max_length=2000, trim_whitespace=False)


class TokenForm(Credentials):
    code = serializers.CharField(
        max_length=64,
        required=False,
        allow_blank=True,
        default="",
        help_text="Of the authenticator app, or a recovery code",
    )


class RefreshForm(Strict):
    refresh = serializers.CharField(max_length=5000)


class LogoutForm(Strict):
    refresh = serializers.CharField(max_length=5000, required=False)


class Nothing(Strict):
    pass


class PairAnswer(serializers.Serializer):
    access = serializers.CharField(help_text="RS256; for `Authorization: Bearer`")
    refresh = serializers.CharField(help_text="Good for one refresh")
    expires_in = serializers.IntegerField(help_text="Seconds that `access` lives")


class PlayerAnswer(serializers.Serializer):
    id = serializers.IntegerField()
    username = serializers.CharField()
    guest = serializers.BooleanField()


class PortfolioAnswer(serializers.Serializer):
    id = serializers.IntegerField()
    game = serializers.CharField()
    cash = serializers.CharField()
    currency = serializers.CharField()
    status = serializers.CharField()


class GuestAnswer(serializers.Serializer):
    player = PlayerAnswer()
    portfolio = PortfolioAnswer()


class RegistrationAnswer(PairAnswer, GuestAnswer):
    pass


class WebKeyAnswer(serializers.Serializer):
    kty = serializers.ChoiceField(["RSA"])
    use = serializers.ChoiceField(["sig"])
    alg = serializers.ChoiceField(["RS256"])
    kid = serializers.CharField(help_text="The `kid` in the head of a token that this key verifies")
    n = serializers.CharField(help_text="Modulus, base64url")
    e = serializers.CharField(help_text="Exponent, base64url")


class KeySetAnswer(serializers.Serializer):
    keys = WebKeyAnswer(many=True)


class SessionAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["browser", "token"])
    device = serializers.CharField()
    address = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField()
    current = serializers.BooleanField(help_text="The one that asks")


class Open(Door):
    """Doors that need no sign-in. A credential that is sent is not looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def limited(self, what: str, rate_a_minute: int) -> None:
        """Raises RateLimited: people behind one address share `rate_a_minute`."""
        spend(self.request, f"{what}:{logins.address_of(self.request._request)}", rate_a_minute, 60)


class KeySet(Open):
    @extend_schema(responses=KeySetAnswer, tags=["auth"])
    def get(self, request: Request) -> Response:
        """The public keys of our access tokens, as a JSON Web Key Set (RFC 7517)."""
        kept = {"Cache-Control": f"public, max-age={PUBLISHED_S}"}
        return Response(keyring.jwks(), headers=kept)


class Register(Open):
    @extend_schema(request=Registration, responses={201: RegistrationAnswer, 422: Problem}, tags=["auth"])
    def post(self, request: Request) -> Response:
        """A new player, who has joined the running Season."""
        self.limited("register", settings.REGISTER_RATE)
        device, address = logins.device_of(request._request)
        player = players.register(**self.body(Registration), address=address)
        factors.remember_address(request._request, player)
        joined = _joined(player, games.join(player, games.running_season()))
        return Response({**joined, **_pair(tokens.issue(player, device, address))}, status=201)


class Guest(Open):
    @extend_schema(request=Nothing, responses={201: GuestAnswer, 403: Problem}, tags=["auth"])
    def post(self, request: Request) -> Response:
        """A guest in this browser, who has joined the running Season."""
        identity.check_csrf(request._request)
        self.limited("register", settings.REGISTER_RATE)
        self.body(Nothing)
        player = players.start_guest(address=logins.address_of(request._request))
        logins.sign_in(request._request, player)
        return Response(_joined(player, games.join(player, games.running_season())), status=201)


class Keep(Door):
    permission_classes = (NotByKey,)

    @extend_schema(request=Registration, responses={200: PlayerAnswer, 422: Problem}, tags=["auth"])
    def post(self, request: Request) -> Response:
        """The guest chooses name and password, and keeps everything."""
        player = players.keep_guest(request.user.pk, **self.body(Registration))
        factors.remember_address(request._request, player)
        if self.identity.how == "session":
            logins.keep_signed_in(request._request, player)
        return Response(_player(player))


class Token(Open):
    @extend_schema(request=TokenForm, responses={200: PairAnswer, 401: Problem}, tags=["auth"])
    def post(self, request: Request) -> Response:
        """Sign a program in."""
        self.limited("sign-in", SIGN_INS_A_MINUTE)
        asked = self.body(TokenForm)
        code = asked.pop("code")
        player = players.authenticate(**asked)
        factors.check(player, code)
        return Response(_pair(tokens.issue(player, *logins.device_of(request._request))))


class Refresh(Open):
    @extend_schema(request=RefreshForm, responses={200: PairAnswer, 401: Problem}, tags=["auth"])
    def post(self, request: Request) -> Response:
        """The next pair. Within 10 s the same device gets the same again; a later reuse signs it out."""
        text = self.body(RefreshForm)["refresh"]
        return Response(_pair(tokens.refresh(text, *logins.device_of(request._request))))


class Logout(Door):
    permission_classes = (AllowAny,)

    @extend_schema(request=LogoutForm, responses={204: None, 401: Problem}, tags=["auth"])
    def post(self, request: Request) -> Response:
        """Ends the sign-in of the refresh token, or else of the request itself."""
        if text := self.body(LogoutForm).get("refresh"):
            tokens.revoke(text)
        elif request.auth and request.auth.how == "session":
            logins.sign_out(request._request)
        elif request.auth and request.auth.login_id:
            logins.revoke(request.auth.player_id, request.auth.login_id, "signed out")
        return Response(status=204)


class Sessions(Door):
    permission_classes = (NotByKey,)

    @extend_schema(responses=SessionAnswer(many=True), tags=["auth"])
    def get(self, request: Request) -> Response:
        """Where the player is signed in, the latest used first."""
        mine = logins.of_player(self.identity.player_id)
        return Response([_session(login, self.identity.login_id) for login in mine])

    @extend_schema(responses={204: None}, tags=["auth"])
    def delete(self, request: Request) -> Response:
        """Sign out everywhere, here too."""
        players.sign_out_everywhere(self.identity.player_id, "revoked by the player")
        return Response(status=204)


class Session(Door):
    permission_classes = (NotByKey,)

    @extend_schema(responses={204: None, 404: Problem}, tags=["auth"])
    def delete(self, request: Request, login_id: uuid.UUID) -> Response:
        """Sign one device out."""
        logins.revoke(self.identity.player_id, login_id)
        return Response(status=204)


def _joined(player: Player, portfolio: Portfolio) -> dict[str, Any]:
    game = portfolio.game
    cash = money.show(game.start_cash, money.CURRENCY_EXPONENT[game.currency])
    return {
        "player": _player(player),
        "portfolio": {
            "id": portfolio.pk,
            "game": game.slug,
            "cash": cash,
            "currency": game.currency,
            "status": portfolio.status,
        },
    }


def _player(player: Player) -> dict[str, Any]:
    return {"id": player.pk, "username": player.username, "guest": player.guest}


def _pair(pair: Pair) -> dict[str, Any]:
    return {"access": pair.access, "refresh": pair.refresh, "expires_in": pair.expires_in}


def _session(login: Login, current: uuid.UUID | None) -> dict[str, Any]:
    names = ("id", "kind", "device", "address", "created_at", "used_at")
    return {**{name: getattr(login, name) for name in names}, "current": login.pk == current}
