"""A feed tells NATS what it hears, and another feed plays it: over a real nats-server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from market.feed import nats_out
from market.feed.hub import batch_of, gap_batch
from market.feed.nats_out import NatsPublisher
from market.sources.base import State
from market.sources.items import Gap
from market.sources.live.nats import NatsSource
from market.ticks import Print, Quote
from simgame.kernel import clock, tasks
from tests.sources.stage import playing, scale, until
from tests.venues.nats import NatsServer, nats_server, server

SYMBOLS = ["Au99.99", "SP c2401&c2405"]


class Instrument:
    def __init__(self, symbol: str):
        listed = scale(symbol)
        self.symbol, self.venue, self.tick = symbol, "S.GE", listed.tick
        self.price_exponent, self.qty_exponent = listed.price_exponent, listed.qty_exponent


SCALES = {symbol: Instrument(symbol) for symbol in SYMBOLS}


@pytest.fixture
def there() -> Iterator[NatsServer]:
    binary = server()
    if binary is None:
        pytest.skip("no nats-server here, and none to be had from Debian: publishing to NATS is not tried")
    with nats_server(binary) as running:
        yield running


def quote(seq: int, symbol: str = SYMBOLS[0]) -> Quote:
    now = clock.now_ns()
    return Quote(symbol, ((1000, 300), (999, 1)), ((1001, 200),), now, now, "seeded", 1, seq, seq=seq)


def trade(seq: int, symbol: str = SYMBOLS[0]) -> Print:
    return Print(symbol, 1001, 100, "buy", clock.now_ns(), clock.now_ns(), "seeded", 1, seq, seq=seq)


@pytest.mark.parametrize("form", ["json", "msgpack"])
async def test_what_one_feed_publishes_another_one_reads(there: NatsServer, form: str) -> None:
    source = NatsSource(SYMBOLS, there.address, "S%2EGE")
    publisher = NatsPublisher(there.address, form, SCALES, epoch=3)
    running = asyncio.create_task(publisher.run())
    try:
        async with playing(source, [scale(symbol) for symbol in SYMBOLS]) as stage:
            await until(lambda: source.state is State.LIVE and publisher.connected, "both are there")
            publisher.offer(batch_of([quote(1), trade(2), trade(3, SYMBOLS[1])]))
            publisher.offer(gap_batch(Gap("okx", SYMBOLS[0], 5, 7, 9)))
            publisher.offer(batch_of([trade(4)]))
            await until(lambda: len(stage.ticks) == 4, "all of them")
            first, *rest = stage.of(SYMBOLS[0])
            assert (first.bids, first.asks) == (((1000, 300), (999, 1)), ((1001, 200),))
            assert [(one.price, one.size, one.side, one.source_seq) for one in rest] == [
                (1001, 100, "buy", 1),
                (1001, 100, "buy", 2),
            ]
            assert [(gap.first_missing, gap.last_missing) for gap in stage.gaps] == [(7, 9)]
            assert publisher.published == 5
    finally:
        await tasks.end([running])


async def test_the_server_is_away_and_readers_see_what_they_missed(
    there: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_out, "WAITING_MAX", 3)
    source = NatsSource(SYMBOLS, there.address, "S%2EGE")
    publisher = NatsPublisher(there.address, "json", SCALES, epoch=3)
    running = asyncio.create_task(publisher.run())
    try:
        async with playing(source, [scale(symbol) for symbol in SYMBOLS]) as stage:
            await until(lambda: source.state is State.LIVE and publisher.connected, "both are there")
            publisher.offer(batch_of([trade(1)]))
            await until(lambda: stage.ticks, "the first")
            for seq in range(2, 9):  # more than waits, in one step: the oldest four go
                publisher.offer(batch_of([trade(seq)]))
            assert publisher.dropped == 4
            await until(lambda: len(stage.ticks) == 4, "the last three")
            assert [(gap.first_missing, gap.last_missing) for gap in stage.gaps] == [(2, 5)]
            there.stop()
            await until(lambda: not publisher.connected, "the loss is noticed")
            there.start()
            await until(lambda: publisher.connected and source.state is State.LIVE, "both are back")
            publisher.offer(batch_of([trade(9)]))
            await until(lambda: len(stage.ticks) == 5, "the market goes on")
    finally:
        await tasks.end([running])
