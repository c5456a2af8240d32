"""A small town with a notice board, and people who read it over real sockets of a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import uvicorn
import websockets
from channels.routing import URLRouter

from realtime import hub as hubs
from realtime import identity, topics
from realtime.hub import Hub
from realtime.identity import Who
from realtime.limits import Limits
from realtime.publish import Message
from realtime.routing import websocket_urlpatterns
from realtime.topics import Policy, Snapshot, TopicKind
from tests.realtime.valkey import Valkey

WAIT_S = 10.0
EVERY = ("trades:", "tape:", "purse:")
hypothesis.settings.register_profile("unhurried", deadline=None)  # the machine may be busy
hypothesis.settings.load_profile("unhurried")
ALICE = Who(1, "login-alice", frozenset({7}))
BOB = Who(2, "login-bob", frozenset({8}))
TOKENS = {"alice-token": ALICE, "bob-token": BOB}


@dataclass
class Town:
    """Owns five kinds of topics, and keeps what it said: the truth behind the news.

    quote:<x> LATEST · board:<x> MERGE · trades:<x> EVERY, nothing kept · tape:<x> EVERY, kept by its
    owner · purse:<player> EVERY, private, with a table of everything (`kept_from`: what was pruned).
    """

    epoch: str = "e1"
    known: set[str] = field(
        default_factory=lambda: {"quote:gold", "quote:tin", "board:all", "trades:gold", "tape:gold"}
    )
    said: dict[str, list[Message]] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept_from: int = 1
    asked: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    broken: bool = False

    def say(self, topic: str, data: dict[str, Any]) -> Message:
        """The truth changes; the caller decides how the news travels."""
        messages = self.said.setdefault(topic, [])
        messages.append(Message.of(topic, self.epoch, len(messages) + 1, data))
        rows = self.rows.setdefault(topic, {})
        if topic.startswith("board:"):
            rows |= data
            for key in [key for key, row in rows.items() if row is None]:
                del rows[key]
        else:
            self.rows[topic] = data
        return messages[-1]

    def truth(self, topic: str) -> Snapshot:
        messages = self.said.get(topic, [])
        data = dict(self.rows.get(topic, {}))
        if topic.startswith(EVERY):
            data = {"notices": [json.loads(message.data) for message in messages]}
        return Snapshot(self.epoch, len(messages), data)

    def truth_at(self, topic: str, offset: int) -> dict[str, Any]:
        """How things stood after a message: what a reader who was there remembers."""
        past = Town(epoch=self.epoch)
        for message in self.said.get(topic, [])[:offset]:
            past.say(topic, json.loads(message.data))
        return dict(past.truth(topic).data)

    async def snapshot(self, topic: str) -> Snapshot | None:
        self.asked.append(topic)
        if self.broken:
            raise ConnectionError("the town hall is closed")
        await asyncio.sleep(0)
        return self.truth(topic) if topic in self.known or topic.startswith("purse:") else None

    async def anybody(self, topic: str, who: Who | None) -> bool:
        return True

    async def owner_only(self, topic: str, who: Who | None) -> bool:
        return who is not None and topic == f"purse:{who.player_id}"

    async def since(self, topic: str, epoch: str, offset: int, limit: int) -> Sequence[Message] | None:
        messages = self.said.get(topic, [])
        if epoch != self.epoch or not self.kept_from - 1 <= offset <= len(messages):
            return None
        return messages[offset : offset + limit]

    async def by_scope(self, scope: Any) -> Who | None:
        cookie = dict(scope["headers"]).get(b"cookie", b"").decode()
        return TOKENS.get(cookie.partition("=")[2])

    async def by_token(self, token: str) -> Who | None:
        return TOKENS.get(token)

    async def is_revoked(self, who: Who) -> bool:
        return who.session in self.revoked


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town()
    kinds = [
        TopicKind("quote", Policy.LATEST, town.snapshot, town.anybody),
        TopicKind("board", Policy.MERGE, town.snapshot, town.anybody),
        TopicKind("trades", Policy.EVERY, town.snapshot, town.anybody),
        TopicKind("tape", Policy.EVERY, town.snapshot, town.anybody, since=town.since),
        TopicKind("purse", Policy.EVERY, town.snapshot, town.owner_only, since=town.since, private=True),
    ]
    before, signed_in = dict(topics._KINDS), list(identity._registered)
    topics._KINDS.clear()
    for kind in kinds:
        topics.register(kind)
    identity.register(town.by_scope, town.by_token, town.is_revoked)
    yield town
    topics._KINDS.clear()
    topics._KINDS.update(before)
    identity._registered[:] = signed_in


class Reader:
    """One socket, read like a client that knows the rules: apply what is newer, drop what is not."""

    def __init__(self, socket: websockets.ClientConnection):
        self.socket = socket
        self.number = 0
        self.backlog: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self.position: dict[str, tuple[str, int]] = {}
        self.pushes: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        """The next object; answers pings by itself."""
        while True:
            while not self.backlog:
                async with asyncio.timeout(WAIT_S):
                    said = json.loads(await self.socket.recv())
                self.backlog = said if isinstance(said, list) else [said]
            one = self.backlog.pop(0)
            if one.get("type") == "ping":
                await self.send({"op": "pong"})
                continue
            if "topic" in one:
                self._apply(one)
            return one

    async def send(self, command: Any) -> None:
        await self.socket.send(command if isinstance(command, str) else json.dumps(command))

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Sends a command, and returns its answer; pushes on the way are applied."""
        self.number += 1
        await self.send({"id": self.number, **command})
        while True:
            said = await self.receive()
            if said.get("id") == self.number:
                return said

    async def subscribe(self, *names: str, interval_ms: int = 0, since: Any = None) -> list[dict[str, Any]]:
        if since:
            self.position |= dict.fromkeys(names, (since["epoch"], since["offset"]))
        wants = [{"topic": name, **({"since": since} if since else {})} for name in names]
        answer = await self.ask(op="subscribe", topics=wants, interval_ms=interval_ms)
        assert answer["ok"], answer
        for result in answer["results"]:
            self._begin(result)
        return answer["results"]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not true():
                await self.receive()

    async def closed(self) -> int:
        """Reads to the end, and returns the close code."""
        async with asyncio.timeout(WAIT_S):
            try:
                while True:
                    await self.socket.recv()
            except websockets.ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006

    def _begin(self, result: dict[str, Any]) -> None:
        topic = result["topic"]
        if not result["recovered"]:
            self.state[topic] = result["snapshot"]
        for message in result.get("messages", []):
            self._apply(message)
        self.position[topic] = (result["epoch"], result["offset"])

    def _apply(self, push: dict[str, Any]) -> None:
        self.pushes.append(push)
        topic, data = push["topic"], push["data"]
        epoch, offset = self.position.get(topic, ("", 0))
        if push["epoch"] == epoch and push["offset"] <= offset:
            return
        self.position[topic] = (push["epoch"], push["offset"])
        if topic.startswith("board:"):
            self.state[topic] = {k: v for k, v in {**self.state[topic], **data}.items() if v is not None}
        elif topic.startswith(EVERY):
            assert push["epoch"] != epoch or push["offset"] == offset + 1, "a gap on an every-message topic"
            self.state[topic] = {"notices": [*self.state[topic]["notices"], data]}
        else:
            self.state[topic] = data


