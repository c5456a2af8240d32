"""`/api/v1/rights`: rights to new shares."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import IDEMPOTENCY_KEY, Strict
from trading import rights
from trading.api.door import X_PORTFOLIO, Door, Problem
from trading.gateway import parse
from trading.models import Portfolio


class Subscription(Strict):
    qty = serializers.CharField(max_length=40, help_text="Of new shares, a decimal")
    client_id = serializers.RegexField(
        r"^[A-Za-z0-9_.-]{1,48}\Z", required=False, help_text="A key: the same request again has one effect"
    )


class Rights(Door):
    @extend_schema(
        responses={200: OpenApiTypes.OBJECT, 404: Problem}, parameters=[X_PORTFOLIO], tags=["desk"]
    )
    def get(self, request: Request) -> Response:
        """The portfolio's rights that may still be used."""
        self.query(Strict)
        return Response({"rights": rights.of(self.portfolio().id)})


class Right(Door):
    @extend_schema(
        request=Subscription,
        responses={200: OpenApiTypes.OBJECT, 404: Problem, 422: Problem},
        parameters=[X_PORTFOLIO, IDEMPOTENCY_KEY],
        tags=["desk"],
    )
    def post(self, request: Request, key: str) -> Response:
        """Subscribe for new shares: rights and cash go, shares come."""
        asked, mine = self.body(Subscription), self.portfolio()
        portfolio = Portfolio.objects.select_related("game__world").get(id=mine.id)
        return Response(rights.exercise(portfolio, key, asked["qty"], asked.get("client_id") or self.key()))

    def key(self) -> str:
        """An Idempotency-Key, as the exchange names requests; "" without one."""
        header = self.request.headers.get("Idempotency-Key")
        return (parse.client_id("Idempotency-Key", header.strip().strip('"')) or "") if header else ""
