"""The straight road of orders, on a real server: it answers as the road through ASGI does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import uvicorn
from django.db import OperationalError

from accounts import keys, limits, logins
from simgame.asgi import application
from tests.exchange import street
from trading.exchange.client import client_for
from trading.exchange.wire import Status
from trading.gateway import placing, route, straight
from trading.gateway.straight import OrderProtocol
from trading.models import Order

pytestmark = pytest.mark.django_db(transaction=True)
GOOD = {"symbol": "SHARE", "qty": "100", "side": "buy", "type": "limit", "limit_price": "9.00"}
PATIENCE_S = 20
OF_ONE_ANSWER = ("date", "x-request-id", "ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset")
DIFFERS = (
    "id",
    "asset_id",
    "created_at",
    "updated_at",
    "submitted_at",
    "failed_at",
    "client_order_id",
    "request_id",
)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def plain(self) -> tuple[int, dict[str, str], Any]:
        """Without what is another one each time."""
        headers = {name: text for name, text in self.headers.items() if name not in OF_ONE_ANSWER}
        headers.pop("content-length", None)
        return self.status, headers, _without(json.loads(self.body)) if self.body else None


def _without(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    return {name: _without(value) for name, value in said.items() if name not in DIFFERS}


class Line:
    """One connection of a bot with a key."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, credentials: dict[str, str]
    ):
        self.reader, self.writer, self.credentials = reader, writer, credentials

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> bytes:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {"host": "localhost", "content-type": "application/json", "content-length": str(len(raw))}
        given |= self.credentials | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
        return "\r\n".join([*lines, "", ""]).encode() + raw

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        self.writer.write(self.request(method, path, body, **headers))
        return await self.answer()

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE_S):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)


class Served:
    """The game on a port of its own, in the loop of the test."""

    def __init__(self, server: uvicorn.Server, credentials: dict[str, str]):
        self.server, self.credentials = server, credentials
        self.port = server.servers[0].sockets[0].getsockname()[1]
        self.lines: list[Line] = []

    async def line(self, **credentials: str) -> Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.lines.append(Line(reader, writer, credentials or self.credentials))
        return self.lines[-1]


@pytest.fixture
def credentials(exchange: Any, world: Any) -> dict[str, str]:
    """Alice's."""
    limits.forget()
    logins.recent.forget()
    alice = street.open_portfolio(world, "alice")
    key, secret = keys.make(alice.player_id, alice.id)
    return {"apca-api-key-id": key.key_id, "apca-api-secret-key": secret}


