"""Alpaca's own Python SDK, unmodified, against the whole game: every call that has a meaning here."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import httpx
import pytest
from alpaca.common.exceptions import APIError
from alpaca.data import (
    StockBarsRequest,
    StockHistoricalDataClient,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
    TimeFrame,
)
from alpaca.trading import client as trading
from alpaca.trading import requests as ask
from alpaca.trading.enums import OrderSide, OrderStatus, OrderType, QueryOrderStatus, TimeInForce
from alpaca.trading.models import AccountConfiguration

from simgame.env import BASE_DIR
from tests.live import LiveGame, wait_until

SYMBOL = "ALB"
ABSENT = [
    ("GET", "/options/contracts"),
    ("GET", "/corporate_actions/announcements"),
    ("POST", "/positions/ALB/exercise"),
    ("GET", "/wallets"),
    ("GET", "/stocks/auctions"),
]


class Bot(NamedTuple):
    trading: trading.TradingClient
    data: StockHistoricalDataClient
    portfolio: int
    address: str
    key: tuple[str, str]


@pytest.fixture(scope="module")
def bot(live_game: LiveGame) -> Bot:
    """Somebody who joined by HTTP, made a key, and gave it to their SDK."""
    site = httpx.Client(base_url=live_game.address, timeout=30)
    secret = {"username": f"sdk{uuid.uuid4().hex[:8]}", "password": "correct horse battery"}
    said = site.post("/api/v1/auth/register", json=secret).json()
    made = site.post("/api/v1/keys", json={}, headers={"Authorization": f"Bearer {said['access']}"}).json()
    key = made["key_id"], made["secret"]
    clients = [
        kind(*key, url_override=live_game.address)
        for kind in (trading.TradingClient, StockHistoricalDataClient)
    ]
    found = Bot(*clients, made["portfolio_id"], live_game.address, key)
    wait_until(lambda: found.data.get_stock_latest_trade(_of(StockLatestTradeRequest)), "the first trade")
    return found


def _of(kind: Any, **more: Any) -> Any:
    return kind(symbol_or_symbols=SYMBOL, **more)


def limit_order(price: str, **more: Any) -> ask.LimitOrderRequest:
    given = {"symbol": SYMBOL, "qty": 100, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC}
    return ask.LimitOrderRequest(**(given | more), limit_price=float(price))


def test_the_account_the_clock_and_the_calendar(bot: Bot) -> None:
    account = bot.trading.get_account()
    assert (account.account_number, account.currency) == (str(bot.portfolio), "CNY")
    clock = bot.trading.get_clock()
    assert clock.next_close > clock.timestamp
    today = clock.timestamp.date()
    span = ask.GetCalendarRequest(start=today - timedelta(days=9), end=today)
    days = bot.trading.get_calendar(span)
    assert days[-1].date == today and all(day.open < day.close for day in days)
    assert len(bot.trading.get_calendar()) > len(days)


def test_the_game_has_configured_the_account(bot: Bot) -> None:
    chosen = bot.trading.get_account_configurations()
    assert bot.trading.set_account_configurations(chosen) == chosen
    other = AccountConfiguration(**chosen.model_dump() | {"suspend_trade": True})
    with pytest.raises(APIError) as refused:
        bot.trading.set_account_configurations(other)
    assert json.loads(str(refused.value))["reason"] == "UNSUPPORTED"


def test_assets_by_symbol_and_by_id(bot: Bot) -> None:
    assets = bot.trading.get_all_assets()
    one = bot.trading.get_asset(SYMBOL)
    assert one in assets and bot.trading.get_asset(one.id) == one
    with pytest.raises(APIError):
        bot.trading.get_asset("NOPE")


def test_orders_are_sent_found_changed_and_cancelled(bot: Bot) -> None:
    low = str(
        round(bot.data.get_stock_latest_quote(_of(StockLatestQuoteRequest))[SYMBOL].bid_price * 0.97, 2)
    )
    name = uuid.uuid4().hex
    order = bot.trading.submit_order(limit_order(low, client_order_id=name))
    assert (order.status, order.type) == (OrderStatus.NEW, OrderType.LIMIT)
    assert bot.trading.get_order_by_id(order.id).client_order_id == name
    assert bot.trading.get_order_by_client_id(name).id == order.id
    opened = ask.GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=[SYMBOL], side=OrderSide.BUY, limit=5)
    assert [each.id for each in bot.trading.get_orders(opened)] == [order.id]
    changed = bot.trading.replace_order_by_id(order.id, ask.ReplaceOrderRequest(qty=200))
    assert changed.qty == "200"
    bot.trading.cancel_order_by_id(changed.id)
    assert bot.trading.get_order_by_id(order.id).status == OrderStatus.CANCELED
    another = bot.trading.submit_order(limit_order(low))
    assert [(each.id, each.status) for each in bot.trading.cancel_orders()] == [(another.id, 200)]
    with pytest.raises(APIError) as refused:
        bot.trading.cancel_order_by_id(uuid.uuid4())
    assert refused.value.status_code == 404


def test_positions_are_opened_seen_and_closed(bot: Bot) -> None:
    market = ask.MarketOrderRequest(symbol=SYMBOL, qty=300, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
    assert bot.trading.submit_order(market).status == OrderStatus.FILLED
    held = bot.trading.get_open_position(SYMBOL)
    assert held.qty == "300"
    assert [(each.symbol, each.qty) for each in bot.trading.get_all_positions()] == [(SYMBOL, held.qty)]
    half = bot.trading.close_position(SYMBOL, ask.ClosePositionRequest(qty="100"))
    assert half.status == OrderStatus.FILLED
    (rest,) = bot.trading.close_all_positions(cancel_orders=True)
    assert (rest.symbol, rest.status) == (SYMBOL, 200)
    assert bot.trading.get_all_positions() == []


def test_what_happened_is_told_page_by_page(bot: Bot) -> None:
    everything = bot.trading.get("/account/activities")
    assert {row["activity_type"] for row in everything} == {"FILL", "CSD"}
    grant = next(row for row in everything if row["activity_type"] == "CSD")
    assert grant["net_amount"] == "1000000.00"
    fills = bot.trading.get("/account/activities/FILL")
    assert fills == [row for row in everything if row["activity_type"] == "FILL"]
    for direction in ("asc", "desc"):
        walked: list[Any] = []
        while page := bot.trading.get(
            "/account/activities",
            {"page_size": 2, "direction": direction} | ({"page_token": walked[-1]["id"]} if walked else {}),
        ):
            walked += page
        assert walked == (everything if direction == "desc" else everything[::-1])
    since = fills[0]["transaction_time"]
    assert bot.trading.get("/account/activities", {"after": since}) == []


def test_the_curve_ends_where_the_account_stands(bot: Bot) -> None:
    for period, frame in (("1D", "1Min"), ("1D", "5Min"), ("1M", "1D"), (None, None)):
        asked = ask.GetPortfolioHistoryRequest(period=period, timeframe=frame, extended_hours=False)
        curve = bot.trading.get_portfolio_history(asked)
        equity = float(bot.trading.get_account().equity)
        assert curve.equity[-1] == pytest.approx(equity, abs=0.01), (period, frame)
        assert len(curve.timestamp) == len(curve.equity) == len(curve.profit_loss)
    assert curve.equity[0] <= 1_000_000 and curve.base_value == curve.equity[0]


def test_watchlists_are_made_changed_and_deleted(bot: Bot) -> None:
    made = bot.trading.create_watchlist(ask.CreateWatchlistRequest(name="mine", symbols=[SYMBOL]))
    assert [asset.symbol for asset in made.assets] == [SYMBOL]
    assert made.account_id == bot.trading.get_account().id
    both = bot.trading.add_asset_to_watchlist_by_id(made.id, "PWS")
    assert [asset.symbol for asset in both.assets] == [SYMBOL, "PWS"]
    named = bot.trading.update_watchlist_by_id(made.id, ask.UpdateWatchlistRequest(name="ours"))
    assert (named.name, len(named.assets)) == ("ours", 2)
    left = bot.trading.remove_asset_from_watchlist_by_id(made.id, SYMBOL)
    assert [asset.symbol for asset in left.assets] == ["PWS"]
    assert bot.trading.get_watchlist_by_id(made.id) == left
    assert [each.name for each in bot.trading.get_watchlists()] == ["ours"]
    with pytest.raises(APIError):
        bot.trading.create_watchlist(ask.CreateWatchlistRequest(name="ours", symbols=[]))
    bot.trading.delete_watchlist_by_id(made.id)
    assert bot.trading.get_watchlists() == []


def test_the_newest_of_everything(bot: Bot) -> None:
    quote = bot.data.get_stock_latest_quote(_of(StockLatestQuoteRequest))[SYMBOL]
    assert 0 < quote.bid_price < quote.ask_price
    trade = bot.data.get_stock_latest_trade(_of(StockLatestTradeRequest))[SYMBOL]
    bar = bot.data.get_stock_latest_bar(_of(StockLatestBarRequest))[SYMBOL]
    assert bar.low <= bar.close <= bar.high and trade.price > 0
    seen = bot.data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=[SYMBOL, "PWS"]))
    assert set(seen) == {SYMBOL, "PWS"}
    assert seen[SYMBOL].minute_bar.timestamp >= bar.timestamp
    assert seen[SYMBOL].previous_daily_bar.timestamp < seen[SYMBOL].daily_bar.timestamp


def test_bars_quotes_and_trades_of_the_last_minutes(bot: Bot) -> None:
    bars = bot.data.get_stock_bars(_of(StockBarsRequest, timeframe=TimeFrame.Minute, limit=50))
    assert len(bars[SYMBOL]) == 50
    since = datetime.now(UTC) - timedelta(minutes=30)
    for kind, read in (
        (StockQuotesRequest, bot.data.get_stock_quotes),
        (StockTradesRequest, bot.data.get_stock_trades),
    ):
        few = wait_until(partial(_first_three, read, kind, since), f"three rows by {kind.__name__}")
        more = read(_of(kind, start=since, limit=20))[SYMBOL]
        assert more[:3] == few
        times = [row.timestamp for row in more]
        assert times == sorted(times) and times[0] >= since


def _first_three(read: Callable[[Any], Any], kind: Any, since: datetime) -> list[Any]:
    """The first three rows; nothing while the market, begun a moment ago, has not made three."""
    rows = read(_of(kind, start=since, limit=3)).data.get(SYMBOL, [])
    return rows if len(rows) == 3 else []


@pytest.mark.parametrize(("method", "path"), ABSENT)
def test_what_is_not_here_says_so(bot: Bot, method: str, path: str) -> None:
    with pytest.raises(APIError) as refused:
        bot.trading._request(method, path)
    said = json.loads(str(refused.value))
    assert (refused.value.status_code, said["reason"], said["code"]) == (404, "NOT_OFFERED", 40410000)


def test_the_bot_of_the_documents_trades(bot: Bot) -> None:
    path = BASE_DIR / "docs" / "examples" / "alpaca_bot.py"
    ran = subprocess.run(
        [sys.executable, str(path), bot.address, *bot.key],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[0] in ("filled", "new", "partially_filled"), ran.stdout
