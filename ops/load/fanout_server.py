"""The sending side of `bench fanout`, a process of its own.

    python -m ops.load.fanout_server ours|peer uvicorn|daphne PORT

Serves the real consumer with the real hub at /ws/v1, or the usual Channels consumer in a group at
/ws/peer, and makes ticks in this process, so that nothing but the fan-out is compared. Obeys lines on
stdin: `go RATE` (ticks a second, 0: as many as can be delivered), `pause`; `cpu` prints the seconds of
processor time used so far, `memory` the bytes that are resident (Linux).
"""

from __future__ import annotations

import asyncio
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        CSRF_TRUSTED_ORIGINS=[],
        REDIS_URL=None,
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        INSTALLED_APPS=[],
        USE_TZ=True,
    )
    django.setup()

import uvicorn
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from daphne.server import Server as Daphne
from django.urls import path

from ops.load.bench import allow_many_files
from realtime import topics
from realtime.hub import here
from realtime.identity import Who
from realtime.publish import Message
from realtime.routing import websocket_urlpatterns
from realtime.topics import Policy, Snapshot, TopicKind
from simgame.bootstrap.play import BACKLOG
from simgame.kernel import collector, threads

TOPIC = "quote:bench:600519.SH"
GROUP = "ticks"
QUOTE = {
    "symbol": "600519.SH",
    "bid": "1688.01",
    "bid_size": "300",
    "ask": "1688.02",
    "ask_size": "1200",
    "last": "1688.02",
    "volume": "2814300",
    "at": "2026-11-02T02:30:00.123456Z",
}
PAUSED = -1.0


class PeerConsumer(AsyncJsonWebsocketConsumer):
    """As in Channels' tutorial."""

    delivered = 0

    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()
        await self.send_json({"id": 1, "ok": True})

    async def tick(self, event: dict[str, Any]) -> None:
        await self.send_json(event["data"])
        PeerConsumer.delivered += 1


async def _snapshot(topic: str) -> Snapshot:
    return Snapshot("bench", 0, {})


async def _anybody(topic: str, who: Who | None) -> bool:
    return True


class Source:
    """Makes ticks at the rate that was ordered last, on the server's event loop."""

    def __init__(self, side: str):
        self.rate = PAUSED
        self._tick = self._tick_ours if side == "ours" else self._tick_peer
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    def start_once(self) -> None:
        """From the first connection: only then there is a running loop under every server."""
        if self._task is None:
            collector.set_aside()  # as `simgame.asgi` does
            threads.hand_over_soon()
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if self.rate == PAUSED:
                await asyncio.sleep(0.02)
                due = time.monotonic()
            elif self.rate == 0:
                await self._tick()
                await asyncio.sleep(0)
                due = time.monotonic()
            elif now < due:
                await asyncio.sleep(due - now)
            else:
                due += 1 / self.rate
                await self._tick()

    async def _tick_ours(self) -> None:
        self._number += 1
        data = {**QUOTE, "t": time.monotonic_ns()}
        (await here(None)).deliver([Message.of(TOPIC, "bench", self._number, data)])

    async def _tick_peer(self) -> None:
        """Waits until everybody has it: without that, Channels drops messages under load."""
        layer = get_channel_layer()
        members = len(layer.groups.get(GROUP, ()))
        before = PeerConsumer.delivered
        data = {"topic": TOPIC, "data": {**QUOTE, "t": time.monotonic_ns()}}
        await layer.group_send(GROUP, {"type": "tick", "data": data})
        if self.rate == 0:
            deadline = time.monotonic() + 2
            while PeerConsumer.delivered < before + members and time.monotonic() < deadline:
                await asyncio.sleep(0)


def application(source: Source) -> Any:
    router = URLRouter([*websocket_urlpatterns, path("ws/peer", PeerConsumer.as_asgi())])

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise ValueError("the bench server speaks WebSocket only")
        source.start_once()
        await router(scope, receive, send)

    return app


def obey(source: Source) -> None:
    for line in sys.stdin:
        order, _, value = line.strip().partition(" ")
        if order == "go":
            source.rate = float(value)
        elif order == "pause":
            source.rate = PAUSED
        elif order == "cpu":
            print(time.process_time(), flush=True)
        elif order == "memory":
            print(_resident_bytes(), flush=True)


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def main(side: str, server: str, port: int) -> None:
    topics.register(TopicKind("quote", Policy.LATEST, _snapshot, _anybody))
    source = Source(side)
    threading.Thread(target=obey, args=(source,), daemon=True).start()
    if server == "daphne":
        Daphne(
            application(source),
            endpoints=[f"tcp:port={port}:interface=127.0.0.1:backlog={BACKLOG}"],
            signal_handlers=True,
        ).run()
        return
    uvicorn.run(
        application(source),
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    allow_many_files()
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
