"""Watchlists, the journal, alerts, the curve and private games, over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async

from simgame.kernel import clock
from tests.api.conftest import joined
from tests.api.wire import Client
from trading import alerts, curve, ranking
from trading.models import EquityPoint, Game, Portfolio

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]


async def test_alice_keeps_two_watchlists(alice: Client, bob: Client) -> None:
    first = (await alice.post("/api/v1/watchlists", {"name": "Banks", "symbols": ["SHARE", "SHARE"]})).json
    assert first["symbols"] == ["SHARE"]
    second = (await alice.post("/api/v1/watchlists", {"name": "Later"})).json
    taken = await alice.post("/api/v1/watchlists", {"name": "Later"})
    assert (taken.status, taken.json["errors"][0]["pointer"]) == (422, "/name")
    path = f"/api/v1/watchlists/{second['id']}"
    changed = await alice.put(path, {"name": "Soon", "symbols": ["PENNY", "SHARE"]})
    assert changed.json == {"id": second["id"], "name": "Soon", "symbols": ["PENNY", "SHARE"]}
    assert (await alice.put(path, {"symbols": ["NOPE"]})).status == 404
    assert (await bob.get(path)).status == 404
    assert (await bob.delete(path)).status == 404
    assert (await alice.get("/api/v1/watchlist")).json == {"symbols": ["SHARE"]}, (
        "the first is the ordinary one"
    )
    assert (await alice.delete(path)).status == 204
    assert [row["name"] for row in (await alice.get("/api/v1/watchlists")).json["watchlists"]] == ["Banks"]


async def test_she_writes_finds_and_changes_notes(alice: Client, bob: Client) -> None:
    order = (
        await alice.post("/v2/orders", {"symbol": "SHARE", "side": "buy", "type": "market", "qty": "100"})
    ).json
    note = (
        await alice.post("/api/v1/journal", {"text": "Bought too early. #Patience", "order_id": order["id"]})
    ).json
    assert (note["tags"], note["symbol"], note["version"]) == (["patience"], "SHARE", 1)
    await alice.post("/api/v1/journal", {"text": "今天的市场很安静", "day": "2026-10-30", "tags": ["复盘"]})

    async def found(query: str) -> list[str]:
        return [row["text"] for row in (await alice.get(f"/api/v1/journal?{query}")).json["notes"]]

    assert await found("q=early") == ["Bought too early. #Patience"]
    assert await found("q=市场") == ["今天的市场很安静"]
    assert await found("tag=patience") == ["Bought too early. #Patience"]
    assert await found("day=2026-10-30") == ["今天的市场很安静"]
    assert await found(f"order_id={order['id']}") == ["Bought too early. #Patience"]
    path = f"/api/v1/journal/{note['id']}"
    assert (await alice.patch(path, {"version": 1, "text": "Too early, again."})).json["version"] == 2
    assert (await alice.patch(path, {"version": 1, "text": "Lost."})).status == 412
    assert (await bob.get(path)).status == 404
    assert (await bob.post("/api/v1/journal", {"text": "Hers", "order_id": order["id"]})).status == 404
    assert (await alice.delete(path)).status == 204
    assert (await alice.post("/api/v1/journal", {"text": "x", "tags": ["two words"]})).status == 422


async def test_an_alert_is_told_once(alice: Client, bob: Client) -> None:
    low = (await alice.post("/api/v1/alerts", {"symbol": "SHARE", "price": "0.50", "way": "above"})).json
    await alice.post("/api/v1/alerts", {"symbol": "SHARE", "price": "9999.00"})
    assert await database_sync_to_async(alerts.look)() == 1
    assert await database_sync_to_async(alerts.look)() == 0
    rows = {row["price"]: row for row in (await alice.get("/api/v1/alerts")).json["alerts"]}
    assert rows["0.50"]["fired_at"] is not None
    assert rows["9999.00"]["fired_at"] is None
    assert (await bob.delete(f"/api/v1/alerts/{low['id']}")).status == 404
    assert (await alice.delete(f"/api/v1/alerts/{low['id']}")).status == 204
    for price in ("0", "-1", "nonsense", "1.23456789"):
        assert (await alice.post("/api/v1/alerts", {"symbol": "SHARE", "price": price})).status == 422


async def test_a_portfolio_made_before_the_world_told_the_time_has_a_curve(alice: Client) -> None:
    """A feed tells the time now and then: for a moment the portfolio is younger than its world's clock."""
    made = Portfolio.objects.filter(id=alice.said["portfolio"]["id"])  # type: ignore[attr-defined]
    await made.aupdate(created_at=clock.now() + timedelta(seconds=20))
    for asked in ("period=1D&timeframe=1Min", "period=1D&timeframe=1H", "period=1M&timeframe=1D", ""):
        curve = (await alice.get(f"/v2/account/portfolio/history?{asked}")).json
        assert curve["equity"] == ["1000000.00"], asked
    long_ago = "start=2026-01-05T00:00:00Z&end=2026-01-06T00:00:00Z&timeframe=1H"
    assert (await alice.get(f"/v2/account/portfolio/history?{long_ago}")).json["equity"] == []


