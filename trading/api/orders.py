"""Orders for the schema, and their preview.

`POST PATCH DELETE /v2/orders…` are answered by trading.gateway in front of Django. These views document
them and call the same verbs; a test holds both to the same answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar

import msgspec
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.doors import IDEMPOTENCY_KEY, IF_MATCH, Strict
from simgame import problem
from simgame.kernel.errors import SimGameError
from trading import alpaca, gateway
from trading.api.door import X_PORTFOLIO, Door, Problem
from trading.api.preview import previewed
from trading.api.v2 import MANY, ONE, NestedQuery, OrdersQuery
from trading.gateway import Answer, Call, parse, terms
from trading.gateway.placing import Rejected
from trading.gateway.route import BODY_BYTES_MAX

WRITES = [X_PORTFOLIO, IDEMPOTENCY_KEY]
Verb = Callable[[Call], Awaitable[Answer]]


class TakeProfitForm(serializers.Serializer):
    limit_price = serializers.CharField()


class StopLossForm(serializers.Serializer):
    stop_price = serializers.CharField()
    limit_price = serializers.CharField(required=False, help_text="Then it is a stop limit order")


class OrderForm(serializers.Serializer):
    """What trading.gateway.parse reads. Numbers are decimal strings or JSON numbers."""

    symbol = serializers.CharField()
    qty = serializers.CharField(required=False, help_text="This or notional")
    notional = serializers.CharField(required=False, help_text="Money to spend or raise, in whole lots")
    side = serializers.ChoiceField(parse.SIDES)
    type = serializers.ChoiceField(parse.TYPES)
    time_in_force = serializers.ChoiceField(parse.TIMES, default="day")
    limit_price = serializers.CharField(required=False, help_text="Of a limit or stop_limit order")
    stop_price = serializers.CharField(required=False, help_text="Of a stop or stop_limit order")
    trail_price = serializers.CharField(required=False, help_text="Of a trailing_stop: how far behind")
    trail_percent = serializers.CharField(required=False, help_text="Or so many percent behind")
    fired_by = serializers.ChoiceField(terms.FIRED_BY, default="print", help_text="What sets a stop off")
    expires_at = serializers.CharField(required=False, help_text="Of a gtd order: RFC 3339, world time")
    post_only = serializers.BooleanField(default=False, help_text="Canceled where it would trade at once")
    reduce_only = serializers.BooleanField(default=False, help_text="Never more than closes what is held")
    order_class = serializers.ChoiceField(terms.CLASSES, default="simple")
    take_profit = TakeProfitForm(required=False, help_text="Leg of a bracket or oto; the order of an oco")
    stop_loss = StopLossForm(required=False, help_text="Leg of a bracket, oto or oco")
    position_intent = serializers.CharField(
        required=False, help_text="A guard: buy_to_open, sell_to_close, … or …_to_close_today"
    )
    client_order_id = serializers.CharField(required=False, max_length=48)


class ReplaceForm(serializers.Serializer):
    qty = serializers.CharField(required=False, help_text="The new total, filled part included")
    limit_price = serializers.CharField(required=False)
    time_in_force = serializers.ChoiceField(terms.MAY_REST, required=False)
    stop_price = serializers.CharField(required=False, help_text="While it waits for it")
    trail = serializers.CharField(required=False, help_text="Price or percentage, as the order trails")
    expires_at = serializers.CharField(required=False, help_text="Of a gtd order")


class CloseQuery(Strict):
    qty = serializers.CharField(required=False, max_length=40)
    percentage = serializers.CharField(
        required=False, max_length=40, help_text="0 to 100; rounded down to lots"
    )


class CloseAllQuery(Strict):
    cancel_orders = serializers.BooleanField(default=False, help_text="Cancel every open order first")


class RawJson(BaseParser):
    """The gateway's own parser reads the bytes."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> bytes:
        return stream.read(BODY_BYTES_MAX + 1)


class OrderDoor(Door):
    parser_classes = (RawJson,)

    def get_throttles(self) -> list[Any]:
        return super().get_throttles() if self.request.method == "GET" else []  # verbs have their own limit

    def ask(self, verb: Verb, order_id: str = "") -> HttpResponse:
        """One verb of the gateway, and its answer as the gateway sends it."""
        return self.answered(verb, self.call(order_id))

    def call(self, order_id: str = "", body: bytes | None = None) -> Call:
        headers = {name.lower(): value for name, value in self.request.headers.items()}
        return Call(self.identity, headers, self.raw() if body is None else body, order_id)

    def answered(self, verb: Verb, call: Call) -> HttpResponse:
        try:
            answer = async_to_sync(verb)(call)
        except Rejected as rejected:
            return self.rejected(rejected)
        shown = HttpResponse(answer.content, status=answer.status, headers=answer.headers)
        if not answer.content:
            del shown["Content-Type"]
        return shown

    def raw(self) -> bytes:
        body = self.request.data or b""
        if len(body) > BODY_BYTES_MAX:
            raise problem.TooLarge(f"A body may have {BODY_BYTES_MAX} bytes.")
        return body

    def rejected(self, rejected: Rejected) -> HttpResponse:
        shown = problem.response(
            rejected.refusal, self.request._request, outcome="executed", order=rejected.order
        )
        for name, value in rejected.headers.items():
            shown[name] = value
        return shown