@pytest.fixture
async def served(credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    config = uvicorn.Config(
        application, port=0, http=OrderProtocol, ws="websockets-sansio", lifespan="off",
        access_log=False, log_level="warning", timeout_keep_alive=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    monkeypatch.setattr(server, "capture_signals", _no_signals)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0)
    served = Served(server, credentials)
    yield served
    for line in served.lines:
        line.writer.close()
    server.should_exit = True
    await running


class _no_signals:  # noqa: N801
    def __enter__(self) -> None:
        """pytest keeps its own."""

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def general(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that took the road through ASGI."""
    taken: list[str] = []
    through = route.application

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        taken.append(scope["path"])
        await through(scope, receive, send)

    monkeypatch.setattr("trading.gateway.application", counted)
    return taken


async def test_both_roads_give_the_same_answers(served: Served, general: list[str]) -> None:
    line = await served.line()
    stranger = await served.line(authorization="Bearer nonsense")
    unknown = "/v2/orders/00000000-0000-7000-8000-000000000000"
    for who, method, path, body, headers in (
        (line, "POST", "/v2/orders", GOOD, {}),
        (line, "POST", "/v2/orders", GOOD | {"client_order_id": "twice"}, {}),
        (line, "POST", "/v2/orders", GOOD | {"qty": "100000000"}, {}),
        (line, "POST", "/v2/orders", GOOD | {"side": "hold"}, {}),
        (line, "POST", "/v2/orders", b"{", {}),
        (line, "POST", "/v2/orders", GOOD, {"content_type": "text/plain"}),
        (line, "POST", "/v2/orders", GOOD, {"x_portfolio": "999999"}),
        (line, "PATCH", unknown, {"qty": "200"}, {}),
        (line, "DELETE", unknown, None, {}),
        (line, "DELETE", "/v2/orders/7", None, {"x_request_id": "mine-1"}),
        (stranger, "POST", "/v2/orders", GOOD, {}),
    ):
        limits.forget()
        straight_on = await who.ask(method, path, body, **headers)
        assert not general, path
        around = await who.ask(method, f"{path}?", body, **headers)
        assert general == [path]
        general.clear()
        if b"twice" not in straight_on.body:  # the second one is a repetition, and says so
            assert straight_on.plain == around.plain
        if "x_request_id" in headers:
            assert straight_on.headers["x-request-id"] == "mine-1"


async def test_who_is_known_places_an_order_in_one_piece_and_each_attempt_counts_once(
    served: Served, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    line, looked_up, answered = await served.line(), [], route.answered
    monkeypatch.setattr(route, "answered", lambda *asked: looked_up.append(asked) or answered(*asked))
    assert (await line.ask("POST", "/v2/orders", GOOD)).status == 200
    assert len(looked_up) == 1, "nobody knew her yet"
    assert (await line.ask("POST", "/v2/orders", GOOD)).status == 200
    assert (await line.ask("POST", "/v2/orders", GOOD | {"side": "hold"})).status == 422
    assert (await line.ask("POST", "/v2/orders", GOOD | {"qty": "100000000"})).status == 403
    assert len(looked_up) == 1
    placing.scales.forget()
    limits.forget()
    settings.ORDER_RATE = 4
    found = [await line.ask("POST", "/v2/orders", body) for body in (GOOD, b"{", GOOD, GOOD, b"{", GOOD)]
    assert [each.status for each in found] == [200, 400, 200, 200, 429, 429]
    assert len(looked_up) == 1 + 3, "an instrument, and what is no JSON"


async def test_an_order_whose_way_to_the_exchange_cannot_be_found_is_told_so(
    served: Served, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await served.line()
    assert (await line.ask("POST", "/v2/orders", GOOD)).status == 200

    def away(_: int) -> None:
        raise OperationalError

    monkeypatch.setattr("trading.exchange.client._path_to", away)
    client_for(world.number).close()
    while client_for(world.number).send(Status(), lambda _: None):
        await asyncio.sleep(0)
    told = await line.ask("POST", "/v2/orders", GOOD)
    assert (told.status, json.loads(told.body)["reason"]) == (503, "DATABASE_AWAY")


async def test_one_who_cannot_take_a_reply_leaves_the_others_theirs(served: Served, world: Any) -> None:
    line = await served.line()
    assert (await line.ask("POST", "/v2/orders", GOOD)).status == 200
    client = client_for(world.number)
    heard = [asyncio.get_running_loop().create_future() for _ in range(2)]

    def fails(reply: Any) -> None:
        heard[0].set_result(reply.outcome)
        raise RuntimeError

    assert client.send(Status(), fails)
    assert client.send(Status(), lambda reply: heard[1].set_result(reply.outcome))
    assert await asyncio.wait_for(asyncio.gather(*heard), PATIENCE_S) == ["executed"] * 2
    assert not client._waiting


async def test_alice_places_changes_and_cancels_on_one_connection(served: Served, general: list[str]) -> None:
    line = await served.line()
    placed = [await line.ask("POST", "/v2/orders", GOOD | {"client_order_id": f"a-{n}"}) for n in range(5)]
    assert [each.status for each in placed] == [200] * 5
    assert len({each.headers["x-request-id"] for each in placed}) == 5
    order = json.loads(placed[0].body)
    changed = await line.ask("PATCH", f"/v2/orders/{order['id']}", {"limit_price": "9.10"}, if_match='"1"')
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    assert (await line.ask("DELETE", f"/v2/orders/{order['id']}")).status == 204
    assert (await line.ask("DELETE", "/v2/orders")).status == 207
    assert await Order.objects.filter(status="canceled").acount() == 5
    assert not general


async def test_a_head_that_came_before_is_not_read_again_and_another_one_is(served: Served) -> None:
    line, bodies = await served.line(), [GOOD | {"client_order_id": f"b-{n}"} for n in range(3)]
    for body in bodies:
        assert (
            json.loads((await line.ask("POST", "/v2/orders", body)).body)["client_order_id"]
            == body["client_order_id"]
        )
    (protocol,) = served.server.server_state.connections
    assert protocol._messages == 1, "the parser saw the first one only"
    for number in ("b-10", "b-3", "b-11"):  # a length that is new, one that was there, and both again
        assert (await line.ask("POST", "/v2/orders", GOOD | {"client_order_id": number})).status == 200
    assert protocol._messages == 2, "once for each length"
    for digits in range(straight.HEADS_MAX + 2):
        await line.ask("POST", "/v2/orders", GOOD | {"client_order_id": f"c-{'7' * (digits + 5)}"})
    assert len(protocol._heads) <= straight.HEADS_MAX
    parsed = protocol._messages
    again = await line.ask("POST", "/v2/orders", GOOD, apca_api_secret_key="wrong")
    assert (again.status, protocol._messages) == (401, parsed + 1)
    assert (await line.ask("POST", "/v2/orders", bodies[0])).headers["idempotent-replayed"] == "true"


async def test_a_request_in_pieces_and_two_at_once_are_answered_in_order(
    served: Served, general: list[str]
) -> None:
    line = await served.line()
    first, second, third = (
        line.request("POST", "/v2/orders", GOOD | {"client_order_id": f"c-{n}"}) for n in range(3)
    )
    for piece in (first[:30], first[30:-20], first[-20:-1], first[-1:]):
        line.writer.write(piece)
        await line.writer.drain()
    assert b'"c-0"' in (await line.answer()).body
    line.writer.write(second + third)
    assert b'"c-1"' in (await line.answer()).body
    assert b'"c-2"' in (await line.answer()).body
    assert general == ["/v2/orders"], "the one that waited behind an order"
    line.writer.write(first + second[:40])
    assert (await line.answer()).headers["idempotent-replayed"] == "true"
    line.writer.write(second[40:])
    assert (await line.answer()).headers["idempotent-replayed"] == "true"


async def test_what_is_not_plain_takes_the_general_road(served: Served, general: list[str]) -> None:
    line, body = await served.line(), json.dumps(GOOD).encode()
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    chunked = line.request("POST", "/v2/orders", b"", content_length="", transfer_encoding="chunked") + chunks
    line.writer.write(chunked)
    assert (await line.answer()).status == 200
    line.writer.write(line.request("POST", "/v2/orders", GOOD, expect="100-continue"))
    assert (await line.answer()).status == 100
    assert (await line.answer()).status == 200
    assert (await line.ask("POST", "/v2/%6frders", GOOD)).status == 200
    assert (await line.ask("POST", "/v2/orders", GOOD, cookie="theme=dark")).status == 200
    assert (await line.ask("POST", "/v2/orders", b"x" * (route.BODY_BYTES_MAX + 1))).status == 413
    assert len(general) == 5
    get = await line.ask("GET", "/v2/orders")
    assert (get.status, len(json.loads(get.body)), len(general)) == (200, 4, 5)


async def test_a_caller_who_wants_to_close_is_told_and_closed(served: Served) -> None:
    line = await served.line()
    assert (await line.ask("POST", "/v2/orders", GOOD)).status == 200
    last = await line.ask("POST", "/v2/orders", GOOD, connection="close")
    assert (last.status, last.headers["connection"]) == (200, "close")
    assert await line.reader.read() == b""


async def test_a_quiet_connection_is_closed_and_a_busy_one_is_not(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = await served.line()
    assert (await line.ask("POST", "/v2/orders", GOOD)).status == 200
    async with asyncio.timeout(PATIENCE_S):
        assert await line.reader.read() == b""
    busy, gate = await served.line(), asyncio.Event()
    answered = route.answered

    async def slowly(*asked: Any) -> Any:
        await gate.wait()
        return await answered(*asked)

    assert (await busy.ask("POST", "/v2/orders", GOOD)).status == 200
    monkeypatch.setattr(route, "answered", slowly)
    busy.writer.write(busy.request("DELETE", "/v2/orders"))
    (protocol,) = served.server.server_state.connections
    while protocol.timeout_keep_alive_task is not None:  # it has looked, and left the connection alone
        await asyncio.sleep(0.05)
    gate.set()
    assert (await busy.answer()).status == 207


async def test_who_hangs_up_gets_nothing_and_the_order_stands(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, gate = await served.line(), asyncio.Event()
    finished: list[Any] = []
    say = OrderProtocol._say

    def told(self: OrderProtocol, asked: Any, request_id: str, answer: Any) -> None:
        say(self, asked, request_id, answer)
        finished.append((asked.disconnected, answer.status))
        gate.set()

    monkeypatch.setattr(straight.OrderProtocol, "_say", told)
    line.writer.write(line.request("POST", "/v2/orders", GOOD | {"client_order_id": "gone"}))
    line.writer.close()
    async with asyncio.timeout(PATIENCE_S):
        await gate.wait()
    assert finished == [(True, 200)]
    assert await Order.objects.filter(client_order_id="gone").aexists()


async def test_the_server_stops_when_the_last_order_has_its_answer(served: Served) -> None:
    line = await served.line()
    assert (await line.ask("POST", "/v2/orders", GOOD)).status == 200
    line.writer.write(line.request("POST", "/v2/orders", GOOD))
    served.server.should_exit = True
    last = await line.answer()
    assert last.status == 200
    assert await line.reader.read() == b""
