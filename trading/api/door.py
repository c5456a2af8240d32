"""The base of trading's doors: which portfolio a request speaks for, and who may manage an account."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import doors
from trading import portfolios
from trading.portfolios import PortfolioRef

X_PORTFOLIO = OpenApiParameter(
    "X-Portfolio", int, OpenApiParameter.HEADER, description="Which portfolio; else the one in the Season."
)


class Problem(serializers.Serializer):
    """RFC 9457, application/problem+json. On /v2 `code` is an integer and `reason` the stable code."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    errors = serializers.ListField(child=serializers.DictField())
    outcome = serializers.ChoiceField(["executed", "not_executed", "unknown"])
    request_id = serializers.CharField()


class NotByKey(IsAuthenticated):
    """An API key trades for its portfolio; it does not manage the account it was lent by."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and request.auth.how != "key"


class Door(doors.Door):
    def next_page(self, after: str) -> dict[str, str]:
        """`Link` (RFC 8288) where a list goes on after this token: for answers that are plain lists."""
        if not after:
            return {}
        asked = self.request.query_params.copy()
        asked["page_token"] = after
        return {"Link": f'<{self.request.path}?{asked.urlencode()}>; rel="next"'}

    def portfolio(self, wanted: str | None = None) -> PortfolioRef:
        """`wanted` (a query parameter) or `X-Portfolio`, else the key's or the Season's."""
        return portfolios.portfolio_for_sync(self.identity, wanted or self.request.headers.get("X-Portfolio"))
