"""`/v2/…` for bots: account, positions and orders as Alpaca's clients read them."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import Strict
from trading import alpaca
from trading.api.door import X_PORTFOLIO, Door, Problem

ONE = {200: OpenApiTypes.OBJECT, 401: Problem, 404: Problem}
MANY = {200: OpenApiTypes.OBJECT, 401: Problem, 422: Problem}
SYMBOLS_MAX = 200


class Words(serializers.CharField):
    """A comma-separated list."""

    def to_internal_value(self, data: object) -> list[str]:  # type: ignore[override]
        words = [word.strip() for word in super().to_internal_value(data).split(",") if word.strip()]
        if len(words) > SYMBOLS_MAX:
            raise serializers.ValidationError(f"At most {SYMBOLS_MAX} symbols.")
        return words


class OrdersQuery(Strict):
    status = serializers.ChoiceField(["open", "closed", "all"], default="open")
    limit = serializers.IntegerField(min_value=1, max_value=alpaca.ORDERS_MAX, default=50)
    after = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)
    direction = serializers.ChoiceField(["asc", "desc"], default="desc")
    nested = serializers.BooleanField(required=False, help_text="Legs under the order they came with")
    page_token = serializers.UUIDField(
        required=False, help_text="The id of the last order seen; Link says the next page"
    )
    symbols = Words(required=False, max_length=5000)
    side = serializers.ChoiceField(["buy", "sell"], required=False)


class NestedQuery(Strict):
    nested = serializers.BooleanField(required=False, help_text="With its legs under `legs`")


class ClientIdQuery(Strict):
    client_order_id = serializers.CharField(max_length=48)


class Account(Door):
    @extend_schema(responses=ONE, parameters=[X_PORTFOLIO], tags=["v2 account"])
    def get(self, request: Request) -> Response:
        """Cash, equity and buying power of the portfolio."""
        return Response(alpaca.account(self.portfolio().id))


class OrderByClientId(Door):
    @extend_schema(responses=ONE, parameters=[ClientIdQuery, X_PORTFOLIO], tags=["v2 orders"])
    def get(self, request: Request) -> Response:
        """One order by the name that its sender gave it."""
        asked = self.query(ClientIdQuery)["client_order_id"]
        return Response(alpaca.order_by_client_id(self.portfolio().id, asked))
