"""Alpaca's two streams over our hub: `/stream` (trade updates) and `/v2/<feed>` (market data).

A socket of theirs is a socket of ours that speaks other words: it subscribes to our topics in the same
hub, with the same bounded outbox, and what comes is put into their messages. Their clients answer no
pings in JSON and have no positions: a client that comes back asks for the state over `/v2`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from django.conf import settings
from django.urls import path, re_path

from market import queries as market_queries
from realtime.close_codes import CloseCode
from realtime.connection import Event, Socket
from realtime.conversation import Want
from realtime.hub import here
from realtime.identity import authentication
from realtime.outbox import Entry
from realtime.subscriptions import subscribe
from realtime.wire import Frame, binary_frame, text_frame
from simgame.kernel import clock, viewer
from simgame.kernel.errors import SimGameError
from trading import alpaca_words as words
from trading.models import Portfolio

JSON = dict[str, Any]
CHANNELS: Final = {
    "trades": "trades",
    "quotes": "quote",
    "bars": "bars",
    "updatedBars": "bars",
    "dailyBars": "bars",
}
EVERYTHING: Final = "*"
KEY_HEADERS: Final = (b"apca-api-key-id", b"apca-api-secret-key")
_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode


class AlpacaSocket(Socket):
    """What both streams share: they are asked with objects that have an `action`."""

    def __init__(self, *given: Any):
        super().__init__(*given)
        self._unheard_most = self._ask_at = float("inf")  # their clients do not answer our pings
        self.portfolio: Portfolio | None = None

    async def _asked(self, said: JSON) -> None:
        raise NotImplementedError

    def tell(self, message: Any) -> None:
        raise NotImplementedError

    def push(self, frame: Frame, entries: Sequence[Entry]) -> None:
        if self._closing is None and self._slow is None:
            for ours in self.frames(entries):
                self._say_frame(ours)
        else:
            super().push(frame, entries)

    def _tell_frame(self, frame: Frame) -> None:
        if self._closing is None:
            self._say_frame(frame)

    def _greet(self) -> None:
        """Theirs do not speak first, unless their stream says otherwise."""

    def tick(self, now: float) -> None:
        if self.who is None and now - self.conversation.opened_at > self.hub.limits.auth_s:
            self._refuse(404, CloseCode.AUTH_LATE)

    async def _take(self, event: Event) -> None:
        said = self._read(event)
        if said is None or not isinstance(said.get("action"), str):
            self._refuse(400)
        elif not self.conversation.may_speak(clock.monotonic_s()):
            self.close(CloseCode.TOO_MANY_REQUESTS)
        else:
            await self._asked(said)
            await self._caught_up()

    def _read(self, event: Event) -> JSON | None:
        """JSON in text or binary frames, or msgpack in binary ones; None when it is none of them."""
        text, data = event.get("text"), event.get("bytes")
        payload = text.encode(errors="replace") if text is not None else data or b""
        if len(payload) > self.hub.limits.frame_bytes:
            return None
        readers = [msgspec.json.decode] if text is not None else [msgspec.json.decode, msgspec.msgpack.decode]
        for read in readers:
            try:
                said = read(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if isinstance(said, dict):
                return said
        return None

    async def _sign_in_with(self, key: Any, secret: Any) -> bool:
        """Whether the key opened a portfolio; a refusal has been said otherwise."""
        if self.who is not None:
            self._refuse(403)
            return False
        who = None
        if isinstance(key, str) and isinstance(secret, str):
            try:
                who = await authentication().by_token(f"{key}:{secret}")
            except SimGameError:
                who = None
        if who is None or not who.portfolio_ids:
            self._refuse(402, CloseCode.BAD_TOKEN)
            return False
        if not self.hub.admit_player(who):
            self._refuse(406, CloseCode.TOO_MANY_SOCKETS)
            return False
        self.who = who
        self.portfolio = await _portfolio(who.player_id, min(who.portfolio_ids))
        return True

    def _refuse(self, code: int, leave: CloseCode | None = None) -> None:
        self.tell(words.error(code))
        if leave is not None:
            self.close(leave)

    async def _follow(self, topics: Sequence[str]) -> list[tuple[str, JSON]] | None:
        """Subscribes; the snapshots by topic, or None when it was refused."""
        try:
            rows, following = await subscribe(self.hub, self, [Want(topic) for topic in topics], 0)
        except SimGameError:
            return None
        results = [msgspec.json.decode(row) for row in rows]
        self._begin([(result["topic"], result["snapshot"]) for result in results])
        if following:
            self.push(text_frame(""), following)
        return [(result["topic"], result["snapshot"]) for result in results]

    def _begin(self, snapshots: Iterable[tuple[str, JSON]]) -> None:
        """Before anything that follows on them."""


@database_sync_to_async
def _portfolio(player_id: int, portfolio_id: int) -> Portfolio:
    with viewer.player(player_id):
        return Portfolio.objects.select_related("game__world").get(id=portfolio_id)


class TradingSocket(AlpacaSocket):
    """`/stream`: `authenticate`, then `listen`. Binary frames of JSON, as theirs."""

    updates: words.TradeUpdates | None = None

    def tell(self, message: Any) -> None:
        self._tell_frame(binary_frame(_json(message)))

    def frames(self, entries: Sequence[Entry]) -> list[Frame]:
        told = [update for entry in entries for update in self._told(entry)]
        return [binary_frame(_json({"stream": "trade_updates", "data": update})) for update in told]

    def _told(self, entry: Entry) -> list[JSON]:
        return list(self.updates.told(entry.data())) if self.updates else []

    def _refuse(self, code: int, leave: CloseCode | None = None) -> None:
        if code == 400:
            self.tell({"stream": "error", "data": words.error(code)})
        elif self.who is None:
            said = {"status": "unauthorized", "action": "authenticate"}
            self.tell({"stream": "authorization", "data": said})
        if leave is not None:
            self.close(leave)

    async def _asked(self, said: JSON) -> None:
        data = said.get("data") if isinstance(said.get("data"), dict) else {}
        match said["action"]:
            case "authenticate" | "auth":
                key, secret = data.get("key_id", said.get("key")), data.get("secret_key", said.get("secret"))
                if await self._sign_in_with(key, secret):
                    answer = {"status": "authorized", "action": "authenticate"}
                    self.tell({"stream": "authorization", "data": answer})
            case "listen":
                await self._heed(data.get("streams"))
            case _:
                self._refuse(400)

    async def _heed(self, streams: Any) -> None:
        if self.portfolio is None:
            self._refuse(401)
        elif not isinstance(streams, list):
            self._refuse(400)
        else:
            topic = f"portfolio:{self.portfolio.id}"
            wanted = "trade_updates" in streams
            if wanted and topic not in self.topics and await self._follow([topic]) is None:
                self.close(CloseCode.SHUTDOWN, "the portfolio cannot be read just now")
                return
            if not wanted:
                self.hub.unsubscribe(self, [topic])
            heard = ["trade_updates"] if wanted else []
            self.tell({"stream": "listening", "data": {"streams": heard}})

    def _begin(self, snapshots: Iterable[tuple[str, JSON]]) -> None:
        for _, desk in snapshots:
            self.updates = words.TradeUpdates(desk["orders"], desk["positions"])


class DataSocket(AlpacaSocket):
    """`/v2/<feed>`: `auth`, `subscribe`, `unsubscribe`. Arrays; in msgpack for a client that speaks it."""

    def __init__(self, *given: Any):
        super().__init__(*given)
        headers = dict(self.scope.get("headers", ()))
        self.packs = b"msgpack" in headers.get(b"content-type", b"")
        self.wanted: dict[str, set[str]] = {name: set() for name in CHANNELS}
        self.minutes = words.Minutes()

    def tell(self, message: Any) -> None:
        self._tell_frame(self._framed([message]))

    def _framed(self, messages: list[JSON]) -> Frame:
        if not self.packs:
            return text_frame(_json(messages).decode())
        return binary_frame(_msgpack([_timed(message) for message in messages]))

    def frames(self, entries: Sequence[Entry]) -> list[Frame]:
        told = [message for entry in entries for message in self._told(entry)]
        return [self._framed(told)] if told else []

    def _told(self, entry: Entry) -> list[JSON]:
        kind, _, rest = entry.topic.partition(":")
        _, _, name = rest.partition(":")
        data = entry.data()
        if kind == "quote":
            return [words.quote(data)] if data["at"] else []
        if kind == "board":
            return [words.quote(row) for row in data.values() if row and row["at"]]
        if kind == "trades":
            return [words.trade(row) for row in data["trades"]]
        symbol, _, interval = name.rpartition(":")
        if interval == "1d":
            return [words.bar("d", symbol, data["bar"])]
        told = self.minutes.told(symbol, data["bar"])
        return [bar for bar in told if self._wants("bars" if bar["T"] == "b" else "updatedBars", symbol)]

    def _wants(self, channel: str, symbol: str) -> bool:
        return symbol in self.wanted[channel]

    def _greet(self) -> None:
        self.tell({"T": "success", "msg": "connected"})

    async def _listen(self) -> None:
        headers = dict(self.scope.get("headers", ()))
        key, secret = (headers.get(name, b"").decode("latin-1") for name in KEY_HEADERS)
        if key:
            await self._auth(key, secret)
        await super()._listen()

    async def _auth(self, key: Any, secret: Any) -> None:
        if await self._sign_in_with(key, secret):
            self.tell({"T": "success", "msg": "authenticated"})

    async def _asked(self, said: JSON) -> None:
        match said["action"]:
            case "auth":
                await self._auth(said.get("key"), said.get("secret"))
            case "subscribe" | "unsubscribe" if self.portfolio is None:
                self._refuse(401)
            case "subscribe" | "unsubscribe":
                await self._change(said)
            case _:
                self._refuse(400)

    async def _change(self, said: JSON) -> None:
        asked = {name: symbols for name, symbols in said.items() if name != "action"}
        if not asked.keys() <= CHANNELS.keys() or not all(map(_are_symbols, asked.values())):
            self._refuse(410 if all(map(_are_symbols, asked.values())) else 400)
            return
        after = {name: set(symbols) for name, symbols in self.wanted.items()}
        for name, symbols in asked.items():
            if said["action"] == "subscribe":
                after[name] |= set(symbols)
            else:
                after[name] -= set(symbols)
        await self._settle(after)

    async def _settle(self, after: dict[str, set[str]]) -> None:
        """Follows what the channels need, or leaves everything as it was. Unknown symbols are left out,
        as theirs are."""
        known = await self._symbols()
        for name, symbols in after.items():
            if EVERYTHING in symbols and name != "quotes":
                symbols |= known
            symbols &= known | {EVERYTHING}
        topics = self._topics(after)
        if len(topics) > self.hub.limits.topics_per_socket:
            self._refuse(405)
            return
        fresh, before = sorted(topics - self.topics.keys()), self.wanted
        self.wanted = {
            name: before[name] | after[name] for name in after
        }  # the first news come with the answer
        if fresh and await self._follow(fresh) is None:
            self.wanted = before
            self._refuse(500)
            return
        self.wanted = after
        self.hub.unsubscribe(self, sorted(self.topics.keys() - topics))
        self.tell({"T": "subscription", **{name: sorted(symbols) for name, symbols in after.items()}})

    def _topics(self, wanted: dict[str, set[str]]) -> set[str]:
        world = self.portfolio.game.world.slug if self.portfolio else ""
        topics = set()
        for name, symbols in wanted.items():
            end = {"bars": ":1m", "updatedBars": ":1m", "dailyBars": ":1d"}.get(name, "")
            topics |= {f"{CHANNELS[name]}:{world}:{symbol}{end}" for symbol in symbols - {EVERYTHING}}
        if EVERYTHING in wanted["quotes"]:
            topics = {topic for topic in topics if not topic.startswith("quote:")} | {f"board:{world}"}
        return topics

    @database_sync_to_async
    def _symbols(self) -> set[str]:
        world = self.portfolio.game.world if self.portfolio else None
        return {row.symbol for row in market_queries.instruments(world.number)} if world else set()

    def _begin(self, snapshots: Iterable[tuple[str, JSON]]) -> None:
        for topic, snapshot in snapshots:
            _, _, name = topic.partition(":")[2].partition(":")
            symbol, _, interval = name.rpartition(":")
            if interval == "1m":
                self.minutes.begin(symbol, snapshot["bars"])


def _are_symbols(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(symbol, str) for symbol in value)


def _timed(message: JSON) -> JSON:
    """In msgpack their times are timestamps."""
    return message | {"t": clock.from_ns(clock.parse_rfc3339(message["t"]))} if "t" in message else message


class TradingConsumer(AsyncConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await TradingSocket(await here(settings.REDIS_URL), scope, receive, send).run()


class DataConsumer(AsyncConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await DataSocket(await here(settings.REDIS_URL), scope, receive, send).run()


websocket_urlpatterns = [
    path("stream", TradingConsumer.as_asgi()),
    re_path(r"^v2/(?:stream|iex|sip|test)$", DataConsumer.as_asgi()),
]
