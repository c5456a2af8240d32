"""What many clients saw at once is one history; a checker that would not see a lie is none."""

from __future__ import annotations

import copy
import http.client
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from accounts import keys, limits
from market.models import World
from ops.drills.history import Event, History, Read, Witness, Write, check, now_ns, witness_of
from simgame.asgi import application
from tests.exchange import street
from tests.exchange.conftest import exchange, feed, world  # noqa: F401  the street's own fixtures

ALICE = 7


def order(number: int, version: int = 1, status: str = "new", filled: str = "0") -> dict[str, Any]:
    return {"id": f"o{number}", "status": status, "qty": "100", "filled_qty": filled, "version": version}


def a_true_history() -> tuple[History, Witness]:
    """Alice places two orders from one screen and reads on another; the second order fills the first."""
    cash = [{"asset": "CNY", "posted": "10", "available": "10", "reserved": "0"}]
    spent = [{"asset": "CNY", "posted": "9", "available": "9", "reserved": "0"}]
    stream = [
        Event(1, 3, {"orders": [order(1)], "balances": cash}),
        Event(2, 5, {"orders": [order(1, 2, "filled", "100"), order(2)], "balances": spent}),
    ]
    witness = Witness({(ALICE, "new_order", "a"): [3], (ALICE, "new_order", "b"): [5]}, {ALICE: stream})
    history = History()
    history.writes = [
        Write("desk", (ALICE, "new_order", "a"), 10, 20, "executed", order(1)),
        Write("desk", (ALICE, "new_order", "b"), 30, 40, "executed", order(2)),
        Write("phone", (ALICE, "new_order", "c"), 35, 36, "not_executed"),
    ]
    history.reads = [
        Read("phone", ALICE, 21, 22, 1, [order(1)], cash),
        Read("phone", ALICE, 41, 42, 2, [order(1, 2, "filled", "100"), order(2)], copy.deepcopy(spent)),
    ]
    return history, witness


def test_a_true_history_is_taken_for_one() -> None:
    assert check(*a_true_history()) == []