async def test_the_curve_has_a_point_where_the_worth_changed(alice: Client) -> None:
    game = await database_sync_to_async(Game.objects.select_related("world").get)(season=True)
    await database_sync_to_async(ranking.rank)(game)
    await database_sync_to_async(ranking.rank)(game)
    _start, point, _now = (await alice.get("/api/v1/portfolio/curve")).json["points"]
    assert (point["equity"], point["drawdown"]) == ("1000000.00", "0.00")
    await alice.post("/v2/orders", {"symbol": "SHARE", "side": "buy", "type": "market", "qty": "100"})
    await database_sync_to_async(ranking.rank)(game)
    last = (await alice.get("/api/v1/portfolio/curve")).json["points"][-1]
    assert float(last["exposure"]) > 0
    await database_sync_to_async(curve.thin)()
    assert await database_sync_to_async(EquityPoint.objects.count)() == 2, "today stays as it is"


async def test_a_host_makes_starts_pauses_and_exports_a_game(board: None, exchange: Any) -> None:
    host, player, stranger = await joined("Hana"), await joined("Piet"), await joined("Sven")
    game = (await host.post("/api/v1/games", {"name": "Class 4b", "start_cash": "50,000"})).json
    assert (game["status"], game["private"]) == ("open", True)
    path = f"/api/v1/games/{game['slug']}"
    assert (await stranger.get(path)).status == 404
    for wrong in ("wrong", "grün", "邀请"):
        assert (await stranger.post(f"{path}/join", {"invitation": wrong})).status == 404
    assert (await stranger.post(f"{path}/start")).status == 404
    mine = (await player.post(f"{path}/join", {"invitation": game["invitation"]})).json["portfolio_id"]
    assert "invitation" not in (await player.get(path)).json
    desk = (await player.get(f"/api/v1/desk?portfolio={mine}")).json
    assert desk["portfolio"]["status"] == "opening"

    assert (await host.post(f"{path}/start")).json["status"] == "running"
    desk = (await player.get(f"/api/v1/desk?portfolio={mine}")).json
    assert (desk["portfolio"]["status"], desk["portfolio"]["cash"]) == ("active", "50000.00")
    buy = {"symbol": "SHARE", "side": "buy", "type": "market", "qty": "100"}
    player.headers["x-portfolio"] = str(mine)
    assert (await player.post("/v2/orders", buy)).json["status"] == "filled"

    assert (await host.post(f"{path}/pause")).json["status"] == "paused"
    refused = (await player.post("/v2/orders", buy)).json
    assert refused.get("status") == "rejected" or refused.get("reason"), refused
    assert (await player.get(f"/api/v1/desk?portfolio={mine}")).json["portfolio"]["status"] == "frozen"
    assert (await host.post(f"{path}/resume")).json["status"] == "running"
    assert (await player.post("/v2/orders", buy)).json["status"] == "filled"

    assert (await host.post(f"{path}/end")).json["status"] == "ended"
    assert (await host.post(f"{path}/start")).status == 422
    told = (await host.get(f"{path}/export")).json
    assert [row["player"] for row in told["players"]] == ["Piet"]
    assert len(told["fills"]) == 2
    assert (await player.get(f"{path}/export")).status == 404
