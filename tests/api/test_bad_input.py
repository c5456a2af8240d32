"""Whatever is sent, the answer is a clear no: never a fault of ours, never a guess."""

from __future__ import annotations

import json
from typing import Any

from tests.api.conftest import PASSWORD
from tests.api.test_journey import BUY, REST
from tests.api.wire import Client
from trading.models import Order

ODD: list[Any] = [
    *(
        None,
        True,
        [],
        {},
        "",
        " ",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "1e-400",
        "0x10",
        "１２",
        "1_000",
    ),
    *(0, -1, 2**63, 2**200, 0.1, 1e300, "0", "-1", "100.5", "9" * 400, "\x00", "x" * 5000, "<b>", "'; --"),
]
FIELDS = ("symbol", "side", "type", "qty", "limit_price", "time_in_force", "client_order_id")
MASS = {
    "status": "filled",
    "portfolio_id": 1,
    "filled_qty": "1",
    "version": 9,
    "id": "x",
    "fees": "0",
    "is_staff": 1,
}

NO_ORDER = [
    b"{",
    b"nope",
    b"[" * 60_000,
    b'{"symbol": NaN}',
    b"\xff\xfe{}",
    b'{"qty":1,"qty":2}',
    b"[]",
    b'""',
    b"1",
]
ADDRESSES = [
    *("/v2/orders/x", "/v2/orders/%00", "/v2/orders/" + "x" * 3000, "/v2/positions/%F0%9F%A6%84"),
    *("/v2/positions/a%00b", "/api/v1/orders/x/receipt", "/api/v1/fills/" + "9" * 40 + "/receipt"),
    *(
        "/api/v1/fills/-1/receipt",
        "/api/v1/desk?since=x",
        "/api/v1/desk?since=-1",
        "/api/v1/desk?portfolio=x",
        "/api/v1/games?limit=a",
        "/api/v1/games/season-street/standings?cursor=x",
    ),
    *("/api/v1/games/%00", "/api/v1/games/x/standings", "/api/v1/desk?nope=1", "/v2/orders?limit[]=1"),
    *("/v2/orders:by_client_order_id", "/v2/orders:by_client_order_id?client_order_id=%00"),
]


async def test_no_odd_value_in_any_field_of_an_order_is_a_fault(alice: Client, settings: Any) -> None:
    settings.ORDER_RATE = settings.REQUEST_RATE = 100_000
    for field in FIELDS:
        for value in ODD:
            for url in ("/v2/orders", "/api/v1/orders/preview"):
                answer = await alice.post(url, REST | {field: value})
                assert answer.status < 500, (url, field, value, answer)
                if answer.status >= 400:
                    said = answer.json
                    assert said["detail"], said
                    assert said["request_id"], said
    allowed = {"REJECTED", "rejected", "new"}
    assert {status async for status in Order.objects.values_list("status", flat=True)} <= allowed


async def test_a_field_that_is_not_the_callers_is_refused(alice: Client, settings: Any) -> None:
    settings.REGISTER_RATE = settings.ORDER_RATE = settings.REQUEST_RATE = 100_000
    for url, body in [
        ("/v2/orders", BUY),
        ("/api/v1/keys", {"name": "x"}),
        ("/api/v1/auth/register", {"username": "Mallory", "password": PASSWORD}),
        ("/api/v1/orders/preview", BUY),
    ]:
        for field, value in MASS.items():
            answer = await alice.post(url, body | {field: value})
            assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, f"/{field}"), (url, answer)


async def test_what_is_no_order_at_all_is_refused(alice: Client, settings: Any) -> None:
    settings.ORDER_RATE = settings.REQUEST_RATE = 100_000
    for url in ("/v2/orders", "/api/v1/orders/preview", "/api/v1/keys", "/api/v1/auth/keep"):
        for raw in NO_ORDER:
            answer = await alice.post(url, raw)
            assert answer.status in {400, 422}, (url, raw[:20], answer)


async def test_a_body_without_end_is_not_read(alice: Client) -> None:
    big = json.dumps(BUY | {"symbol": "x" * 400_000}).encode()
    for url in ("/v2/orders", "/api/v1/orders/preview", "/api/v1/keys", "/api/v1/auth/token"):
        assert (await alice.post(url, big)).status == 413, url


async def test_no_odd_address_is_a_fault(alice: Client, settings: Any) -> None:
    settings.REQUEST_RATE = 100_000
    for path in ADDRESSES:
        answer = await alice.get(path)
        assert answer.status in {400, 404, 422}, (path, answer)
        assert answer.headers["content-type"] == "application/problem+json", path


async def test_what_the_exchange_refuses_names_the_field(alice: Client) -> None:
    for field, value, reason in [
        ("symbol", "NOPE", "UNKNOWN_SYMBOL"),
        ("qty", "150", "BAD_QTY_OR_LOT"),
        ("limit_price", "99", "PRICE_OUT_OF_BAND"),
        ("qty", "1000000", "INSUFFICIENT_CASH"),
    ]:
        answer = await alice.post("/v2/orders", REST | {field: value})
        assert (answer.json["reason"], answer.json["errors"][0]["pointer"]) == (reason, f"/{field}"), answer
