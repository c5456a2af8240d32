"""Alice's way through the API: she joins, trades, looks, leaves. A real exchange decides."""

from __future__ import annotations

import uuid
from typing import Any

from channels.db import database_sync_to_async

from simgame.switches import runtime
from tests.api.conftest import PASSWORD, joined
from tests.api.wire import Browser, Client
from trading.models import Order

BUY = {"symbol": "SHARE", "side": "buy", "type": "market", "qty": "300", "time_in_force": "day"}
REST = {
    "symbol": "SHARE",
    "side": "buy",
    "type": "limit",
    "limit_price": "9.50",
    "qty": 200,
    "time_in_force": "gtc",
}
NONSENSE = [
    *("status=maybe", "limit=0", "limit=501", "limit=x", "limit=" + "9" * 400, "after=yesterday"),
    *("direction=up", "page=2", "side=long", "symbols=" + "A," * 300),
]


async def test_alice_registers_and_has_her_cash_at_once(alice: Client) -> None:
    said = alice.said
    assert said["player"]["username"] == "Alice"
    assert said["portfolio"]["cash"] == "1000000.00"
    assert said["portfolio"]["status"] == "active"
    assert said["expires_in"] == 300
    account = (await alice.get("/v2/account")).json
    assert (account["cash"], account["equity"], account["status"]) == ("1000000.00", "1000000.00", "ACTIVE")
    uuid.UUID(account["id"])


async def test_she_buys_and_everything_shows_it(alice: Client) -> None:
    answer = await alice.post("/v2/orders", BUY)
    assert (answer.status, answer.json["status"]) == (200, "filled"), answer
    order = answer.json
    assert order["filled_avg_price"] == "10.01"
    position = (await alice.get("/v2/positions/SHARE")).json
    assert (position["qty"], position["cost_basis"]) == (
        "300",
        "3008.00",
    )  # 300 at 10.01, and the least commission
    assert (await alice.get(f"/v2/positions/{position['asset_id']}")).json == position
    assert [row["symbol"] for row in (await alice.get("/v2/positions")).json] == ["SHARE"]
    account = (await alice.get("/v2/account")).json
    assert account["cash"] == "996992.00"
    desk = (await alice.get("/api/v1/desk")).json
    assert [row["id"] for row in desk["orders"]] == [order["id"]]
    (fill,) = desk["fills"]
    receipt = (await alice.get(f"/api/v1/fills/{fill['id']}/receipt")).json
    assert receipt["receipt"]["levels"][0]["price"] == "10.01"
    assert (await alice.get(f"/api/v1/orders/{order['id']}/receipt")).json["fills"][0]["id"] == fill["id"]


async def test_a_resting_order_is_changed_and_cancelled(alice: Client) -> None:
    order = (await alice.post("/v2/orders", REST)).json
    assert (order["status"], order["limit_price"]) == ("new", "9.50")
    one = await alice.get(f"/v2/orders/{order['id']}")
    assert one.headers["etag"] == '"1"'
    stale = await alice.patch(f"/v2/orders/{order['id']}", {"limit_price": "9.60"}, if_match='"7"')
    assert (stale.status, stale.json["reason"]) == (412, "VERSION_CONFLICT")
    changed = await alice.patch(f"/v2/orders/{order['id']}", {"limit_price": "9.60"}, if_match='"1"')
    assert changed.json["limit_price"] == "9.60"
    assert (await alice.delete(f"/v2/orders/{order['id']}")).status == 204
    assert (await alice.get(f"/v2/orders/{order['id']}")).json["status"] == "canceled"
    again = await alice.delete(f"/v2/orders/{order['id']}")
    assert again.status == 409


