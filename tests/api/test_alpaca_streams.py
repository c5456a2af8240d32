"""Alpaca's own stream clients, unmodified, against the whole game; and what their words refuse."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from alpaca.data.live import StockDataStream
from alpaca.trading.stream import TradingStream
from websockets.sync.client import ClientConnection, connect

from tests.live import LiveGame, wait_until

SYMBOL = "ALB"


@pytest.fixture(scope="module")
def bot(live_game: LiveGame) -> httpx.Client:
    """Somebody with a key, in their headers."""
    site = httpx.Client(base_url=live_game.address, timeout=120)
    secret = {"username": f"streams{uuid.uuid4().hex[:8]}", "password": "correct horse battery"}
    said = site.post("/api/v1/auth/register", json=secret).json()
    made = site.post("/api/v1/keys", json={}, headers={"Authorization": f"Bearer {said['access']}"}).json()
    site.headers.update({"APCA-API-KEY-ID": made["key_id"], "APCA-API-SECRET-KEY": made["secret"]})
    return site


def key_of(bot: httpx.Client) -> tuple[str, str]:
    return bot.headers["APCA-API-KEY-ID"], bot.headers["APCA-API-SECRET-KEY"]


def address(live_game: LiveGame, path: str) -> str:
    return f"ws://127.0.0.1:{live_game.port}{path}"


@contextmanager
def running(stream: Any) -> Iterator[None]:
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stream.stop()
        thread.join(timeout=120)
    assert not thread.is_alive()


def order(bot: httpx.Client, **words: Any) -> dict[str, Any]:
    body = {"symbol": SYMBOL, "qty": "100", "side": "buy", "type": "market", "time_in_force": "day"} | words
    answer = bot.post("/v2/orders", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_their_trading_stream_hears_of_every_order(live_game: LiveGame, bot: httpx.Client) -> None:
    heard: list[Any] = []

    async def note(update: Any) -> None:
        heard.append(update)

    stream = TradingStream(*key_of(bot), url_override=address(live_game, "/stream"))
    stream.subscribe_trade_updates(note)
    with running(stream):
        wait_until(lambda: stream._running, "their stream to listen")
        quote = bot.get("/v2/stocks/quotes/latest", params={"symbols": SYMBOL}).json()["quotes"][SYMBOL]
        bought = order(bot)
        resting = order(bot, type="limit", limit_price=str(round(float(quote["bp"]) * 0.95, 2)))
        bot.patch(f"/v2/orders/{resting['id']}", json={"qty": "200"})
        bot.delete(f"/v2/orders/{resting['id']}")
        wait_until(lambda: bool(heard) and heard[-1].event == "canceled", "the last update")
    told = [(str(update.order.id), str(getattr(update.event, "value", update.event))) for update in heard]
    first = [event for order_id, event in told if order_id == bought["id"]]
    assert (first[0], first[-1]) == ("new", "fill")
    assert set(first[1:-1]) <= {"partial_fill"}
    assert [event for order_id, event in told if order_id == resting["id"]] == ["new", "replaced", "canceled"]
    fill = next(update for update in heard if update.event == "fill")
    assert fill.position_qty == 100
    assert fill.price > 0
    assert fill.order.filled_qty == "100"


def test_their_data_stream_reads_quotes_trades_and_bars(live_game: LiveGame, bot: httpx.Client) -> None:
    heard: dict[str, list[Any]] = {"quotes": [], "trades": [], "daily": []}

    def into(name: str) -> Any:
        async def note(row: Any) -> None:
            heard[name].append(row)

        return note

    stream = StockDataStream(*key_of(bot), url_override=address(live_game, "/v2/iex"))
    stream.subscribe_quotes(into("quotes"), "*")
    stream.subscribe_trades(into("trades"), *[SYMBOL, "PWS", "BHG"])
    stream.subscribe_bars(into("daily"), SYMBOL)
    stream.subscribe_daily_bars(into("daily"), *[SYMBOL, "PWS", "BHG"])
    with running(stream):
        wait_until(lambda: all(heard.values()), "each kind of row")
    quote = next(row for row in heard["quotes"] if row.bid_price and row.ask_price)
    assert quote.bid_price < quote.ask_price
    assert quote.timestamp.tzinfo is not None
    assert heard["trades"][0].price > 0
    assert heard["trades"][0].symbol in {SYMBOL, "PWS", "BHG"}
    bar = heard["daily"][0]
    assert bar.low <= bar.open <= bar.high


# --- in their words ------------------------------------------------------------------------------
@contextmanager
def plain(live_game: LiveGame, path: str = "/v2/stream", **headers: str) -> Iterator[ClientConnection]:
    with connect(address(live_game, path), proxy=None, additional_headers=headers) as socket:
        yield socket


def ask(socket: ClientConnection, **said: Any) -> Any:
    socket.send(json.dumps(said))
    return json.loads(socket.recv(timeout=120))


def test_what_they_refuse_has_their_numbers(live_game: LiveGame, bot: httpx.Client) -> None:
    key, secret = key_of(bot)
    with plain(live_game) as socket:
        assert json.loads(socket.recv(timeout=120)) == [{"T": "success", "msg": "connected"}]
        assert ask(socket, action="subscribe", quotes=[SYMBOL])[0]["code"] == 401
        assert ask(socket, nothing=1)[0]["code"] == 400
        assert ask(socket, action="auth", key=key, secret=secret) == [
            {"T": "success", "msg": "authenticated"}
        ]
        assert ask(socket, action="auth", key=key, secret=secret)[0]["code"] == 403
        assert ask(socket, action="subscribe", lulds=[SYMBOL])[0]["code"] == 410
        assert ask(socket, action="subscribe", quotes=7)[0]["code"] == 400
        (said,) = ask(socket, action="subscribe", bars=[SYMBOL, "NOBODY"])
        assert (said["T"], said["bars"], said["quotes"]) == ("subscription", [SYMBOL], [])
        (said,) = ask(socket, action="unsubscribe", bars=[SYMBOL])
        assert said["bars"] == []
    with plain(live_game) as socket:
        socket.recv(timeout=120)
        assert ask(socket, action="auth", key=key, secret="guessed")[0]["code"] == 402
        with pytest.raises(Exception, match="4500"):
            socket.recv(timeout=120)


def test_a_bot_signs_in_by_the_headers_of_its_handshake(live_game: LiveGame, bot: httpx.Client) -> None:
    key, secret = key_of(bot)
    with plain(live_game, **{"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}) as socket:
        assert [json.loads(socket.recv(timeout=120))[0]["msg"] for _ in range(2)] == [
            "connected",
            "authenticated",
        ]


def test_what_cannot_be_read_is_invalid_syntax(live_game: LiveGame) -> None:
    with plain(live_game, "/v2/iex", **{"Content-Type": "application/msgpack"}) as socket:
        assert msgspec.msgpack.decode(socket.recv(timeout=120))[0]["msg"] == "connected"
        for nonsense in (b"\xc1", b"", msgspec.msgpack.encode([1]), "[", "{}", b"\xff" * 20_000):
            socket.send(nonsense)
            assert msgspec.msgpack.decode(socket.recv(timeout=120))[0]["code"] == 400


def test_nobody_listens_to_trade_updates_without_a_key(live_game: LiveGame, bot: httpx.Client) -> None:
    with plain(live_game, "/stream") as socket:
        refused = ask(socket, action="listen", data={"streams": ["trade_updates"]})
        assert refused["data"]["status"] == "unauthorized"
        refused = ask(socket, action="authenticate", data={"key_id": "x", "secret_key": "y"})
        assert refused["data"]["status"] == "unauthorized"
    with plain(live_game, "/stream") as socket:
        key, secret = key_of(bot)
        assert ask(socket, action="authenticate", data={"key_id": key, "secret_key": secret})["data"][
            "status"
        ] == ("authorized")
        heard = ask(socket, action="listen", data={"streams": ["trade_updates", "account_updates"]})
        assert heard == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
