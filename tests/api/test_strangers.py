"""Bob finds nothing of Alice's, whatever address he tries; nobody at all finds less."""

from __future__ import annotations

import json
import uuid

import pytest
from django.db.models import QuerySet

from tests.api.test_journey import BUY, REST
from tests.api.wire import Answer, Client


def told(answer: Answer) -> dict[str, object]:
    """What a stranger learns, without what he said himself."""
    said = json.loads(answer.body)
    return {name: value for name, value in said.items() if name not in ("instance", "request_id")}


async def test_what_is_alices_does_not_exist_for_bob(alice: Client, bob: Client) -> None:
    filled, resting = (await alice.post("/v2/orders", BUY)).json, (await alice.post("/v2/orders", REST)).json
    await alice.post("/v2/orders", REST | {"client_order_id": "hers"})
    fill = (await alice.get("/api/v1/desk")).json["fills"][0]
    key = (await alice.post("/api/v1/keys", {})).json["key_id"]
    nobody = str(uuid.uuid4())
    for method, hers, nobodys, body in [
        ("GET", f"/v2/orders/{resting['id']}", f"/v2/orders/{nobody}", None),
        ("PATCH", f"/v2/orders/{resting['id']}", f"/v2/orders/{nobody}", {"qty": "100"}),
        ("DELETE", f"/v2/orders/{resting['id']}", f"/v2/orders/{nobody}", None),
        ("DELETE", f"/v2/orders/{filled['id']}", f"/v2/orders/{nobody}", None),
        ("GET", f"/api/v1/orders/{filled['id']}/receipt", f"/api/v1/orders/{nobody}/receipt", None),
        ("GET", f"/api/v1/fills/{fill['id']}/receipt", "/api/v1/fills/1/receipt", None),
        ("DELETE", f"/api/v1/keys/{key}", "/api/v1/keys/SGNOBODY", None),
        (
            "GET",
            "/v2/orders:by_client_order_id?client_order_id=hers",
            "/v2/orders:by_client_order_id?client_order_id=nobodys",
            None,
        ),
        ("GET", "/v2/positions/SHARE", "/v2/positions/NOPE", None),
    ]:
        theirs, missing = await bob.ask(method, hers, body), await bob.ask(method, nobodys, body)
        assert (theirs.status, told(theirs)) == (404, told(missing)), (method, hers)
    assert (await alice.get(f"/v2/orders/{resting['id']}")).json["status"] == "new"


async def test_bob_cannot_borrow_alices_portfolio(alice: Client, bob: Client) -> None:
    hers = str(alice.said["portfolio"]["id"])
    for method, url, body in [
        ("GET", "/v2/account", None),
        ("GET", "/v2/orders", None),
        ("POST", "/v2/orders", BUY),
        ("DELETE", "/v2/orders", None),
        ("GET", "/api/v1/desk", None),
        ("GET", "/api/v1/watchlist", None),
        ("PUT", "/api/v1/watchlist", {"symbols": []}),
        ("POST", "/api/v1/keys", {}),
        ("POST", "/api/v1/orders/preview", BUY),
    ]:
        theirs = await bob.ask(method, url, body, x_portfolio=hers)
        missing = await bob.ask(method, url, body, x_portfolio="999999999")
        assert (theirs.status, told(theirs)) == (404, told(missing)), (method, url)
        odd = await bob.ask(method, url, body, x_portfolio="' OR 1=1")
        assert odd.status == 422, (method, url)
    assert (await bob.get(f"/api/v1/desk?portfolio={hers}")).status == 404


async def test_a_key_does_not_leave_its_portfolio(alice: Client, bob: Client) -> None:
    made = (await alice.post("/api/v1/keys", {})).json
    bot = Client(apca_api_key_id=made["key_id"], apca_api_secret_key=made["secret"])
    assert (await bot.get("/v2/account", x_portfolio=str(made["portfolio_id"]))).status == 200
    assert (await bot.get("/v2/account", x_portfolio=str(bob.said["portfolio"]["id"]))).status == 404


async def test_nobody_in_particular_is_asked_to_sign_in(alice: Client) -> None:
    stranger = Client()
    nobody = str(uuid.uuid4())
    for method, url in [
        *(
            ("GET", url)
            for url in ("/v2/account", "/v2/orders", "/v2/positions", "/v2/account/configurations")
        ),
        *(
            ("GET", url)
            for url in ("/api/v1/desk", "/api/v1/keys", "/api/v1/watchlist", "/api/v1/auth/sessions")
        ),
        *(
            ("POST", url)
            for url in ("/v2/orders", "/api/v1/keys", "/api/v1/orders/preview", "/api/v1/auth/keep")
        ),
        *(("DELETE", url) for url in ("/v2/orders", f"/v2/orders/{nobody}", "/v2/positions/SHARE")),
        ("PATCH", f"/v2/orders/{nobody}"),
    ]:
        answer = await stranger.ask(method, url, {} if method in ("POST", "PATCH") else None)
        assert (answer.status, answer.headers.get("www-authenticate")) == (401, 'Bearer realm="simgame"'), url
        assert answer.headers["content-type"] == "application/problem+json"


OWNERS = ("portfolio", "portfolio_id", "player", "player_id", "account", "host", "host_id")


async def test_the_second_wall_holds_where_the_first_is_taken_away(
    alice: Client, bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every query forgets to ask whose: what Bob finds is his own, or nothing."""
    filled, resting = (await alice.post("/v2/orders", BUY)).json, (await alice.post("/v2/orders", REST)).json
    fill = (await alice.get("/api/v1/desk")).json["fills"][0]
    note = (await alice.post("/api/v1/journal", {"text": "a secret"})).json
    await alice.post("/api/v1/keys", {"name": "hers"})
    hers = str(alice.said["portfolio"]["id"])
    ask, dropped = QuerySet._filter_or_exclude_inplace, []

    def forgetful(rows: QuerySet, negate: bool, args: tuple, asked: dict) -> None:
        dropped.extend(asked.keys() & set(OWNERS))
        ask(rows, negate, args, {name: value for name, value in asked.items() if name not in OWNERS})

    monkeypatch.setattr(QuerySet, "_filter_or_exclude_inplace", forgetful)
    for method, url, body in [
        ("GET", f"/v2/orders/{resting['id']}", None),
        ("PATCH", f"/v2/orders/{resting['id']}", {"qty": "100"}),
        ("DELETE", f"/v2/orders/{filled['id']}", None),
        ("GET", f"/api/v1/orders/{filled['id']}/receipt", None),
        ("GET", f"/api/v1/fills/{fill['id']}/receipt", None),
        ("PATCH", f"/api/v1/journal/{note['id']}", {"text": "read", "version": 1}),
        ("DELETE", f"/api/v1/journal/{note['id']}", None),
    ]:
        assert (await bob.ask(method, url, body, if_match='"1"')).status == 404, (method, url)
    assert (await bob.get("/v2/account", x_portfolio=hers)).status == 404
    assert (await bob.get("/v2/orders")).json == []
    assert (await bob.get("/v2/positions")).json == []
    for url in ("/api/v1/desk", "/api/v1/journal", "/api/v1/keys", "/api/v1/auth/sessions"):
        answer = await bob.get(url)
        assert answer.status == 200, url
        assert b"secret" not in answer.body and b"hers" not in answer.body and b"Alice" not in answer.body, (
            url
        )
    assert {"portfolio_id", "player_id"} <= set(dropped), "the first wall was there to take away"
    assert (await alice.get(f"/v2/orders/{resting['id']}")).json["status"] == "new"
