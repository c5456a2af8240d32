"""Ticks from a real NATS server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

from market.sources.base import State
from market.sources.live.nats import NatsSource, escaped, unescaped
from market.ticks import Print, Quote
from simgame.kernel import clock
from tests.sources.stage import playing, scale, until
from tests.venues.nats import NatsServer, nats_server, server

WANTED = ["Au99.99", "600000.SH", "SP c2401&c2405"]


@pytest.fixture
def there() -> Iterator[NatsServer]:
    binary = server()
    if binary is None:
        pytest.skip("no nats-server here, and none to be had from Debian: NATS is not tried")
    with nats_server(binary) as running:
        yield running


def quote(number: int, **more: Any) -> dict[str, Any]:
    now = clock.now_ns()
    return {"k": "q", "b": [["10.00", "300"]], "a": [["10.01", "200"]], "t": now, "n": number} | more


def trade(number: int, **more: Any) -> dict[str, Any]:
    return {"k": "t", "p": "10.01", "q": "100", "s": "buy", "t": clock.now_ns(), "n": number} | more


class Publisher:
    def __init__(self, there: NatsServer, source: NatsSource):
        self.client, self._there, self._source = Client(), there, source

    async def __aenter__(self) -> Publisher:
        await self.client.connect(self._there.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def say(self, symbol: str, *bodies: dict[str, Any], packed: bool = False) -> None:
        encode = msgspec.msgpack.encode if packed else lambda body: json.dumps(body).encode()
        for body in bodies:
            await self.client.publish(self._source.subject(symbol), encode(body))
        await self.client.flush()


def source_at(there: NatsServer) -> NatsSource:
    return NatsSource(WANTED, there.address, "SGE")


SCALES = [scale(symbol) for symbol in WANTED]


async def test_json_and_msgpack_mean_the_same_and_odd_symbols_arrive(there: NatsServer) -> None:
    source = source_at(there)
    async with playing(source, SCALES) as stage, Publisher(there, source) as service:
        await until(lambda: source.state is State.LIVE, "the source is live")
        for symbol in WANTED:
            await service.say(symbol, quote(1))
            await service.say(symbol, trade(1), packed=True)
        await until(lambda: len(stage.ticks) == 6, "all of them")
        for symbol in WANTED:
            said, printed = stage.of(symbol)
            assert isinstance(said, Quote)
            assert said.bids == ((1000, 300),)
            assert isinstance(printed, Print)
            assert (printed.price, printed.side) == (1001, "buy")


async def test_holes_doubles_and_nonsense_are_each_told(there: NatsServer) -> None:
    source = source_at(there)
    async with playing(source, SCALES) as stage, Publisher(there, source) as service:
        await until(lambda: source.state is State.LIVE, "the source is live")
        await service.say("Au99.99", *(trade(n) for n in (1, 2, 2, 5)), trade(6, k="x"), trade(6, p="NaN"))
        await service.client.publish(source.subject("Au99.99"), b"\xff\x00")
        await service.say("Au99.99", trade(7))
        await until(lambda: stage.ticks and stage.ticks[-1].source_seq == 7, "the last one")
        assert [tick.source_seq for tick in stage.ticks] == [1, 2, 5, 7]
        assert [(gap.first_missing, gap.last_missing) for gap in stage.gaps] == [(3, 4)]
        assert stage.pipeline.sequence.duplicates == 1
        assert len(stage.malformed) == 2
        assert stage.pipeline.gate.refused["not_a_number"] == 1


async def test_the_server_goes_away_and_comes_back(there: NatsServer) -> None:
    source = source_at(there)
    async with playing(source, SCALES) as stage:
        await until(lambda: source.state is State.LIVE, "the source is live")
        there.stop()
        await until(lambda: source.state is State.BACKOFF, "the loss is noticed")
        there.start()
        await until(lambda: source.state is State.LIVE, "the source is live again")
        assert source.subscriptions.share == 1.0
        assert len(stage.gaps) == 2
        async with Publisher(there, source) as service:
            await service.say("Au99.99", trade(1))
            await until(lambda: stage.of("Au99.99"), "the market goes on")


async def test_a_wrong_password_is_not_tried_again_at_once() -> None:
    binary = server()
    if binary is None:
        pytest.skip("no nats-server here, and none to be had from Debian: NATS is not tried")
    with nats_server(binary, "--user", "feed", "--pass", "right") as guarded:
        source = NatsSource(WANTED, guarded.address, "SGE", credentials={"user": "feed", "password": "wrong"})
        async with playing(source, SCALES):
            await until(lambda: source.state is State.BACKOFF, "the refusal")
            assert source.reconnects["login_refused"] == 1
            assert "300" in source.note


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=32))
def test_any_symbol_survives_its_subject(symbol: str) -> None:
    token = escaped(symbol)
    assert unescaped(token) == symbol
    assert not set(token) & set(". *>\t\r\n")
