"""`/api/v1/keys`: API keys for bots. A key belongs to one portfolio; its secret is shown once."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import keys
from accounts.doors import Strict
from accounts.models import ApiKey, Scope
from trading.api.door import X_PORTFOLIO, Door, NotByKey, Problem


class KeyForm(Strict):
    name = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(Scope.values), allow_empty=False, max_length=2, required=False,
        default=list(Scope.values), help_text="`read` to look, `trade` to change something",
    )  # fmt: skip
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Works until it is revoked when not given"
    )


class KeyAnswer(serializers.Serializer):
    key_id = serializers.CharField()
    portfolio_id = serializers.IntegerField()
    name = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.values))
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    used_at = serializers.DateTimeField(allow_null=True)


class NewKeyAnswer(KeyAnswer):
    secret = serializers.CharField(help_text="Shown this once")


class Keys(Door):
    permission_classes = (NotByKey,)

    @extend_schema(responses=KeyAnswer(many=True), tags=["keys"])
    def get(self, request: Request) -> Response:
        """The keys that work, the newest first."""
        return Response([_key(key) for key in keys.of_player(self.identity.player_id)])

    @extend_schema(
        request=KeyForm, responses={201: NewKeyAnswer, 422: Problem}, parameters=[X_PORTFOLIO], tags=["keys"]
    )
    def post(self, request: Request) -> Response:
        """A key for the portfolio."""
        asked = self.body(KeyForm)
        key, secret = keys.make(self.identity.player_id, self.portfolio().id, **asked)
        return Response({**_key(key), "secret": secret}, status=201)


class Key(Door):
    permission_classes = (NotByKey,)

    @extend_schema(responses={204: None, 404: Problem}, tags=["keys"])
    def delete(self, request: Request, key_id: str) -> Response:
        """The key works no more."""
        keys.revoke(self.identity.player_id, key_id)
        return Response(status=204)


def _key(key: ApiKey) -> dict[str, Any]:
    shown = ("key_id", "portfolio_id", "name", "expires_at", "created_at", "used_at")
    return {name: getattr(key, name) for name in shown} | {"scopes": key.scopes.split()}
