"""Bytes made once, and the short way to the network: what arrives is the same on every way."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from realtime.hub import Hub
from realtime.limits import Limits
from realtime.wire import binary_frame, straight_way, text_frame
from tests.realtime.conftest import House, Town, open_house

LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]  # each head that RFC 6455 knows, and its edges


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("letter", ["x", "价"])
def test_the_bytes_are_those_of_rfc_6455(letter: str, length: int):
    text = letter * length
    frame = text_frame(text)
    assert frame.wire == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
    assert frame.event == {"type": "websocket.send", "text": text}
    assert frame.size == len(text.encode())
    binary = binary_frame(text.encode())
    assert binary.wire == Frame(Opcode.BINARY, text.encode()).serialize(mask=False)


async def hears_every_length(house: House, town: Town, **options: Any) -> None:
    async with house.visit(max_size=None, **options) as guest:
        await guest.subscribe("quote:gold")
        for length in LENGTHS:
            house.hub.deliver([town.say("quote:gold", {"said": "价" * length})])
            await guest.until(lambda: guest.state["quote:gold"] == dict(town.truth("quote:gold").data))
        assert len(guest.pushes) == len(LENGTHS)


def straight_ones(hub: Hub) -> list[bool]:
    return [socket._straight is not None for socket in hub.sockets]


async def test_under_uvicorn_frames_go_straight_to_the_transport(house: House, town: Town):
    async with house.visit() as guest:
        await guest.receive()
        assert straight_ones(house.hub) == [True], "uvicorn has changed: see wire.py"
    await hears_every_length(house, town)


async def test_what_the_kernel_does_not_take_at_once_follows_in_order(town: Town):
    """More than a socket's buffers hold, said in one go: parts of a frame are never mixed with another's."""
    limits = Limits(unheard_most_bytes=1 << 30, unheard_ask_bytes=1 << 30)
    async with open_house(limits) as house, house.visit(max_size=None) as guest:
        await guest.subscribe("quote:gold")
        for number in range(40):
            house.hub.deliver([town.say("quote:gold", {"number": number, "said": "价" * 100_000})])
        await guest.until(lambda: guest.state["quote:gold"] == dict(town.truth("quote:gold").data))
        numbers = [push["offset"] for push in guest.pushes]
        assert numbers == sorted(set(numbers))
        assert len(numbers) > 1


async def test_behind_a_middleware_they_go_by_its_send(town: Town):
    passed: list[str] = []

    def noting(application: Any) -> Any:
        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            async def noting_send(event: Any) -> None:
                passed.append(event["type"])
                await send(event)

            await application(scope, receive, noting_send)

        return middleware

    async with open_house(Limits(), around=noting) as house:
        await hears_every_length(house, town)
        assert passed.count("websocket.send") >= 2 + len(LENGTHS), "hello, the answer, each push, and pings"


async def test_a_compressed_socket_gets_bytes_of_its_own(town: Town):
    async with open_house(Limits(), deflate=True) as house:
        async with house.visit(compression="deflate") as guest:
            await guest.receive()
            assert straight_ones(house.hub) == [False]
        await hears_every_length(house, town, compression="deflate")
        await hears_every_length(house, town)


@pytest.mark.parametrize("send", [None, print, lambda event: None])
def test_an_unknown_server_has_no_straight_way(send: Any):
    assert straight_way(send) is None
