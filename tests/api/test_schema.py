"""The documents say what the doors do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver

from simgame import asgi
from tests.api.test_journey import BUY, REST
from tests.api.wire import Answer, Client


def routes(patterns: list[Any]) -> list[str]:
    return [
        route
        for pattern in patterns
        for route in (
            [str(pattern.pattern)] if isinstance(pattern, URLPattern) else routes(pattern.url_patterns)
        )
    ]


async def test_the_schema_names_every_address_of_the_api(board: None) -> None:
    schema = (await Client().get("/api/schema/", accept="application/vnd.oai.openapi+json")).json
    assert schema["openapi"].startswith("3.1")
    served = {
        "/" + re.sub(r"<(\w+:)?(\w+)>", r"{\2}", route) for route in routes(get_resolver().url_patterns)
    }
    api = {route for route in served if route.startswith(("/api/v1/", "/v2/"))}
    assert api <= set(schema["paths"])
    assert set(schema["paths"]["/v2/orders"]) == {"get", "post", "delete"}
    order = schema["paths"]["/v2/orders"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert order == {"$ref": "#/components/schemas/OrderForm"}
    assert set(schema["components"]["schemas"]["OrderForm"]["required"]) == {"symbol", "side", "type"}


BRACKET = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "10.90"},
    "stop_loss": {"stop_price": "9.10"},
}
CASES: list[tuple[str, str, Any, dict[str, str]]] = [
    ("POST", "/v2/orders", BUY, {}),
    ("POST", "/v2/orders", REST | {"client_order_id": "twice"}, {}),
    ("POST", "/v2/orders", BUY | {"qty": "50"}, {}),
    ("POST", "/v2/orders", BUY | {"qty": "9000000"}, {}),
    ("POST", "/v2/orders", BUY | {"qty": "x"}, {}),
    ("POST", "/v2/orders", BUY | {"symbol": "NOPE"}, {}),
    ("POST", "/v2/orders", BUY | {"post_only": True}, {}),
    ("POST", "/v2/orders", REST | BRACKET, {}),
    ("POST", "/v2/orders", REST | BRACKET | {"stop_loss": {"stop_price": "11"}}, {}),
    ("POST", "/v2/orders", REST | {"client_order_id": "leg-1"}, {}),
    ("POST", "/v2/orders", b"{", {}),
    ("POST", "/v2/orders", b'{"a":1}', {"content_type": "text/plain"}),
    ("PATCH", "/v2/orders/{order}", {"limit_price": "9.60"}, {}),
    ("PATCH", "/v2/orders/{order}", {"limit_price": "9.60"}, {"if_match": '"1"'}),
    ("PATCH", "/v2/orders/{order}", {}, {}),
    ("PATCH", "/v2/orders/nope", {"qty": "1"}, {}),
    ("DELETE", "/v2/orders/{order}", None, {}),
    ("DELETE", "/v2/orders/{order}", None, {}),
    ("DELETE", "/v2/orders", None, {}),
]


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Choose the road that orders take: the gateway's, or the documented views behind it."""
    real = asgi.gateway.matches

    def choose(road: str) -> None:
        monkeypatch.setattr(asgi.gateway, "matches", real if road == "gateway" else lambda _: False)

    return choose


async def test_the_hot_road_and_the_documented_one_answer_the_same(
    alice: Client, bob: Client, through: Callable[[str], None]
) -> None:
    seen: dict[str, list[tuple[Any, ...]]] = {}
    for road, client in (("gateway", alice), ("views", bob)):
        through(road)
        order = (await client.post("/v2/orders", REST)).json["id"]
        seen[road] = [
            comparable(await client.ask(method, url.format(order=order), body, **headers))
            for method, url, body, headers in CASES
        ]
    for case, hot, documented in zip(CASES, seen["gateway"], seen["views"], strict=True):
        assert hot == documented, case


OWN = ("id", "client_order_id", "parent_id", "leg_ids", "portfolio_id", "request_id", "instance")


def comparable(answer: Answer) -> tuple[Any, ...]:
    """The answer without what differs between two players."""
    said = answer.json if answer.body else None
    return answer.status, _plain(said), answer.headers.get("etag"), answer.headers.get("content-type")


def _plain(said: Any) -> Any:
    if isinstance(said, list):
        return [_plain(row) for row in said]
    if not isinstance(said, dict):
        return said
    return {
        name: _plain(value) for name, value in said.items() if name not in OWN and not name.endswith("_at")
    }