@dataclass
class House:
    """A running server with one hub."""

    hub: Hub
    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/v1"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def visit(
        self, cookie: str | None = None, origin: str | None = None, **options: Any
    ) -> AsyncIterator[Reader]:
        headers = [("Cookie", f"session={cookie}")] if cookie else []
        if origin:
            headers.append(("Origin", origin))
        options = {"compression": None, "close_timeout": 1} | options
        async with websockets.connect(self.url, additional_headers=headers, **options) as socket:
            yield Reader(socket)


@asynccontextmanager
async def open_house(
    limits: Limits,
    redis_url: str | None = None,
    around: Callable[[Any], Any] = lambda application: application,
    deflate: bool = False,
) -> AsyncIterator[House]:
    hub = Hub(redis_url, limits)
    hubs.use(hub)
    await hub.start()
    config = uvicorn.Config(
        around(URLRouter(websocket_urlpatterns)),
        port=0,
        ws="websockets-sansio",
        ws_per_message_deflate=deflate,
        lifespan="off",
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    # What `Server.serve` does, without its signal handlers and its loop that looks around ten times a second.
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield House(hub, server.servers[0].sockets[0].getsockname()[1])
    finally:
        await hub.stop()
        await server.shutdown()


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    valkey = Valkey(tmp_path)
    valkey.start()
    yield valkey
    valkey.stop()


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
async def house(town: Town, limits: Limits) -> AsyncIterator[House]:
    async with open_house(limits) as house:
        yield house


async def eventually(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await asyncio.sleep(0.005)


def quick(**changes: Any) -> Limits:
    """Limits with short clocks, for tests of what happens when they run out."""
    return replace(Limits(), **changes)
