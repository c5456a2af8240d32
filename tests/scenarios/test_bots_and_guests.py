"""A bot with an API key, in Alpaca's words; and a guest in a browser who keeps the account."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.scenarios.people import PASSWORD, Client, D, Person
from tests.scenarios.town import Town


@pytest.fixture
def alice(town: Town, seeded: str) -> Person:
    return Person(town, "Alice")


@pytest.fixture
def bot(town: Town, alice: Person) -> Client:
    made = alice.ask("POST", "/api/v1/keys", {"name": "momentum"})
    assert made.status == 201, made
    keys = {"APCA_API_KEY_ID": made.json["key_id"], "APCA_API_SECRET_KEY": made.json["secret"]}
    return Client(town, **keys)


def test_a_bot_reads_account_clock_assets_and_quotes(bot: Client, alice: Person) -> None:
    account = bot.read("/v2/account")
    assert (account["status"], account["cash"], account["buying_power"]) == (
        "ACTIVE",
        "1000000.00",
        "1000000.00",
    )
    assert account["account_number"] == str(alice.portfolio)
    assert bot.read("/v2/clock")["is_open"] is True
    assets = bot.read("/v2/assets?status=active")
    assert len(assets) >= 24
    assert {asset["class"] for asset in assets} == {"us_equity"}
    assert bot.read("/v2/assets/ALB") == next(asset for asset in assets if asset["symbol"] == "ALB")
    quotes = bot.read("/v2/stocks/quotes/latest?symbols=ALB,BHG")["quotes"]
    assert set(quotes) == {"ALB", "BHG"}
    assert D(quotes["ALB"]["bp"]) < D(quotes["ALB"]["ap"])
    assert set(bot.read("/v2/stocks/trades/latest?symbols=ALB")["trades"]) <= {"ALB"}
    assert bot.read("/v2/stocks/bars?symbols=ALB&timeframe=1Day&start=2020-01-01")["bars"]["ALB"]


def test_a_bot_trades_replaces_cancels_and_closes(bot: Client, alice: Person) -> None:
    bought = bot.ask("POST", "/v2/orders", market("buy", "300"))
    assert (bought.status, bought.json["status"]) == (200, "filled"), bought
    (position,) = bot.read("/v2/positions")
    assert (position["symbol"], position["qty"], position["side"]) == ("ALB", "300", "long")
    assert D(position["cost_basis"]) == 300 * D(bought.json["filled_avg_price"]) + D(bought.json["fees"])
    assert bot.read("/v2/positions/ALB")["asset_id"] == position["asset_id"]

    quote = alice.read("/api/v1/quotes?symbols=ALB")["quotes"]["ALB"]
    low, high = quote["limit_low"], quote["limit_high"]
    name = str(uuid.uuid4())
    limit = market("buy", "100") | {"type": "limit", "limit_price": low, "client_order_id": name}
    resting = bot.ask("POST", "/v2/orders", limit).json
    changed = bot.ask("PATCH", f"/v2/orders/{resting['id']}", {"qty": "200"})
    assert (changed.status, changed.json["qty"], changed.json["status"]) == (200, "200", "new"), changed
    assert [order["id"] for order in bot.read("/v2/orders?status=open")] == [resting["id"]]
    assert bot.read(f"/v2/orders:by_client_order_id?client_order_id={name}")["qty"] == "200"
    assert bot.ask("DELETE", f"/v2/orders/{resting['id']}").status == 204
    assert bot.read(f"/v2/orders/{resting['id']}")["status"] == "canceled"

    for _ in range(2):
        bot.ask("POST", "/v2/orders", limit | {"client_order_id": str(uuid.uuid4())})
    swept = bot.ask("DELETE", "/v2/orders")
    assert (swept.status, [entry["status"] for entry in swept.json]) == (207, [200, 200]), swept
    half = bot.ask("DELETE", "/v2/positions/ALB?percentage=34")
    assert (half.status, half.json["side"], half.json["qty"], half.json["status"]) == (
        200,
        "sell",
        "100",
        "filled",
    )
    bot.ask("POST", "/v2/orders", market("sell", "100") | {"type": "limit", "limit_price": high})
    (rest,) = bot.ask("DELETE", "/v2/positions").json  # what is on offer already is not sold twice
    assert (rest["symbol"], rest["status"], rest["body"]["qty"]) == ("ALB", 200, "100"), rest
    whole = bot.ask("DELETE", "/v2/positions?cancel_orders=true")
    assert (whole.status, [entry["status"] for entry in whole.json]) == (207, [200]), whole
    assert whole.json[0]["body"]["id"] == whole.json[0]["order_id"]
    assert bot.read("/v2/positions") == []
    assert len(bot.read("/v2/orders?status=closed&limit=500")) == 8
    # The player sees what the bot did: it is the same portfolio.
    assert {order["id"] for order in alice.desk()["orders"]} >= {bought.json["id"], resting["id"]}


def test_a_key_opens_nothing_but_trading_and_dies_at_once(bot: Client, alice: Person) -> None:
    assert bot.get("/api/v1/keys").status == 403
    assert bot.ask("POST", "/api/v1/keys", {}).status == 403
    wrong = Client(bot.town, **(bot.headers | {"APCA-API-SECRET-KEY": "guessed"}))
    refused = wrong.get("/v2/account")
    assert (refused.status, refused.json["reason"]) == (401, "BAD_KEY"), refused
    assert alice.ask("DELETE", f"/api/v1/keys/{bot.headers['APCA-API-KEY-ID']}").status == 204
    assert bot.get("/v2/account").status == 401


def test_a_guest_plays_at_once_and_keeps_what_she_won(town: Town, seeded: str) -> None:
    browser = Client(town)
    assert browser.get("/").status == 200  # the landing page brings the CSRF cookie
    assert browser.ask("POST", "/api/v1/auth/guest", {}).status == 403  # another site cannot press the button
    csrf = {"X_CSRFToken": browser.cookies["csrftoken"], "Origin": f"http://127.0.0.1:{town.port}"}
    guest = browser.ask("POST", "/api/v1/auth/guest", {}, **csrf)
    assert (guest.status, guest.json["player"]["guest"]) == (201, True), guest
    assert guest.json["portfolio"]["cash"] == "1000000.00"
    csrf["X_CSRFToken"] = browser.cookies["csrftoken"]
    bought = browser.ask("POST", "/v2/orders", market("buy", "200"), **csrf)
    assert (bought.status, bought.json["status"]) == (200, "filled"), bought

    kept = browser.ask("POST", "/api/v1/auth/keep", {"username": "Dora", "password": PASSWORD}, **csrf)
    assert (kept.status, kept.json["username"], kept.json["guest"]) == (200, "Dora", False), kept
    assert browser.read("/api/v1/desk")["positions"][0]["qty"] == "200"
    # On another device she signs in, and finds everything.
    phone = Client(town)
    pair = phone.ask("POST", "/api/v1/auth/token", {"username": "dora", "password": PASSWORD})
    assert pair.status == 200, pair
    phone.headers["Authorization"] = f"Bearer {pair.json['access']}"
    assert phone.read("/v2/positions")[0]["qty"] == "200"
    assert phone.read("/api/v1/desk")["portfolio"]["id"] == guest.json["portfolio"]["id"]


def market(side: str, qty: str) -> dict[str, Any]:
    return {"symbol": "ALB", "side": side, "qty": qty, "type": "market", "time_in_force": "day"}
