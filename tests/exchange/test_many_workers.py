"""A limit is a limit, however many web workers a bot spreads its requests over."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import httpx
import pytest

from accounts import keys
from market.models import World
from simgame import env
from tests.exchange import street

pytestmark = pytest.mark.django_db(transaction=True)
RATE = 5  # a second
WORKERS = 2
QUIET = {"SIMGAME_LOG_LEVEL": "ERROR"}


class Asked(NamedTuple):
    taken: int
    seconds: float
    refused: list[httpx.Response]


@contextmanager
def workers(given: dict[str, str], **more: str) -> Iterator[list[httpx.Client]]:
    """Two real web workers of one game, with small limits."""
    rates = {f"SIMGAME_{what}_RATE": str(RATE) for what in ("ORDER", "REQUEST")}
    with ExitStack() as running:
        clients = []
        for port in [_free_port() for _ in range(WORKERS)]:
            words = [sys.executable, "-m", "simgame.web", "--port", str(port)]
            child = subprocess.Popen(words, cwd=env.BASE_DIR, env=given | rates | QUIET | more)
            running.callback(street.end, child)
            client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=street.PATIENCE_S)
            clients.append(running.enter_context(client))
        for client in clients:
            street.wait_for(lambda client=client: _answers(client), "a web worker")
        yield clients


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.HTTPError:
        return False


def asked_of(clients: list[httpx.Client], method: str, path: str, headers: dict[str, str]) -> Asked:
    """Both at once, as quickly as they answer."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = pool.map(
            lambda client: [client.request(method, path, headers=headers) for _ in range(8 * RATE)], clients
        )
        found = [answer for each in answers for answer in each]
    seconds = time.monotonic() - began
    refused = [answer for answer in found if answer.status_code == 429]
    assert {answer.status_code for answer in found} <= {200, 207, 429}
    return Asked(len(found) - len(refused), seconds, refused)


def bot(world: World, name: str) -> dict[str, str]:
    """Their key. They have a portfolio and no orders."""
    portfolio = street.open_portfolio(world, name)
    key, secret = keys.make(portfolio.player_id, portfolio.id)
    return {"APCA-API-KEY-ID": key.key_id, "APCA-API-SECRET-KEY": secret}


def test_a_bot_gets_no_more_of_two_workers_than_of_one(
    exchange: street.InThread, world: World, child_env: dict[str, str]
) -> None:
    alice, bob = bot(world, "alice"), bot(world, "bob")
    with workers(child_env) as clients:
        read = asked_of(clients, "GET", "/v2/watchlists", alice)
        changed = asked_of(clients, "DELETE", "/v2/orders", bob)
    assert read.taken <= RATE + RATE * read.seconds, "Valkey counts for both"
    assert changed.taken <= 1.2 * RATE + RATE * changed.seconds, "the exchange counts for both"
    for refused in (*read.refused, *changed.refused):
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["reason"] == "RATE_LIMITED"
        assert refused.json()["facts"]["limit"] == RATE


def test_without_valkey_orders_are_limited_all_the_same_and_the_rest_by_each_worker(
    exchange: street.InThread, world: World, child_env: dict[str, str]
) -> None:
    alice, bob = bot(world, "alice"), bot(world, "bob")
    with workers(child_env, REDIS_URL="redis://127.0.0.1:1") as clients:
        read = asked_of(clients, "GET", "/v2/watchlists", alice)
        changed = asked_of(clients, "DELETE", "/v2/orders", bob)
    assert read.refused
    assert read.taken <= WORKERS * (RATE + RATE * read.seconds), "each counts by itself"
    assert changed.refused
    assert changed.taken <= 1.2 * RATE + RATE * changed.seconds