class Orders(OrderDoor):
    @extend_schema(responses=MANY, parameters=[OrdersQuery, X_PORTFOLIO], tags=["v2 orders"])
    def get(self, request: Request) -> Response:
        """The portfolio's orders, the newest first unless told otherwise."""
        found, after = alpaca.orders(self.portfolio().id, self.query(OrdersQuery))
        return Response(found, headers=self.next_page(after))

    @extend_schema(
        request=OrderForm,
        responses={**ONE, 403: Problem, 422: Problem},
        parameters=WRITES,
        tags=["v2 orders"],
    )
    def post(self, request: Request) -> HttpResponse:
        """A new order. The same `client_order_id` and fields again give the first order."""
        return self.ask(gateway.place)

    @extend_schema(responses={207: OpenApiTypes.OBJECT}, parameters=WRITES, tags=["v2 orders"])
    def delete(self, request: Request) -> HttpResponse:
        """Cancel every open order."""
        return self.ask(gateway.cancel_all)


class Order(OrderDoor):
    @extend_schema(responses=ONE, parameters=[NestedQuery, X_PORTFOLIO], tags=["v2 orders"])
    def get(self, request: Request, order_id: str) -> Response:
        """One order; its ETag is its version."""
        with_legs = self.query(NestedQuery).get("nested", False)
        found = alpaca.order(self.portfolio().id, order_id, with_legs=with_legs)
        return Response(found, headers={"ETag": f'"{found["version"]}"'})

    @extend_schema(
        request=ReplaceForm,
        responses={**ONE, 412: Problem},
        parameters=[*WRITES, IF_MATCH],
        tags=["v2 orders"],
    )
    def patch(self, request: Request, order_id: str) -> HttpResponse:
        """Change quantity, prices or time in force; the order keeps its id."""
        return self.ask(gateway.replace, order_id)

    @extend_schema(
        responses={204: None, 404: Problem, 412: Problem}, parameters=[*WRITES, IF_MATCH], tags=["v2 orders"]
    )
    def delete(self, request: Request, order_id: str) -> HttpResponse:
        """Cancel one order."""
        return self.ask(gateway.cancel, order_id)


class Positions(OrderDoor):
    @extend_schema(responses=MANY, parameters=[X_PORTFOLIO], tags=["v2 positions"])
    def get(self, request: Request) -> Response:
        """What the portfolio holds."""
        return Response(alpaca.positions(self.portfolio().id))

    @extend_schema(
        responses={207: OpenApiTypes.OBJECT, 422: Problem},
        parameters=[CloseAllQuery, X_PORTFOLIO],
        tags=["v2 positions"],
    )
    def delete(self, request: Request) -> Response:
        """Sell everything at the market: one entry per position, with its order or why there is none."""
        if self.query(CloseAllQuery)["cancel_orders"]:
            self.answered(gateway.cancel_all, self.unkeyed(b""))
        held = alpaca.positions(self.portfolio().id)
        return Response([self.closed(row["symbol"]) for row in held], status=207)

    def closed(self, symbol: str) -> dict[str, Any]:
        try:
            answer = self.answered(partial(gateway.close, symbol=symbol), self.unkeyed(b""))
        except SimGameError as refusal:
            answer = problem.response(refusal, self.request._request)
        said = msgspec.json.decode(answer.content)
        order = said if answer.status_code == 200 else said.get("order") or {}
        return {"symbol": symbol, "status": answer.status_code, "order_id": order.get("id"), "body": said}

    def unkeyed(self, body: bytes) -> Call:
        """One Idempotency-Key cannot stand for several orders."""
        call = self.call(body=body)
        return call._replace(
            headers={name: value for name, value in call.headers.items() if name != "idempotency-key"}
        )


class Position(OrderDoor):
    @extend_schema(responses=ONE, parameters=[X_PORTFOLIO], tags=["v2 positions"])
    def get(self, request: Request, symbol: str) -> Response:
        """One position, by symbol or asset id."""
        return Response(alpaca.position(self.portfolio().id, symbol))

    @extend_schema(responses={**ONE, 422: Problem}, parameters=[CloseQuery, *WRITES], tags=["v2 positions"])
    def delete(self, request: Request, symbol: str) -> HttpResponse:
        """Sell it at the market: all that may be sold now, `qty`, or `percentage` of it."""
        of_asset = alpaca.symbol_of(self.portfolio().id, symbol)
        return self.ask(partial(gateway.close, symbol=of_asset, **self.query(CloseQuery)))


class Preview(OrderDoor):
    scopes: ClassVar[dict[str, str]] = {"POST": "read"}
    get_throttles = Door.get_throttles  # it changes nothing: limited as a read

    @extend_schema(
        request=OrderForm,
        responses={200: OpenApiTypes.OBJECT, 422: Problem},
        parameters=[X_PORTFOLIO],
        tags=["desk"],
    )
    def post(self, request: Request) -> Response:
        """What the order would do now; what would refuse it, and the nearest that passes."""
        return Response(async_to_sync(previewed)(self.portfolio(), self.raw()))
