"""Who reads slowly waits alone: nobody else is held up, and nothing grows."""

from __future__ import annotations

import asyncio
import json
import socket

from realtime.connection import Socket
from tests.realtime.conftest import House, Reader, Town, eventually, open_house, quick

PADDING = "x" * 8_000
MOST = 5_000  # messages: far more than any socket buffer holds


def narrow(house: House) -> socket.socket:
    """A connection whose kernel takes in little that is not read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect(("127.0.0.1", house.port))
    return connection


async def test_a_slow_reader_of_every_message_is_closed_and_the_others_get_all(town: Town):
    async with (
        open_house(quick(every_messages=50)) as house,
        house.visit(sock=narrow(house), max_queue=1) as slow,
        house.visit() as eager,
    ):
        await slow.subscribe("trades:gold")
        await eager.subscribe("trades:gold")
        for number in range(MOST):
            house.hub.deliver([town.say("trades:gold", {"n": number, "padding": PADDING})])
            assert (await eager.receive())["offset"] == number + 1
            if house.hub.counters.closed[4008]:
                break
        assert house.hub.counters.closed[4008] == 1
        assert await slow.closed() == 4008
        assert (await eager.ask(op="ping"))["ok"]


async def test_a_slow_reader_of_quotes_is_kept_and_ends_with_the_latest(town: Town):
    async with open_house(quick()) as house, house.visit(sock=narrow(house), max_queue=1) as slow:
        await slow.subscribe("quote:gold", "board:all")
        for number in range(2_000):
            rows = {f"k{number % 5}": {"n": number, "padding": PADDING}}
            house.hub.deliver(
                [town.say("quote:gold", {"n": number, "padding": PADDING}), town.say("board:all", rows)]
            )
            await asyncio.sleep(0)
        assert house.hub.counters.pushes_held > 0
        [held] = house.hub.sockets
        assert waiting(held) <= 2, "one per topic, however many were said"
        await slow.until(lambda: slow.position["quote:gold"][1] == slow.position["board:all"][1] == 2_000)
        assert slow.state["quote:gold"] == dict(town.truth("quote:gold").data)
        assert slow.state["board:all"] == dict(town.truth("board:all").data)
        assert len(slow.pushes) < 4_000, "conflated"


async def test_a_reader_who_never_takes_the_close_frame_is_let_go(town: Town):
    limits = quick(every_messages=10, close_s=0.1)
    async with open_house(limits) as house, house.visit(sock=narrow(house), max_queue=1) as dead:
        await dead.subscribe("trades:gold")
        for number in range(MOST):
            house.hub.deliver([town.say("trades:gold", {"n": number, "padding": PADDING})])
            if house.hub.counters.closed[4008]:
                break
            await asyncio.sleep(0)
        await eventually(lambda: not house.hub.sockets)
        assert not house.hub.groups


async def test_a_client_that_asks_without_reading_is_not_asked_for_more(town: Town):
    """Answers pile up for one question only; the next question waits in the client's own buffers."""
    town.say("quote:gold", {"padding": "x" * 60_000})
    limits = quick(commands_burst=10_000)
    async with open_house(limits) as house, house.visit(sock=narrow(house), max_queue=1) as greedy:
        await greedy.receive()
        for number in range(300):
            await greedy.send({"id": number, "op": "subscribe", "topics": [{"topic": "quote:gold"}]})
        [held] = house.hub.sockets
        await eventually(lambda: held._slow is not None)
        assert len(held._replies) <= 2
        answers = [(await greedy.receive())["id"] for _ in range(300)]
        assert answers == list(range(300))


async def test_many_slow_readers_share_what_waits_for_them(town: Town):
    async with open_house(quick(every_messages=10_000, every_bytes=10**9)) as house:
        readers: list[Reader] = []
        async with (
            house.visit(sock=narrow(house), max_queue=1) as a,
            house.visit(sock=narrow(house), max_queue=1) as b,
        ):
            readers += [a, b]
            for reader in readers:
                await reader.subscribe("trades:gold")
            for number in range(1_500):
                house.hub.deliver([town.say("trades:gold", {"n": number, "padding": PADDING})])
                await asyncio.sleep(0)
            one, two = [{id(entry) for entry in socket._outbox._every} for socket in house.hub.sockets]
            assert len(one & two) >= 0.8 * min(len(one), len(two)) > 0
            for reader in readers:
                await reader.until(lambda: reader.position["trades:gold"][1] == 1_500)  # noqa: B023


async def test_a_server_that_buffers_without_end_is_not_relied_upon(town: Town):
    """Daphne's `send` never waits. A client that reads, but does not answer, is held; then goes on."""
    limits = quick(unheard_ask_bytes=20_000, unheard_most_bytes=60_000)
    async with open_house(limits) as house, house.visit() as silent, house.visit() as polite:
        await silent.subscribe("quote:gold")
        await polite.subscribe("quote:gold")
        for number in range(1, 101):
            house.hub.deliver([town.say("quote:gold", {"n": number, "padding": PADDING})])
            await polite.until(
                lambda: polite.position["quote:gold"][1] == house.hub.states["quote:gold"].offset
            )
        frames = [json.loads(await silent.socket.recv()) for _ in range(9)]
        assert [frame.get("offset", "ping") for frame in frames] == [1, 2, 3, "ping", 4, 5, 6, 7, 8]
        assert max(waiting(socket) for socket in house.hub.sockets) == 1
        await silent.send({"op": "pong"})
        await silent.until(lambda: silent.position["quote:gold"][1] == 100)
        assert len(polite.pushes) == 100


def waiting(socket: Socket) -> int:
    return len(socket._outbox._conflated) + len(socket._outbox._every)