async def test_the_same_order_twice_is_one_order(alice: Client) -> None:
    first = await alice.post("/v2/orders", REST | {"client_order_id": "mine-1"})
    again = await alice.post("/v2/orders", REST | {"client_order_id": "mine-1"})
    assert again.json == first.json
    assert again.headers["idempotent-replayed"] == "true"
    other = await alice.post("/v2/orders", REST | {"client_order_id": "mine-1", "qty": "100"})
    assert (other.status, other.json["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    found = await alice.get("/v2/orders:by_client_order_id?client_order_id=mine-1")
    assert found.json["id"] == first.json["id"]
    assert (await alice.get("/v2/orders:by_client_order_id?client_order_id=nobodys")).status == 404


async def test_her_orders_are_listed_as_she_asks(alice: Client) -> None:
    filled = (await alice.post("/v2/orders", BUY)).json["id"]
    resting = [(await alice.post("/v2/orders", REST)).json["id"] for _ in range(2)]

    async def listed(query: str) -> list[str]:
        answer = await alice.get(f"/v2/orders?{query}")
        assert answer.status == 200, answer
        return [row["id"] for row in answer.json]

    assert await listed("") == resting[::-1]
    assert await listed("status=closed") == [filled]
    assert await listed("status=all&direction=asc") == [filled, *resting]
    assert await listed("status=all&limit=1") == [resting[1]]
    assert await listed("status=all&side=sell") == []
    assert await listed("status=all&symbols=PENNY,NOPE") == []
    assert await listed("status=all&symbols=SHARE&nested=true") == [resting[1], resting[0], filled]
    assert await listed("status=all&after=2100-01-01T00:00:00Z") == []
    assert await listed("status=all&until=2020-01-01") == []


async def test_a_list_that_makes_no_sense_is_refused(alice: Client) -> None:
    for query in NONSENSE:
        answer = await alice.get(f"/v2/orders?{query}")
        assert (answer.status, answer.json["reason"]) == (422, "INVALID"), query
        assert answer.json["errors"][0]["pointer"] == "/" + query.partition("=")[0]


async def test_the_preview_tells_before_anything_happens(alice: Client) -> None:
    seen = (await alice.post("/api/v1/orders/preview", BUY)).json
    assert (seen["filled_qty"], seen["cash"], seen["average_price"]) == ("300", "3003.00", "10.01")
    assert seen["free_cash_after"] == "996992.00"
    resting = (await alice.post("/api/v1/orders/preview", REST)).json
    assert (resting["rests_qty"], resting["reserved_cash"]) == ("200", "1905.00")
    much = (await alice.post("/api/v1/orders/preview", BUY | {"qty": "200000"})).json
    assert much["refusal"]["code"] == "INSUFFICIENT_CASH"
    assert int(much["nearest"]["qty"]) < 200_000
    passed = (await alice.post("/api/v1/orders/preview", BUY | {"qty": much["nearest"]["qty"]})).json
    assert passed["refusal"] is None
    odd = await alice.post("/api/v1/orders/preview", BUY | {"qty": "x"})
    assert (odd.status, odd.json["errors"][0]["pointer"]) == (422, "/qty")
    assert not await Order.objects.aexists()


async def test_a_position_is_closed_in_parts_and_whole(alice: Client) -> None:
    assert (await alice.delete("/v2/positions/SHARE")).status == 404
    await alice.post("/v2/orders", BUY)
    for query in (
        "?qty=100&percentage=50",
        "?percentage=0",
        "?percentage=101",
        "?percentage=1",
        "?all=1",
        "?qty=-1",
    ):
        assert (await alice.delete(f"/v2/positions/SHARE{query}")).status == 422, query
    offer = (
        await alice.post("/v2/orders", BUY | {"side": "sell", "type": "limit", "limit_price": "10.90"})
    ).json
    much = await alice.delete("/v2/positions/SHARE?percentage=50")
    assert (much.status, much.json["reason"]) == (403, "INSUFFICIENT_SELLABLE"), "it is on offer"
    await alice.delete(f"/v2/orders/{offer['id']}")
    half = await alice.delete("/v2/positions/SHARE?percentage=50")
    assert (half.status, half.json["side"], half.json["qty"]) == (200, "sell", "100"), half
    assert (await alice.delete("/v2/positions/SHARE?qty=100")).json["status"] == "filled"
    rest = (await alice.delete("/v2/positions/SHARE")).json
    assert (rest["qty"], rest["status"]) == ("100", "filled")
    assert (await alice.get("/v2/positions")).json == []


async def test_legs_are_nested_when_asked_for(alice: Client) -> None:
    legs = {"take_profit": {"limit_price": "10.90"}, "stop_loss": {"stop_price": "9.10"}}
    sent = (await alice.post("/v2/orders", REST | legs | {"order_class": "bracket"})).json
    flat = (await alice.get("/v2/orders")).json
    assert sorted(order["status"] for order in flat) == ["held", "held", "new"]
    assert {order["legs"] for order in flat} == {None}
    (nested,) = (await alice.get("/v2/orders?nested=true")).json
    assert [leg["leg"] for leg in nested["legs"]] == ["take_profit", "stop_loss"]
    one = (await alice.get(f"/v2/orders/{sent['id']}?nested=true")).json
    assert one == nested == sent
    await alice.post("/v2/orders", BUY)
    bought = (await alice.post("/v2/orders", BUY | legs | {"order_class": "bracket"})).json
    assert bought["status"] == "filled"
    open_ = (await alice.get("/v2/orders?nested=true")).json  # its entry has ended: the legs stand alone
    assert {order["id"] for order in open_} == {sent["id"], *bought["leg_ids"]}


async def test_the_desk_is_sent_again_only_when_it_changed(alice: Client) -> None:
    first = await alice.get("/api/v1/desk")
    version, tag = first.json["version"], first.headers["etag"]
    for same in (
        await alice.get(f"/api/v1/desk?since={version}"),
        await alice.get("/api/v1/desk", if_none_match=tag),
    ):
        assert (same.status, same.body) == (304, b"")
    await alice.post("/v2/orders", REST)
    newer = await alice.get(f"/api/v1/desk?since={version}", if_none_match=tag)
    assert (newer.status, newer.json["version"] > version) == (200, True)


async def test_a_browser_without_a_socket_resumes(alice: Client, bob: Client) -> None:
    """The resume table for polling: what one claims to have → 304 when it stands, else the whole."""
    await alice.post("/v2/orders", REST)
    truth = (await alice.get("/api/v1/desk")).json
    version, epoch, mine = truth["version"], truth["epoch"], truth["portfolio"]["id"]
    table = {
        f"since={version}": 304,
        f"since={version}&epoch={epoch}": 304,
        f"since={version}&epoch=another-life": 200,
        f"since={version - 1}&epoch={epoch}": 200,
        f"since=0&epoch={epoch}": 200,
        f"since={version + 1}&epoch={epoch}": 200,  # the future
        f"since={2**63 - 1}&epoch={epoch}": 200,
        f"since={2**63}": 422,
        f"since=-1&epoch={epoch}": 422,
        "since=&epoch=": 422,
    }
    for claimed, status in table.items():
        said = await alice.get(f"/api/v1/desk?portfolio={mine}&{claimed}")
        assert said.status == status, claimed
        if status == 200:
            assert said.json["version"] == version, claimed
            assert said.json["orders"] == truth["orders"], claimed
    other = await bob.get(f"/api/v1/desk?portfolio={mine}&since={version}&epoch={epoch}")
    assert other.status == 404


async def test_her_bot_trades_with_a_key_until_it_is_revoked(alice: Client) -> None:
    made = (await alice.post("/api/v1/keys", {"name": "momentum"})).json
    assert made["portfolio_id"] == alice.said["portfolio"]["id"]
    bot = Client(apca_api_key_id=made["key_id"], apca_api_secret_key=made["secret"])
    assert (await bot.post("/v2/orders", BUY)).json["status"] == "filled"
    for closed in ("/api/v1/keys", "/api/v1/auth/sessions"):
        assert (await bot.get(closed)).status == 403
    assert "secret" not in (await alice.get("/api/v1/keys")).json[0]
    assert (await alice.delete(f"/api/v1/keys/{made['key_id']}")).status == 204
    assert (await alice.delete(f"/api/v1/keys/{made['key_id']}")).status == 404
    refused = await bot.post("/v2/orders", BUY)
    assert (refused.status, refused.json["reason"]) == (401, "BAD_KEY")


async def test_a_guest_plays_at_once_and_keeps_everything(board: None, exchange: Any) -> None:
    browser = Browser()
    started = await browser.post("/api/v1/auth/guest")
    assert (started.status, started.json["player"]["guest"]) == (201, True), started
    assert (await browser.post("/v2/orders", BUY)).json["status"] == "filled"
    kept = await browser.post("/api/v1/auth/keep", {"username": "Dora", "password": PASSWORD})
    assert (kept.status, kept.json["guest"]) == (200, False), kept
    assert (await browser.get("/v2/positions")).json[0]["qty"] == "300"
    bot = Client()
    pair = (await bot.post("/api/v1/auth/token", {"username": "dora", "password": PASSWORD})).json
    later = await bot.get("/v2/positions", authorization=f"Bearer {pair['access']}")
    assert later.json[0]["qty"] == "300"
    again = await browser.post("/api/v1/auth/keep", {"username": "Eve", "password": PASSWORD})
    assert (again.status, again.json["code"]) == (422, "NOT_A_GUEST")


async def test_another_site_cannot_use_her_browser(board: None, exchange: Any) -> None:
    browser = Browser()
    assert (await Client().post("/api/v1/auth/guest")).status == 403
    await browser.post("/api/v1/auth/guest")
    forms = [
        ("/v2/orders", BUY),
        ("/api/v1/auth/logout", {}),
        ("/api/v1/keys", {}),
        ("/api/v1/orders/preview", BUY),
    ]
    for url, body in forms:
        for headers in ({"x_csrftoken": "d" * 32}, {"origin": "https://evil.example"}):
            answer = await browser.post(url, body, **headers)
            assert answer.status == 403, (url, headers, answer)
            assert "CSRF_FAILED" in answer.body.decode()
        plain = await browser.post(url, b'{"a":1}', content_type="text/plain")
        assert plain.status in {403, 415}, (url, plain)
    assert (await browser.get("/v2/orders?status=all")).json == []


async def test_refresh_and_logout(alice: Client) -> None:
    said = alice.said
    second = (await Client().post("/api/v1/auth/refresh", {"refresh": said["refresh"]})).json
    assert second["refresh"] != said["refresh"]
    same = (await Client().post("/api/v1/auth/refresh", {"refresh": said["refresh"]})).json
    assert same["refresh"] == second["refresh"]
    thief = await Client(user_agent="thief").post("/api/v1/auth/refresh", {"refresh": said["refresh"]})
    assert (thief.status, thief.json["code"]) == (401, "REUSED_TOKEN")
    assert (await alice.get("/v2/account")).status == 401


async def test_she_sees_her_devices_and_signs_them_out(alice: Client, bob: Client) -> None:
    other = Client(user_agent="laptop")
    pair = (await other.post("/api/v1/auth/token", {"username": "Alice", "password": PASSWORD})).json
    other.headers["authorization"] = f"Bearer {pair['access']}"
    sessions = (await alice.get("/api/v1/auth/sessions")).json
    assert {(row["device"], row["current"]) for row in sessions} == {("wire", True), ("laptop", False)}
    laptop = next(row["id"] for row in sessions if row["device"] == "laptop")
    assert (await bob.delete(f"/api/v1/auth/sessions/{laptop}")).status == 404
    assert (await alice.delete(f"/api/v1/auth/sessions/{laptop}")).status == 204
    assert (await other.get("/v2/account")).status == 401
    assert (await alice.post("/api/v1/auth/logout")).status == 204
    assert (await alice.get("/v2/account")).status == 401


async def test_games_are_found_joined_and_ranked(alice: Client) -> None:
    (game,) = (await Client().get("/api/v1/games")).json["games"]
    assert (game["season"], game["players"], game["portfolio_id"]) == (True, 1, None)
    mine = (await alice.get(f"/api/v1/games/{game['slug']}")).json
    assert mine["portfolio_id"] == alice.said["portfolio"]["id"]
    assert (await alice.post(f"/api/v1/games/{game['id']}/join")).json == mine
    assert (await alice.get(f"/api/v1/games/{game['id']}/standings")).json["game"]["slug"] == game["slug"]
    for nowhere in ("nothing", "999999", "9" * 30):
        assert (await alice.get(f"/api/v1/games/{nowhere}")).status == 404


async def test_the_watchlist_keeps_her_order(alice: Client) -> None:
    assert (await alice.get("/api/v1/watchlist")).json == {"symbols": []}
    chosen = await alice.put("/api/v1/watchlist", {"symbols": ["SHARE", "PENNY", "SHARE"]})
    assert chosen.json == {"symbols": ["SHARE", "PENNY"]}
    assert (await alice.put("/api/v1/watchlist", {"symbols": ["NOPE"]})).status == 404
    assert (await alice.put("/api/v1/watchlist", {"symbols": "SHARE"})).status == 422
    assert (await alice.get("/api/v1/watchlist")).json == {"symbols": ["SHARE", "PENNY"]}


async def test_registering_is_limited_for_an_address(board: None, exchange: Any, settings: Any) -> None:
    settings.REGISTER_RATE = 2
    for name in ("Anna", "Bert"):
        assert (await joined(name)).said
    third = await Client().post("/api/v1/auth/register", {"username": "Cleo", "password": PASSWORD})
    assert (third.status, third.json["code"]) == (429, "RATE_LIMITED")
    assert int(third.headers["retry-after"]) > 1
    assert third.headers["ratelimit-policy"] == '"requests";q=2;w=60'


async def test_an_operator_pauses_orders_and_alice_may_still_cancel(alice: Client) -> None:
    resting = (await alice.post("/v2/orders", REST)).json
    await database_sync_to_async(runtime.set_value)("trading.accept_orders", False, "operator")
    runtime.forget()
    refused = await alice.post("/v2/orders", BUY)
    assert (refused.status, refused.json["reason"]) == (503, "ORDERS_PAUSED")
    assert refused.json["outcome"] == "not_executed"
    assert (await alice.patch(f"/v2/orders/{resting['id']}", {"qty": "100"})).status == 503
    assert (await alice.delete(f"/v2/orders/{resting['id']}")).status == 204
    await database_sync_to_async(runtime.clear)("trading.accept_orders", "operator")
    runtime.forget()
    assert (await alice.post("/v2/orders", BUY)).status == 200


async def test_an_operator_slows_orders_down(alice: Client) -> None:
    await database_sync_to_async(runtime.set_value)("trading.order_rate", 1, "operator")
    runtime.forget()
    answers = [(await alice.post("/v2/orders", REST)).status for _ in range(4)]
    assert 429 in answers
    await database_sync_to_async(runtime.clear)("trading.order_rate", "operator")
    runtime.forget()
