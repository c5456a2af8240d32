"""POST, PATCH and DELETE of orders over ASGI: every bad input gets a clear answer, never a 500."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async

from accounts import keys, limits
from tests.exchange import street
from trading import gateway, messages
from trading.gateway import placing
from trading.models import Order, Portfolio

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = {"symbol": "SHARE", "qty": "100", "side": "buy", "type": "limit", "limit_price": "9.00"}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any


class Bot:
    """Speaks HTTP to the gateway as a program with an API key does."""

    def __init__(self, key_id: str, secret: str):
        self.credentials = {"apca-api-key-id": key_id, "apca-api-secret-key": secret}

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"content-type": "application/json"} | self.credentials
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http", "method": method, "path": path, "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        assert gateway.matches(scope)
        await gateway.application(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        content = sent[1]["body"]
        return Reply(sent[0]["status"], found, json.loads(content) if content else None)


@pytest.fixture
def bot(exchange, world):
    limits.forget()
    alice = street.open_portfolio(world, "alice")
    key, secret = keys.make(alice.player_id, alice.id)
    return Bot(key.key_id, secret)


async def test_an_order_comes_back_in_alpacas_shape(bot):
    reply = await bot.ask("POST", "/v2/orders", GOOD | {"client_order_id": "a-1"})
    assert reply.status == 200, reply.body
    shown = {name: reply.body[name] for name in ("status", "qty", "limit_price", "client_order_id", "type")}
    assert shown == {
        "status": "new", "qty": "100", "limit_price": "9.00", "client_order_id": "a-1", "type": "limit",
    }  # fmt: skip
    assert reply.headers["etag"] == '"1"'
    assert "ratelimit" in reply.headers
    assert reply.headers["x-request-id"]


async def test_a_json_number_is_as_good_as_a_string(bot):
    reply = await bot.ask("POST", "/v2/orders", b'{"symbol":"SHARE","qty":100.0,"side":"buy",'
                          b'"type":"limit","limit_price":9.01,"time_in_force":"gtc"}')  # fmt: skip
    assert (reply.status, reply.body["limit_price"], reply.body["qty"]) == (200, "9.01", "100")


async def test_the_same_key_gives_the_same_answer(bot):
    first = await bot.ask("POST", "/v2/orders", GOOD | {"client_order_id": "twice"})
    again = await bot.ask("POST", "/v2/orders", GOOD | {"client_order_id": "twice", "qty": 100})
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    other = await bot.ask("POST", "/v2/orders", GOOD | {"client_order_id": "twice", "qty": 200})
    assert (other.status, other.body["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await Order.objects.acount() == 1


async def test_the_header_is_as_good_as_the_field(bot):
    await bot.ask("POST", "/v2/orders", GOOD, idempotency_key="k-1")
    again = await bot.ask("POST", "/v2/orders", GOOD, idempotency_key="k-1")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body["client_order_id"] == "k-1"


async def test_alice_changes_and_cancels(bot):
    order = (await bot.ask("POST", "/v2/orders", GOOD)).body
    path = f"/v2/orders/{order['id']}"
    changed = await bot.ask("PATCH", path, {"limit_price": "9.10"}, if_match='"1"')
    assert changed.status == 200, changed.body
    assert (changed.body["limit_price"], changed.body["version"]) == ("9.10", 2)
    stale = await bot.ask("DELETE", path, if_match='"1"')
    assert (stale.status, stale.body["reason"]) == (412, "VERSION_CONFLICT")
    assert (await bot.ask("DELETE", path)).status == 204
    again = await bot.ask("DELETE", path)
    assert (again.status, again.body["reason"]) == (409, "ALREADY_TERMINAL")


async def test_alice_cancels_everything(bot):
    for _ in range(3):
        await bot.ask("POST", "/v2/orders", GOOD)
    reply = await bot.ask("DELETE", "/v2/orders")
    assert (reply.status, len(reply.body)) == (207, 3)
    assert {entry["body"]["status"] for entry in reply.body} == {"canceled"}


async def test_a_rejected_order_says_why_and_shows_itself(bot):
    reply = await bot.ask("POST", "/v2/orders", GOOD | {"qty": "100000000"})
    assert (reply.status, reply.body["code"], reply.body["reason"]) == (403, 40310000, "INSUFFICIENT_CASH")
    assert reply.body["order"]["status"] == "rejected"
    assert reply.body["outcome"] == "executed"


async def test_bobs_order_looks_like_none_at_all(bot, world):
    bob = await sync_to_async(street.open_portfolio)(world, "bob")
    order = street.new_order(bob.id)
    await sync_to_async(street.ask_sync)(world.number, order)
    foreign = await bot.ask("DELETE", f"/v2/orders/{order.order_id}")
    unknown = await bot.ask("DELETE", "/v2/orders/00000000-0000-7000-8000-000000000000")
    for reply in (foreign, unknown):
        reply.body.pop("instance")
        reply.body.pop("request_id")
    assert (foreign.status, foreign.body) == (404, unknown.body)
    assert (await bot.ask("PATCH", f"/v2/orders/{order.order_id}", {"qty": "200"})).status == 404


BAD_BODIES = [
    (b"", 400, "MALFORMED", ""),
    (b"{", 400, "MALFORMED", ""),
    (b"null", 422, "INVALID", ""),
    (b"[]", 422, "INVALID", ""),
    (b"\xff\xfe", 400, "MALFORMED", ""),
    (b"[" * 30_000, 422, "INVALID", ""),
    (b'{"symbol":"SHARE","qty":' + b"[" * 30_000, 400, "MALFORMED", ""),
    (b'{"symbol":"SHARE","qty":NaN,"side":"buy","type":"market"}', 400, "MALFORMED", ""),
    (b'{"symbol":"SHARE","symbol":"A","qty":1,"side":"buy","type":"market"}', 400, "MALFORMED", "/symbol"),
    (GOOD | {"side": "hold"}, 422, "INVALID", "/side"),
    (GOOD | {"side": None}, 422, "INVALID", "/side"),
    (GOOD | {"surprise": 1}, 422, "INVALID", "/surprise"),
    (GOOD | {"status": "filled"}, 422, "INVALID", "/status"),
    ({"symbol": "SHARE"}, 422, "INVALID", "/side"),
    ({k: v for k, v in GOOD.items() if k != "qty"}, 422, "INVALID", "/qty"),
    ({k: v for k, v in GOOD.items() if k != "limit_price"}, 422, "INVALID", "/limit_price"),
    (GOOD | {"type": "market"}, 422, "INVALID", "/limit_price"),
    (GOOD | {"symbol": 7}, 422, "INVALID", "/symbol"),
    (GOOD | {"symbol": "NOPE"}, 422, "UNKNOWN_SYMBOL", "/symbol"),
    (GOOD | {"symbol": "SHARE\x00"}, 422, "UNKNOWN_SYMBOL", "/symbol"),
    (GOOD | {"symbol": "S" * 5000}, 422, "UNKNOWN_SYMBOL", "/symbol"),
    (GOOD | {"client_order_id": "x" * 49}, 422, "INVALID", "/client_order_id"),
    (GOOD | {"client_order_id": "two words"}, 422, "INVALID", "/client_order_id"),
    (GOOD | {"client_order_id": "a\x00b"}, 422, "INVALID", "/client_order_id"),
    (GOOD | {"client_order_id": "订单"}, 422, "INVALID", "/client_order_id"),
    (GOOD | {"client_order_id": 7}, 422, "INVALID", "/client_order_id"),
    (GOOD | {"type": "stop"}, 422, "INVALID", "/limit_price"),
    (GOOD | {"type": "iceberg"}, 422, "INVALID", "/type"),
    (GOOD | {"time_in_force": "opg"}, 422, "MARKET_CLOSED", None),
    (GOOD | {"time_in_force": "later"}, 422, "INVALID", "/time_in_force"),
    (GOOD | {"order_class": "bracket"}, 422, "INVALID", "/take_profit"),
    (GOOD | {"extended_hours": True}, 422, "UNSUPPORTED", "/extended_hours"),
    (GOOD | {"extended_hours": "yes"}, 422, "INVALID", "/extended_hours"),
    (GOOD | {"notional": "100"}, 422, "INVALID", "/notional"),
    (GOOD | {"stop_price": "1"}, 422, "INVALID", "/stop_price"),
    (GOOD | {"take_profit": {"limit_price": "1"}}, 422, "INVALID", "/order_class"),
    (GOOD | {"position_intent": "sell_to_open"}, 422, "INVALID", "/position_intent"),
    (GOOD | {"qty": "150"}, 422, "BAD_QTY_OR_LOT", None),
]  # fmt: skip
BAD_NUMBERS = [
    0, -1, "0", "-100", "", " ", "abc", True, False, [], {}, "NaN", "Infinity", "-inf", "1e400", 1e300,
    "1e-400", "0x10", "1_000", "１００", "100.5", 100.5, "9" * 50, 2**63, "9223372036854775808",
    "1,000", "--1", "1e5e",
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "reason", "pointer"), BAD_BODIES)
async def test_it_refuses_bad_orders(bot, body, status, reason, pointer):
    reply = await bot.ask("POST", "/v2/orders", body)
    assert (reply.status, reply.body["reason"]) == (status, reason), reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.body["message"]
    assert pointer is None or reply.body["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("field", ["qty", "limit_price"])
async def test_it_refuses_numbers_that_are_none(bot, field):
    for value in BAD_NUMBERS:
        if field == "limit_price" and value in ("100.5", 100.5):
            continue
        limits.forget()
        reply = await bot.ask("POST", "/v2/orders", GOOD | {field: value})
        assert (reply.status, reply.body["reason"]) == (422, "INVALID"), (value, reply.body)
        assert reply.body["errors"][0]["pointer"] == f"/{field}", value
    assert await Order.objects.acount() == 0


async def test_it_refuses_more_digits_than_the_tick_has(bot):
    reply = await bot.ask("POST", "/v2/orders", GOOD | {"limit_price": "9.001"})
    assert (reply.status, reply.body["errors"][0]["pointer"]) == (422, "/limit_price")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("DELETE", "/v2/orders/7", None, {}, 404),
        ("DELETE", "/v2/orders/not-a-uuid-but-36-characters-longish", None, {}, 404),
        ("PATCH", "/v2/orders/00000000-0000-7000-8000-000000000000", {}, {}, 422),
        ("PATCH", "/v2/orders/00000000-0000-7000-8000-000000000000", {"trail": 1}, {}, 404),
        ("DELETE", "/v2/orders/00000000-0000-7000-8000-000000000000", None, {"if_match": "new"}, 422),
        ("POST", "/v2/orders", GOOD, {"content_type": "text/plain"}, 415),
        ("POST", "/v2/orders", b"x" * 70_000, {}, 413),
        ("POST", "/v2/orders", GOOD, {"apca_api_secret_key": "wrong"}, 401),
        ("POST", "/v2/orders", GOOD, {"x_portfolio": "999999"}, 404),
        ("POST", "/v2/orders", GOOD | {"client_order_id": "a"}, {"idempotency_key": "b"}, 422),
    ],
)
async def test_it_refuses_bad_calls(bot, method, path, body, headers, status):
    reply = await bot.ask(method, path, body, **headers)
    assert reply.status == status, reply.body
    assert reply.body["outcome"] == "not_executed"


async def test_too_many_orders_a_second_must_wait(bot, settings):
    settings.ORDER_RATE = 2
    replies = [await bot.ask("POST", "/v2/orders", GOOD) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert int(replies[2].headers["retry-after"]) >= 1


async def test_many_who_order_a_forgotten_instrument_ask_for_it_once(bot, monkeypatch):
    await bot.ask("POST", "/v2/orders", GOOD)
    asked, made = [], messages.scale_of
    monkeypatch.setattr(messages, "scale_of", lambda found: asked.append(found.symbol) or made(found))
    placing.scales.forget()
    replies = await asyncio.gather(*[bot.ask("POST", "/v2/orders", GOOD) for _ in range(8)])
    assert [reply.status for reply in replies] == [200] * 8
    assert asked == ["SHARE"]


async def test_without_an_exchange_nothing_was_executed(bot, exchange):
    exchange.stop()
    reply = await bot.ask("POST", "/v2/orders", GOOD)
    assert (reply.status, reply.body["reason"]) == (503, "ENGINE_RECOVERING")
    assert reply.body["outcome"] == "not_executed"
    assert reply.headers["retry-after"]


SELL = {"symbol": "SHARE", "qty": "100", "side": "sell", "time_in_force": "gtc"}
LEGS = {"take_profit": {"limit_price": "10.80"}, "stop_loss": {"stop_price": "9.50"}}


async def test_alices_bracket_shows_its_legs(bot):
    reply = await bot.ask(
        "POST", "/v2/orders", GOOD | LEGS | {"order_class": "bracket", "limit_price": "9.90"}
    )
    assert (reply.status, reply.body["order_class"], reply.body["status"]) == (200, "bracket", "new")
    profit, loss = reply.body["legs"]
    assert (profit["type"], profit["limit_price"], profit["status"]) == ("limit", "10.80", "held")
    assert (loss["type"], loss["stop_price"], loss["parent_id"]) == ("stop", "9.50", reply.body["id"])
    assert reply.body["leg_ids"] == [profit["id"], loss["id"]]


async def test_alices_stop_trails_and_she_tightens_it(bot):
    await bot.ask("POST", "/v2/orders", GOOD | {"limit_price": "10.01"})
    stop = await bot.ask("POST", "/v2/orders", SELL | {"type": "trailing_stop", "trail_percent": "5"})
    assert (stop.status, stop.body["stop_price"], stop.body["hwm"]) == (200, "9.50", "10.00"), stop.body
    tighter = await bot.ask("PATCH", f"/v2/orders/{stop.body['id']}", {"trail": "2"})
    assert (tighter.body["trail_percent"], tighter.body["stop_price"]) == ("2", "9.80"), tighter.body
    wrong = await bot.ask("PATCH", f"/v2/orders/{stop.body['id']}", {"stop_price": "9"})
    assert (wrong.status, wrong.body["reason"]) == (422, "UNSUPPORTED")


def a_print_of_ten(feed, world):
    told = street.status(world)["tick_seq"]
    feed.trade(1000)
    street.wait_for(lambda: street.status(world)["tick_seq"] > told, "the print")


async def test_what_only_the_exchange_knows_names_its_field_too(bot, feed, world):
    await sync_to_async(a_print_of_ten)(feed, world)
    passed = GOOD | {"type": "stop_limit", "stop_price": "9.00"}  # the price is 10.00 already
    over = GOOD | {"time_in_force": "gtd", "expires_at": "2020-01-01T00:00:00Z"}
    for body, reason, pointer in (
        (passed, "PRICE_OUT_OF_BAND", "/stop_price"),
        (over, "BAD_EXPIRY", "/expires_at"),
        ({k: v for k, v in GOOD.items() if k != "qty"} | {"notional": "5"}, "BAD_QTY_OR_LOT", "/qty"),
        (SELL | LEGS | {"type": "limit", "limit_price": "10", "order_class": "bracket"}, "INVALID", "/take"),
    ):
        limits.forget()
        reply = await bot.ask("POST", "/v2/orders", body)
        assert (reply.status, reply.body["reason"]) == (422, reason), reply.body
        assert reply.body["errors"][0]["pointer"].startswith(pointer), reply.body


async def test_a_key_that_may_only_look_sends_no_order(bot, exchange):
    alice = await Portfolio.objects.aget(player__username="alice")
    key, secret = await sync_to_async(keys.make)(alice.player_id, alice.id, scopes=["read"])
    for method, path in (
        ("POST", "/v2/orders"),
        ("DELETE", "/v2/orders"),
        ("DELETE", f"/v2/orders/{uuid4()}"),
    ):
        refused = await Bot(key.key_id, secret).ask(method, path, GOOD if method == "POST" else None)
        assert (refused.status, refused.body["reason"]) == (403, "MISSING_SCOPE")
        assert "scope trade" in refused.body["detail"]
    assert not await Order.objects.aexists()
