"""Messages cut from a real WebSocket, however the network hands their bytes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from market.feed.ingress import Ingress, Policy
from market.sources.base import Stage
from market.sources.binance_book import Symbol
from market.sources.items import Gap, Item
from market.sources.live import life
from market.sources.live.binance import BinanceSource
from market.sources.live.frames import FRAME_MAX, TURN_MAX, WAITING_MAX, Frames
from market.ticks import Print
from simgame.kernel.tasks import end
from tests.sources.stage import Platform, scale

TEXTS = [b"one", b"x" * 125, b"y" * 126, b"z" * 70_000, b"", "zwölf €".encode()]


@asynccontextmanager
async def spoken(say: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[Frames]:
    """A connection to a server that says this, and closes."""
    async with serve(say, "127.0.0.1", 0, compression=None) as server:
        host, port = server.sockets[0].getsockname()
        async with connect(
            f"ws://{host}:{port}", create_connection=Frames, compression=None, max_size=FRAME_MAX
        ) as socket:
            assert isinstance(socket, Frames)
            yield socket


async def all_of(socket: Frames) -> list[bytes]:
    got: list[bytes] = []
    async with asyncio.timeout(20):
        while frames := await socket.frames():
            assert len(frames) <= TURN_MAX
            got += frames
    return got


def written(text: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, text, fin).serialize(mask=False)


@pytest.mark.parametrize("step", [1, 3, 1_000, 1_000_000])
async def test_every_message_comes_whole_wherever_the_bytes_are_torn(step: int):
    texts = TEXTS if step > 3 else [text for text in TEXTS if len(text) < 1_000]

    async def say(socket: ServerConnection) -> None:
        data = b"".join(map(written, texts))
        for at in range(0, len(data), step):
            socket.transport.write(data[at : at + step])
            await asyncio.sleep(0)

    async with spoken(say) as socket:
        assert await all_of(socket) == texts
        assert socket.close_code == 1000


async def test_a_message_in_parts_is_put_together_and_a_ping_between_them_is_answered():
    answered: list[float] = []

    async def say(socket: ServerConnection) -> None:
        socket.transport.write(written(b"he", fin=False))
        answered.append(await (await socket.ping()))
        socket.transport.write(written(b"ll", Opcode.CONT, fin=False) + written(b"o", Opcode.CONT))
        socket.transport.write(written(b"after"))

    async with spoken(say) as socket:
        assert await all_of(socket) == [b"hello", b"after"]
    assert answered


async def test_what_nobody_reads_stays_in_the_socket_and_none_of_it_is_lost():
    count, gone = 40_000, asyncio.Event()

    async def say(socket: ServerConnection) -> None:
        await gone.wait()
        for n in range(count):
            await socket.send(b"%07d" % n * 10)

    async with spoken(say) as socket:
        gone.set()
        got = await socket.frames()
        while len(socket._frames) <= WAITING_MAX:  # until it has read ahead as far as it may
            await asyncio.sleep(0)
        assert len(socket._frames) < count // 2
        got += await all_of(socket)
    assert got == [b"%07d" % n * 10 for n in range(count)]


@pytest.mark.parametrize(
    "nonsense",
    [
        Frame(Opcode.TEXT, b"masked").serialize(mask=True),
        written(b"no beginning", Opcode.CONT),
        b"\x81\x7f" + (FRAME_MAX + 1).to_bytes(8, "big"),
        b"\x83\x00",
    ],
    ids=["masked", "no beginning", "too large", "no such opcode"],
)
async def test_what_no_server_may_send_ends_the_connection(nonsense: bytes):
    async def say(socket: ServerConnection) -> None:
        socket.transport.write(written(b"sound") + nonsense)
        await socket.wait_closed()

    async with spoken(say) as socket:
        assert await all_of(socket) == [b"sound"]
        assert socket.protocol.close_sent is not None
        assert socket.protocol.close_sent.code in (1002, 1009)


async def test_a_queue_that_is_full_holds_the_venue_back_and_loses_nothing():
    count, symbol = 20_000, Symbol("COIN0USDT", "COIN0", "USDT", "0.01", "1")
    ingress = Ingress(Policy.BLOCK, capacity=300)

    class Narrow(Platform):
        async def put_all(self, items: Iterable[Item]) -> None:
            await ingress.put_all(list(items))

    async def say(socket: ServerConnection) -> None:
        await socket.recv()  # the subscription: not answered, or it asks for a snapshot
        row = '{"data":{"e":"aggTrade","E":1,"T":1,"s":"COIN0USDT","a":%d,"p":"1.00","q":"1","m":true}}'
        for first in range(1, count + 1, 1_000):
            numbers = range(first, first + 1_000)
            socket.transport.write(b"".join(written((row % n).encode()) for n in numbers))
            await asyncio.sleep(0)
        await socket.wait_closed()

    async with serve(say, "127.0.0.1", 0, compression=None) as server:
        host, port = server.sockets[0].getsockname()
        source = BinanceSource([symbol], f"ws://{host}:{port}", "")
        playing = asyncio.create_task(source.run(Narrow(source, [scale("COIN0USDT")])))
        got: list[int] = []
        async with asyncio.timeout(60):
            while len(got) < count:
                got += [item.source_seq for item in await ingress.take(64) if isinstance(item, Print)]
                await asyncio.sleep(0)
        await end([playing])
    assert got == list(range(1, count + 1))
    assert ingress.blocked
    assert ingress.longest == 300


async def test_a_venue_that_we_do_not_listen_to_for_long_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(life, "WATCH_S", 0.01)
    room, passed = asyncio.Event(), asyncio.Event()

    class Full(Platform):
        async def put_all(self, items: Iterable[Item]) -> None:
            await room.wait()

    class Venue(life.Live):
        name, silent_s, looks = "venue", 0.01, 0

        async def connect(self) -> None: ...

        async def hang_up(self) -> None: ...

        async def subscribe(self, symbols: Sequence[str]) -> None: ...

        async def unsubscribe(self, symbols: Sequence[str]) -> None: ...

        async def listen(self, stage: Stage) -> None:
            await self.pass_on(stage, [Gap(self.name, "", 1)])
            passed.set()

        def ailing(self) -> str:
            self.looks += 1
            if self.looks == 20:  # the queue has been full for many times `silent_s`
                room.set()
            return ""

    source = Venue(["COIN0USDT"])
    playing = asyncio.create_task(source.run(Full(source, [scale("COIN0USDT")])))
    async with asyncio.timeout(60):
        await passed.wait()
    await end([playing])
    assert (source.epoch, source.reconnects["silent"]) == (1, 0)
