"""Links between the feed and its readers, over real Unix sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from market.feed import client, wire
from market.feed.client import FeedClient
from market.feed.hub import Hub, Link, TooSlow, batch_of
from market.feed.server import FeedServer
from market.feed.state import WorldState
from market.ticks import PhaseTick, Print, Quote, Reference, Tick, decode_many

NOW = 1_793_620_800 * 10**9


def quote(seq: int, symbol: str = "ALB", size: int = 1) -> Quote:
    return Quote(symbol, ((100, size),), ((101, size),), NOW, NOW, "test", seq=seq)


def trade(seq: int, symbol: str = "ALB") -> Print:
    return Print(symbol, 100, 1, "buy", NOW, NOW, "test", seq=seq)


def phase(seq: int, name: str = "continuous", day: int = 20261102) -> PhaseTick:
    return PhaseTick(day, name, name, 0, NOW, NOW, seq=seq)


class World:
    """A hub with a server and a state, as the process has them."""

    def __init__(self, path: Path):
        self.state, self.hub = WorldState(), Hub()
        self.server = FeedServer(
            path, self.hub, self.state.snapshot, lambda asked: {"op": asked["op"], "n": 7}
        )

    def say(self, *ticks: Tick) -> None:
        for tick in ticks:
            self.state.apply(tick)
        self.hub.pass_on(batch_of(list(ticks)))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path / "feed.sock")
    made.say(phase(1), Reference("ALB", 20261102, 100, 0, 0, NOW, NOW, "test", 2), quote(3))
    await made.server.start()
    yield made
    await made.server.stop()


def reader(world: World) -> FeedClient:
    return FeedClient(1, role="test", address=world.server.address)


async def until_joined(world: World) -> None:
    async with asyncio.timeout(10):
        while not world.server.links:
            await asyncio.sleep(0.005)


async def test_a_reader_gets_the_snapshot_and_then_every_tick(world: World):
    client_ = reader(world)
    ticks = aiter(client_)
    snapshot = await anext(ticks)
    assert [type(tick).__name__ for tick in snapshot] == ["PhaseTick", "Reference", "Quote"]
    assert snapshot[0].seq == 3  # where the live ticks go on
    world.say(quote(4), trade(5))
    world.say(trade(6))
    got = await anext(ticks)
    while len(got) < 3:
        got += await anext(ticks)
    assert got == [quote(4), trade(5), trade(6)]
    await client_.close()


async def test_the_socket_is_for_its_owner_only(world: World):
    assert world.server.path.stat().st_mode & 0o777 == 0o600


async def test_a_reader_asks_for_a_snapshot_when_numbers_are_missing(world: World):
    client_ = reader(world)
    ticks = aiter(client_)
    await anext(ticks)
    world.state.apply(quote(4, size=9))  # a tick that never went out
    world.say(trade(5))
    assert await anext(ticks) == [trade(5)]
    again = await anext(ticks)
    assert quote(4, size=9) in again
    assert client_.snapshots == 2
    await client_.close()


async def test_a_reader_comes_back_after_the_feed_was_away(world: World, tmp_path: Path):
    client_ = reader(world)
    ticks = aiter(client_)
    await anext(ticks)
    await world.server.stop()
    following = asyncio.create_task(anext(ticks))
    later = World(tmp_path / "feed.sock")
    later.say(phase(10))
    await later.server.start()
    async with asyncio.timeout(20):
        assert [tick.seq for tick in await following] == [10]
    await client_.close()
    await later.server.stop()


async def test_questions_are_answered_without_a_role(world: World):
    assert await client.ask(world.server.address, {"op": "status"}) == {"op": "status", "n": 7}
    assert not world.server.links


async def test_nonsense_ends_only_its_own_connection(world: World):
    for nonsense in (
        b"\xff" * 64,
        b"\x00\x00\x00\x03abc",
        wire.frame(b"\xc1"),
        wire.frame(b"\x93\x01\x02\x03"),
    ):
        other, writer = await asyncio.open_unix_connection(str(world.server.path))
        writer.write(nonsense)
        async with asyncio.timeout(10):
            assert await other.read() == b""
        writer.close()
    assert await client.ask(world.server.address, {"op": "status"}) == {"op": "status", "n": 7}


async def test_a_reader_that_does_not_read_gets_the_latest_quotes_and_every_print(world: World):
    """Bob's exchange stands still for 20,000 batches; nobody else notices."""
    stuck, writer = await asyncio.open_unix_connection(str(world.server.path), limit=1 << 16)
    writer.write(wire.frame(wire.encode_map({"role": "bob"})))
    await until_joined(world)
    (link,) = world.server.links
    seq = 3
    while seq < 20_000:
        world.say(quote(seq + 1, "ALB", seq), quote(seq + 2, "MRT", seq), trade(seq + 3))
        seq += 3
        if seq % 300 == 0:
            await asyncio.sleep(0)
    assert link.waiting <= link.frames_max + 1
    prints, quotes, conflated = [], {}, 0
    async with asyncio.timeout(30):
        while not prints or prints[-1] < seq:
            payload = await wire.read_frame(stuck)
            ticks = decode_many(payload) if wire.is_ticks(payload) else wire.decode_conflated(payload).ticks
            conflated += not wire.is_ticks(payload)
            prints += [tick.seq for tick in ticks if isinstance(tick, Print)]
            quotes |= {tick.symbol: tick for tick in ticks if isinstance(tick, Quote)}
            assert [tick.seq for tick in ticks[3:]] == sorted(tick.seq for tick in ticks[3:])
    assert conflated >= 1
    assert prints == list(range(6, seq + 1, 3))
    assert quotes == {symbol: world.state.quotes[symbol] for symbol in ("ALB", "MRT")}
    assert link.arrears.superseded > 0
    writer.close()


async def test_phases_are_kept_while_a_link_is_behind_one_per_phase_and_day():
    link = Link("slow", frames_max=0)
    link.offer(batch_of([phase(1), phase(2), phase(3, "break"), phase(4, "break"), phase(5, "closed")]))
    link.offer(batch_of([phase(6, "closed", 20261103)]))
    payload = (await link.next())[4:]
    assert [tick.seq for tick in wire.decode_conflated(payload).ticks] == [2, 4, 5, 6]


async def test_a_link_that_owes_too_many_prints_is_cut():
    link = Link("stuck", frames_max=0, prints_max=10)
    link.offer(batch_of([trade(n) for n in range(1, 12)]))
    with pytest.raises(TooSlow):
        await link.next()


async def test_only_so_many_links(world: World, monkeypatch):
    monkeypatch.setattr("market.feed.server.LINKS_MAX", 1)
    first = reader(world)
    ticks = aiter(first)
    await anext(ticks)
    other, writer = await asyncio.open_unix_connection(str(world.server.path))
    writer.write(wire.frame(wire.encode_map({"role": "one too many"})))
    async with asyncio.timeout(10):
        assert await other.read() == b""
    writer.close()
    await first.close()