Lie = Callable[[History, Witness], Any]
LIES: dict[str, tuple[str, Lie]] = {
    "a stale read": ("session", lambda h, w: setattr(h.reads[1], "sent_ns", 45) or h.reads.append(
        Read("phone", ALICE, 50, 51, 1, h.reads[0].orders, h.reads[0].balances))),
    "a read that goes back": ("session", lambda h, w: h.reads.append(
        Read("tablet", ALICE, 60, 61, 1, h.reads[0].orders, h.reads[0].balances))),
    "a read of no moment": ("read", lambda h, w: h.reads[1].orders.__setitem__(0, order(1))),
    "a read that lacks an order": ("read", lambda h, w: h.reads[1].orders.pop()),
    "a read of another's money": ("read", lambda h, w: h.reads[1].balances[0].update(posted="8")),
    "a read from the future": ("read", lambda h, w: setattr(h.reads[1], "version", 9)),
    "an ack that was lost": ("answer", lambda h, w: w.seqs.pop((ALICE, "new_order", "a"))),
    "an ack that was done twice": ("answer", lambda h, w: w.seqs[ALICE, "new_order", "a"].append(4)),
    "an answer that lies": ("answer", lambda h, w: h.writes[1].order.update(status="filled")),
    "two writes in the wrong order": ("real time", lambda h, w: w.seqs.update(
        {(ALICE, "new_order", "a"): [5], (ALICE, "new_order", "b"): [3]})),
    "not executed, and done": ("unknown", lambda h, w: w.seqs.update({(ALICE, "new_order", "c"): [6]})),
    "unknown, and done twice": ("unknown", lambda h, w: (
        setattr(h.writes[2], "outcome", "unknown"), w.seqs.update({(ALICE, "new_order", "c"): [6, 7]}))),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_found(name: str) -> None:
    rule, lie = LIES[name]
    told, witness = a_true_history()
    lie(told, witness)
    assert rule in {violation.rule for violation in check(told, witness)}


# many clients over HTTP ------------------------------------------------------------------------------
CLIENTS, ASKS = 4, 25


@pytest.fixture
def port(exchange: street.InThread) -> Iterator[int]:  # noqa: F811
    """The real web application on a port of this machine."""
    limits.forget()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off", ws="none"))
    running = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    running.start()
    street.wait_for(lambda: server.started, "the web server")
    yield listener.getsockname()[1]
    server.should_exit = True
    running.join(street.PATIENCE_S)


class Client(threading.Thread):
    """Orders, cancels and looks, as fast as it is answered."""

    def __init__(self, name: str, port: int, portfolio: Any, key: Any, history: History) -> None:
        super().__init__(name=name, daemon=True)
        self.portfolio, self.history = portfolio.id, history
        self.chance = random.Random(name)
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=street.PATIENCE_S)
        self.headers = {
            "apca-api-key-id": key[0].key_id,
            "apca-api-secret-key": key[1],
            "content-type": "application/json",
        }
        self.mine: list[str] = []
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            for n in range(ASKS):
                self._one(n)
        except BaseException as error:  # noqa: BLE001  told by the test that waits for it
            self.failed = error

    def _one(self, n: int) -> None:
        x = self.chance.random()
        if x < 0.3:
            sent = now_ns()
            status, desk = self._ask("GET", "/api/v1/desk")
            assert status == 200, desk
            self.history.read(self.name, self.portfolio, sent, desk)
        elif x < 0.5 and self.mine:
            name = f"{self.name}-{n}"
            write = self.history.sending(self.name, (self.portfolio, "cancel", name))
            status, answer = self._ask("DELETE", f"/v2/orders/{self.mine.pop()}", idempotency=name)
            assert status < 500
            self.history.answered(write, "executed" if status == 204 else answer["outcome"])
        else:
            self._order(f"{self.name}-{n}")

    def _order(self, name: str) -> None:
        side = "buy" if self.chance.random() < 0.6 else "sell"
        body = {
            "symbol": "SHARE", "qty": "100", "side": side, "type": "limit", "time_in_force": "gtc",
            "limit_price": f"{9.95 + self.chance.randrange(12) / 100:.2f}", "client_order_id": name,
        }  # fmt: skip
        write = self.history.sending(self.name, (self.portfolio, "new_order", name))
        status, answer = self._ask("POST", "/v2/orders", body)
        assert status < 500
        if status == 200:
            self.history.answered(write, "executed", answer)
            self.mine.append(answer["id"])
        else:  # a rejected order is executed: it is stored
            self.history.answered(write, answer["outcome"], answer.get("order"))

    def _ask(self, method: str, path: str, body: Any = None, idempotency: str = "") -> tuple[int, Any]:
        headers = self.headers | ({"idempotency-key": idempotency} if idempotency else {})
        self.line.request(method, path, json.dumps(body) if body else None, headers)
        reply = self.line.getresponse()
        content = reply.read()
        return reply.status, json.loads(content) if content else None


@pytest.mark.django_db(transaction=True)
def test_clients_at_once_see_one_history(world: World, port: int) -> None:  # noqa: F811
    people = [street.open_portfolio(world, name) for name in ("alice", "bob")]
    history = History()
    clients = []
    for n in range(CLIENTS):
        portfolio = people[n % 2]
        key = keys.make(portfolio.player_id, portfolio.id)
        clients.append(Client(f"c{n}", port, portfolio, key, history))
    for client in clients:
        client.start()
    for client in clients:
        client.join(street.PATIENCE_S)
        assert client.failed is None, client.failed
    assert check(history, witness_of(world.number)) == []
    assert len(history.reads) > CLIENTS
    assert len(history.writes) + len(history.reads) >= CLIENTS * ASKS * 9 // 10
