"""Sockets know the same people as requests do, and let go of them as soon."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings

from realtime import hub
from simgame.asgi import application
from tests.api.test_journey import REST
from tests.api.wire import Browser, Client

PATIENCE_S = 15


@pytest.fixture(autouse=True)
async def _hub() -> AsyncIterator[None]:
    """The worker's hub ends with the test, as it does with the worker."""
    yield
    await (await hub.here(settings.REDIS_URL)).stop()


async def opened(**headers: str) -> WebsocketCommunicator:
    given = [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers.items())]
    socket = WebsocketCommunicator(application, "/ws/v1", given)
    assert (await socket.connect(PATIENCE_S))[0]
    assert (await heard(socket))["type"] == "hello"
    return socket


async def heard(socket: WebsocketCommunicator) -> Any:
    said = json.loads(await socket.receive_from(PATIENCE_S))
    return said[0] if isinstance(said, list) else said


async def asked(socket: WebsocketCommunicator, **command: Any) -> Any:
    await socket.send_to(text_data=json.dumps({"id": 1, **command}))
    return await heard(socket)


async def test_a_bot_reads_its_own_portfolio_and_no_other(alice: Client, bob: Client) -> None:
    hers, his = (f"portfolio:{client.said['portfolio']['id']}" for client in (alice, bob))
    token = alice.headers["authorization"].removeprefix("Bearer ")
    socket = await opened()
    assert (await asked(socket, op="auth", token=token))["ok"]
    first = (await asked(socket, op="subscribe", topics=[{"topic": hers}]))["results"][0]
    assert first["snapshot"]["portfolio"]["player"]["username"] == "Alice"
    refused = await asked(socket, op="subscribe", topics=[{"topic": his}])
    assert "snapshot" not in json.dumps(refused)
    await socket.disconnect()


async def test_a_key_opens_a_socket_for_its_portfolio(alice: Client) -> None:
    made = (await alice.post("/api/v1/keys", {})).json
    socket = await opened()
    assert (await asked(socket, op="auth", token=f"{made['key_id']}:{made['secret']}"))["ok"]
    topic = f"portfolio:{made['portfolio_id']}"
    assert (await asked(socket, op="subscribe", topics=[{"topic": topic}]))["results"][0]["topic"] == topic
    await socket.disconnect()


async def test_a_socket_with_a_false_token_is_sent_away(alice: Client) -> None:
    for token in ("nonsense", "SGNOBODY:secret", ":", "a.b.c", "\x00"):
        socket = await opened()
        await socket.send_to(text_data=json.dumps({"id": 1, "op": "auth", "token": token}))
        said = await socket.receive_output(PATIENCE_S)
        assert (said["type"], said.get("code")) == ("websocket.close", 4500), (token, said)
        await socket.disconnect()


async def test_a_browser_is_known_by_its_cookie_from_our_own_origin(board: None, exchange: Any) -> None:
    browser = Browser()
    started = (await browser.post("/api/v1/auth/guest")).json
    cookie = f"sessionid={browser.cookies['sessionid']}"
    socket = await opened(origin="http://localhost", cookie=cookie)
    topic = f"portfolio:{started['portfolio']['id']}"
    assert (await asked(socket, op="subscribe", topics=[{"topic": topic}]))["results"][0]["snapshot"]
    await socket.disconnect()
    for headers in ([(b"origin", b"https://evil.example")], [(b"origin", b"null")], []):
        given = [(b"host", b"localhost"), (b"cookie", cookie.encode()), *headers]
        foreign = WebsocketCommunicator(application, "/ws/v1", given)
        await foreign.connect(PATIENCE_S)
        said = await foreign.receive_output(PATIENCE_S)
        assert (said["type"], said.get("code")) == ("websocket.close", 4507), (headers, said)
        await foreign.disconnect()


async def test_signing_out_closes_the_socket(alice: Client) -> None:
    token = alice.headers["authorization"].removeprefix("Bearer ")
    socket = await opened()
    await asked(socket, op="auth", token=token)
    assert (await alice.post("/v2/orders", REST)).status == 200
    assert (await alice.delete("/api/v1/auth/sessions")).status == 204
    said = await socket.receive_output(PATIENCE_S)
    while said["type"] == "websocket.send":
        said = await socket.receive_output(PATIENCE_S)
    assert said["code"] == 4500
    await socket.disconnect()


@pytest.mark.parametrize("path", ["/ws/v2", "/ws/", "/", "/ws/v1/more"])
async def test_an_address_without_a_socket_is_refused(path: str) -> None:
    nowhere = WebsocketCommunicator(application, path, [(b"host", b"localhost")])
    assert (await nowhere.connect(PATIENCE_S))[0] is False
