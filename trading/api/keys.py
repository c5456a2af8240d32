"""`/api/v1/keys`: API keys for bots. A key belongs to one portfolio; its secret is shown once."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import keys
from accounts.doors import Strict
from accounts.models import ApiKey
from trading.api.door import X_PORTFOLIO, Door, NotByKey, Problem


class KeyForm(Strict):
    name = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")


class KeyAnswer(serializers.Serializer):
    key_id = serializers.CharField()
    portfolio_id = serializers.IntegerField()
    name = serializers.CharField()
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
        name = self.body(KeyForm)["name"]
        key, secret = keys.make(self.identity.player_id, self.portfolio().id, name)
        return Response({**_key(key), "secret": secret}, status=201)


class Key(Door):
    permission_classes = (NotByKey,)

    @extend_schema(responses={204: None, 404: Problem}, tags=["keys"])
    def delete(self, request: Request, key_id: str) -> Response:
        """The key works no more."""
        keys.revoke(self.identity.player_id, key_id)
        return Response(status=204)


def _key(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in ("key_id", "portfolio_id", "name", "created_at", "used_at")}
