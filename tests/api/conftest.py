"""People who speak HTTP, in a small market with a real exchange."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings

from accounts import limits, logins
from market import messages
from market.models import World
from market.ticks import PhaseTick, Quote, Reference
from simgame.kernel import clock
from simgame.switches import runtime
from tests.api.wire import Client
from tests.exchange import street
from tests.exchange.conftest import exchange, feed, world

__all__ = ["exchange", "feed", "world"]

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "WORLD", "street")
    for forget in (limits.forget, logins.recent.forget, runtime.forget):
        forget()
    yield
    limits.forget()
    logins.recent.forget()


async def joined(name: str) -> Client:
    """A player who registered by HTTP and sends the access token from now on."""
    answer = await Client().post("/api/v1/auth/register", {"username": name, "password": PASSWORD})
    assert answer.status == 201, answer
    client = Client(authorization=f"Bearer {answer.json['access']}")
    client.said = answer.json  # type: ignore[attr-defined]
    return client


@pytest.fixture
def board(world: World) -> Iterator[None]:
    """What the feed leaves in Redis for readers: SHARE at 10.00 / 10.01."""
    now = clock.now_ns()
    share = world.instruments.get(symbol=street.SHARES)
    quote = Quote(street.SHARES, ((1000, 500),), ((1001, 500),), now, now, "test")
    reference = Reference(street.SHARES, street.DAY, 1000, 0, 0, now, now, "test")
    row = messages.quote_row(share, quote, None, reference) | {"last": "10.01"}
    phase = messages.phase_row(world.slug, "UTC", PhaseTick(street.DAY, "continuous", "", 0, now, now))
    link = redis.Redis.from_url(settings.REDIS_URL)
    link.hset(f"sg:offset:{world.slug}", mapping={"epoch": "e1.1", "board": 1, "phase": 1})
    link.hset(f"sg:latest:{world.slug}", street.SHARES, msgspec.json.encode(row))
    link.set(f"sg:phase:{world.slug}", msgspec.json.encode(phase))
    yield
    link.flushdb()
    link.close()


@pytest.fixture
async def alice(exchange: Any, board: None) -> Client:
    return await joined("Alice")


@pytest.fixture
async def bob(alice: Client) -> Client:
    return await joined("Bob")
