"""The feed's turns: how long they are, and what may happen between them."""

from __future__ import annotations

import asyncio
import math

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from market.feed.bars import BarBuilder
from market.feed.hub import batch_of
from market.feed.publisher import ROWS_A_SLICE, RedisPublisher
from market.feed.state import WorldState
from market.feed.turns import CREDIT, LONGEST_MS, SHARE, SHORTEST_MS, TURNS, Turns
from market.sources.live.frames import Frames
from tests.market.conftest import quote
from tests.market.test_tails import NOWHERE, Facts


def worked(turns: Turns, share: float, seconds: int, since: tuple[float, float]) -> tuple[float, float]:
    now_s, used_s = since
    for _ in range(seconds):
        now_s, used_s = now_s + 1, used_s + share
        turns.look(now_s, used_s)
    return now_s, used_s


def test_turns_grow_where_they_would_cost_too_much_and_shrink_when_there_is_room():
    turns = Turns()
    at = worked(turns, 0.0, 1, (100.0, 3.0))
    assert turns.length_ms == SHORTEST_MS
    at = worked(turns, SHARE * 1.5, 3, at)
    assert turns.length_ms == SHORTEST_MS + 3
    at = worked(turns, SHARE * 1.5, 60, at)
    assert turns.length_ms == LONGEST_MS
    at = worked(turns, SHARE * 0.97, 60, at)  # it is just right
    assert turns.length_ms == LONGEST_MS
    worked(turns, SHARE * 0.3, 60, at)
    assert turns.length_ms == SHORTEST_MS


def spent(turns: Turns, loop_s: float) -> None:
    """A venue that said something every moment has used up what quieter ones had saved."""
    for _ in range(2 * CREDIT):
        turns.wait_s(loop_s)


def test_all_that_waits_wakes_at_the_same_moments():
    turns = Turns()
    turns.length_ms = 5
    spent(turns, 12.000)
    for now_s in (12.000, 12.001, 12.004, 12.0049):
        assert round((now_s + turns.wait_s(now_s)) * 1_000) in (12_005, 12_010)


def test_what_comes_seldom_enough_is_read_as_it_comes():
    """Handfuls at uneven moments, on the average a turn apart: none waits for the next moment of all."""
    turns = Turns()
    turns.length_ms = 4
    moments = [10.0 + 0.001 * ms for ms in (0, 3, 9, 12, 17, 20)]
    assert [turns.wait_s(moment) for moment in moments] == [0.0] * len(moments)


def test_a_machine_that_has_just_started_has_turns_saved_too():
    """Its clock stands at less than they would take."""
    turns = Turns()
    turns.length_ms = 3_600_000
    assert [turns.wait_s(0.5) == 0 for _ in range(CREDIT)] == [True] * CREDIT


def test_after_a_rush_turns_are_saved_again_and_only_so_many():
    turns = Turns()
    spent(turns, 50.0)
    assert turns.wait_s(50.0) > 0
    assert [turns.wait_s(60.0) == 0 for _ in range(CREDIT + 2)] == [True] * CREDIT + [False] * 2


async def test_what_was_read_late_is_not_held_until_another_turn_has_passed():
    """The reading came at the end of a turn, the next one at its beginning."""
    turns = Turns()
    turns.length_ms = 3_600_000
    turns._looked_s = math.inf  # what the tests have used of the processor makes it no longer
    loop = asyncio.get_running_loop()
    for _ in range(CREDIT):
        await turns.begin()
    turns._began_s = loop.time() - turns.length_ms / 1_000 * 0.6
    async with asyncio.timeout(60):
        await turns.begin()
    waiting = asyncio.create_task(turns.begin())  # but what comes one by one shares a turn
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_between_two_turns_a_venue_is_not_read_and_then_all_of_it_at_once(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(TURNS, "wait_s", lambda now_s: 3_600.0)
    first_is_read, said = asyncio.Event(), asyncio.Event()

    async def say(socket: ServerConnection) -> None:
        await socket.send("first")
        await first_is_read.wait()
        for word in ("second", "third", "fourth"):
            await socket.send(word)
        said.set()
        await socket.wait_closed()

    async with serve(say, "127.0.0.1", 0, compression=None) as server:
        host, port = server.sockets[0].getsockname()
        async with connect(f"ws://{host}:{port}", create_connection=Frames, compression=None) as socket:
            assert isinstance(socket, Frames)
            assert await socket.frames() == [b"first"]
            first_is_read.set()
            await said.wait()
            for _ in range(100):  # what had come would have been read by now
                await asyncio.sleep(0)
            assert not socket._frames
            socket._turn_has_come()
            assert await socket.frames() == [b"second", b"third", b"fourth"]
            socket._turn_has_come()  # and the closing handshake is heard


async def test_ticks_pass_while_the_news_of_many_instruments_is_made():
    symbols = [f"S{number:03}" for number in range(200)]
    state = WorldState()
    publisher = RedisPublisher(
        NOWHERE,
        slug="seeded",
        timezone="UTC",
        epoch="e",
        scales={symbol: Facts(symbol) for symbol in symbols},
        state=state,
        bars=BarBuilder(),
    )
    ticks = [quote(symbol, 1_000, 1_001, seq) for seq, symbol in enumerate(symbols, 1)]
    for tick in ticks:
        state.apply(tick)
    publisher.offer(batch_of(list(ticks)))
    passed = 0

    async def pass_ticks() -> None:
        nonlocal passed
        while True:
            passed += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(pass_ticks())
    await publisher.flush()
    others.cancel()
    await publisher.close()
    assert passed >= 2 * len(symbols) // ROWS_A_SLICE  # a quote's row and a book's of each
