"""Sockets know the same people as requests do, and let go of them as soon."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings

from market.models import World
from realtime import hub, topics
from simgame.asgi import application
from tests.api.test_journey import REST
from tests.api.wire import Browser, Client
from trading import halts

PATIENCE_S = 15


class Socket(WebsocketCommunicator):
    """Threads give their database connections back to the pool, as they do behind a server.

    Channels' own communicator keeps them, for tests in one transaction: after a few sockets the pool of
    eight was empty, and a topic could not be read for the 5 s that it waits.
    """

    send_input = ApplicationCommunicator.send_input
    receive_output = ApplicationCommunicator.receive_output


@pytest.fixture(autouse=True)
async def _hub() -> AsyncIterator[None]:
    """The worker's hub ends with the test, as it does with the worker."""
    yield
    await (await hub.here(settings.REDIS_URL)).stop()


async def opened(**headers: str) -> Socket:
    given = [(b"host", b"localhost"), *((name.encode(), value.encode()) for name, value in headers.items())]
    socket = Socket(application, "/ws/v1", given)
    assert (await socket.connect(PATIENCE_S))[0]
    assert (await heard(socket))["type"] == "hello"
    return socket


async def heard(socket: Socket) -> Any:
    said = json.loads(await socket.receive_from(PATIENCE_S))
    return said[0] if isinstance(said, list) else said


async def asked(socket: Socket, **command: Any) -> Any:
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


async def test_a_channel_that_cannot_be_followed_changes_nothing(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (await alice.post("/api/v1/keys", {})).json
    socket = Socket(application, "/v2/iex", [(b"host", b"localhost")])
    assert (await socket.connect(PATIENCE_S))[0]
    assert (await heard(socket))["msg"] == "connected"
    await socket.send_to(json.dumps({"action": "auth", "key": made["key_id"], "secret": made["secret"]}))
    assert (await heard(socket))["msg"] == "authenticated"

    async def said(**words: Any) -> Any:
        await socket.send_to(json.dumps({"action": "subscribe", **words}))
        while (answer := await heard(socket))["T"] not in ("subscription", "error"):
            continue
        return answer

    assert (await said(quotes=["SHARE"]))["quotes"] == ["SHARE"]

    async def nobody_answers(topic: str) -> None:
        raise ConnectionError(topic)

    with monkeypatch.context() as away:
        trades = topics.kind_of("trades:street:SHARE")
        away.setitem(topics._KINDS, "trades", replace(trades, snapshot=nobody_answers))
        refused = await said(trades=["SHARE"])
        assert (refused["T"], refused["code"]) == ("error", 500)
    unchanged = await said(quotes=["SHARE"])
    assert (unchanged["quotes"], unchanged["trades"]) == (["SHARE"], [])
    assert (await said(trades=["SHARE"]))["trades"] == ["SHARE"]
    await socket.disconnect()


async def test_everybody_hears_what_is_halted_and_nobody_else_s_world(alice: Client) -> None:
    socket = await opened()  # a visitor: halts are public
    begun = (await asked(socket, op="subscribe", topics=[{"topic": "halts:street"}], interval_ms=0))[
        "results"
    ][0]
    assert begun["snapshot"] == {"halts": {}}
    world = await database_sync_to_async(World.objects.get)(slug="street")
    await database_sync_to_async(halts.halt)(world, "SHARE", "news is awaited", by=None)
    told = await heard(socket)
    assert (told["topic"], told["data"]) == ("halts:street", {"halts": {"SHARE": "news is awaited"}})
    assert (told["epoch"], told["offset"] > begun["offset"]) == (begun["epoch"], True)
    late = await opened()
    snapshot = (await asked(late, op="subscribe", topics=[{"topic": "halts:street"}]))["results"][0]
    assert snapshot["snapshot"] == told["data"]
    assert snapshot["offset"] >= told["offset"]
    unknown = await asked(late, op="subscribe", topics=[{"topic": "halts:elsewhere"}])
    assert unknown["error"]["code"] == "UNKNOWN_TOPIC"
    await database_sync_to_async(halts.resume)(world, "SHARE", "it came", by=None)
    assert (await heard(socket))["data"] == {"halts": {}}
    for each in (socket, late):
        await each.disconnect()


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
    got = await asked(socket, op="subscribe", topics=[{"topic": topic}])
    assert "results" in got, got
    await socket.disconnect()
    for headers in ([(b"origin", b"https://evil.example")], [(b"origin", b"null")], []):
        given = [(b"host", b"localhost"), (b"cookie", cookie.encode()), *headers]
        foreign = Socket(application, "/ws/v1", given)
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
async def test_an_address_without_a_socket_is_refused(path: str, transactional_db: None) -> None:
    nowhere = Socket(application, path, [(b"host", b"localhost")])
    assert (await nowhere.connect(PATIENCE_S))[0] is False
