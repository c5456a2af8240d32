"""A seeded world in the tables, and a feed's word of it in Redis: said by the feed's own publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import redis
from django.conf import settings
from django.test import Client

from market import latest, queries, worlds
from market.feed.bars import BarBuilder
from market.feed.hub import batch_of
from market.feed.publisher import RedisPublisher
from market.feed.state import WorldState
from market.models import Bar, FeedLease, Instrument, World
from market.ticks import PhaseTick, Print, Quote, Reference, Tick
from simgame.kernel import clock

NOON_NS = 1_793_620_800 * 10**9  # 2026-11-02 12:00:00 UTC
Say = Callable[..., None]


@pytest.fixture(autouse=True)
def nobody_sulks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test could not reach, the next one asks again."""
    monkeypatch.setattr(latest, "_patience", latest._Patience())


@pytest.fixture
def world(db: None) -> Iterator[World]:
    made = worlds.ensure_seeded_world()
    yield made
    server = redis.Redis.from_url(settings.REDIS_URL)
    for key in server.scan_iter(f"sg:*:{made.slug}"):
        server.delete(key)
    server.close()


def quote(symbol: str, bid: int, ask: int, seq: int) -> Quote:
    bids = tuple((bid - n, 1_000 + 100 * n) for n in range(5))
    asks = tuple((ask + n, 2_000 + 100 * n) for n in range(5))
    return Quote(symbol, bids, asks, NOON_NS, clock.now_ns(), "seeded", seq=seq)


def trade(symbol: str, price: int, size: int, seq: int) -> Print:
    return Print(symbol, price, size, "buy", NOON_NS, clock.now_ns(), "seeded", seq=seq)


def reference(symbol: str, close: int, seq: int) -> Reference:
    return Reference(symbol, 20261102, close, close * 9 // 10, close * 11 // 10, NOON_NS, 0, "calendar", seq)


def phase(seq: int, name: str = "continuous") -> PhaseTick:
    return PhaseTick(20261102, name, name, NOON_NS + 43_200 * 10**9, NOON_NS, clock.now_ns(), seq=seq)


@pytest.fixture
def sign_lease() -> Callable[[World], None]:
    """A feed was alive a moment ago."""

    def sign(world: World) -> None:
        FeedLease.objects.update_or_create(world=world, defaults={"epoch": 1, "beat_at": clock.now()})

    return sign


@pytest.fixture
def said(world: World) -> Iterator[Say]:
    """Say ticks of the world as its feed says them: state, bars, and Redis."""
    state, bars = WorldState(), BarBuilder()
    with asyncio.Runner() as runner:
        publisher = RedisPublisher(
            settings.REDIS_URL,
            slug=world.slug,
            timezone=world.timezone,
            epoch=f"{world.stream_epoch}.1",
            scales={row.symbol: row for row in queries.instruments(world.number)},
            state=state,
            bars=bars,
        )
        runner.run(publisher.flush())

        def say(*ticks: Tick) -> None:
            for tick in ticks:
                state.apply(tick)
                bars.apply(tick)
            publisher.offer(batch_of(list(ticks)))
            publisher.offer_bars(bars.take_dirty())
            runner.run(publisher.flush())

        yield say
        runner.run(publisher.close())


@pytest.fixture
def store_bar(world: World) -> Callable[..., Bar]:
    """A bar in the table: (symbol, interval, Unix seconds, open, high, low, close)."""

    def store(symbol: str, interval: str, start: int, *corners: int, volume: int = 1_000) -> Bar:
        opened, high, low, close = corners
        return Bar.objects.create(
            instrument=Instrument.objects.get(world=world, symbol=symbol),
            interval=interval,
            start=datetime.fromtimestamp(start, UTC),
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            turnover=volume * close,
            prints=7,
        )

    return store


@pytest.fixture
def browser() -> Client:
    return Client(HTTP_HOST="localhost")
