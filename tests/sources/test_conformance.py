"""What every source with a connection must do, whoever the venue is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from market.sources.base import State
from market.sources.binance_book import Symbol
from market.sources.ctp.source import Account, CtpSource
from market.sources.items import Gap
from market.sources.live import ccxt
from market.sources.live.binance import BinanceSource
from market.sources.live.ccxt import CcxtSource
from market.sources.live.life import Live
from market.sources.live.okx import OkxSource
from market.ticks import Print, Quote
from tests.sources.stage import Platform, playing, scale, until
from tests.venues.crypto import SYMBOLS
from tests.venues.process import Street, Venue

WANTED = SYMBOLS[:5]
ONE = WANTED[0]


class Kind(NamedTuple):
    name: str
    make: Callable[[Venue, Path], Live]
    venue: str  # tests.venues.<venue>
    unseen: frozenset[str] = frozenset()  # nonsense that a library drops before anybody sees it
    levels: int = 10  # of depth
    numbered: bool = True  # the venue numbers its messages: what is missing or said twice is known by that
    patient_s: float = 5.0  # to connect


def listed() -> list[Symbol]:
    return [Symbol(name, "", "USDT", "0.01", "1") for name in WANTED]


def of_binance(there: Venue, _: Path) -> Live:
    return BinanceSource(listed(), f"ws://{there.address}/stream", f"http://{there.address}")


def of_okx(there: Venue, _: Path) -> Live:
    return OkxSource(listed(), f"ws://{there.address}/ws/v5/public")


def of_a_front(there: Venue, folder: Path) -> Live:
    """CTP, and by the same code SOPT, in a process of its own with the library's stand-in."""
    account = Account("ctp:primary", (f"tcp://127.0.0.1:{there.control('status')['front']}",))
    return CtpSource(WANTED, account, folder, module="tests.venues.ctp_library")


def through_ccxt(there: Venue, _: Path) -> Live:
    """ccxt's own Binance, its addresses pointed at the venue of the tests."""
    at = there.address
    urls = {"api": {"ws": {"spot": f"ws://{at}/ws"}, "public": f"http://{at}/api/v3"}}
    options = {"fetchMarkets": {"types": ["spot"]}, "watchTrades": {"name": "aggTrade"}}
    options |= {"watchTradesForSymbols": {"name": "aggTrade"}, "fetchCurrencies": False}
    symbols = [Symbol(name, name.removesuffix("USDT"), "USDT", "0.01", "1") for name in WANTED]
    settings = {"urls": urls, "options": options, "enableRateLimit": False}
    return CcxtSource(symbols, "binance", ccxt.library(), settings)


KINDS = [
    Kind("binance", of_binance, "binance"),
    Kind("okx", of_okx, "okx"),
    Kind("ctp", of_a_front, "ctp_front", levels=5, numbered=False, patient_s=20.0),
    pytest.param(
        Kind(
            "ccxt", through_ccxt, "binance_whole", frozenset({"null", '{"data":{"e":"depthUpdate"}}', "\0"})
        ),
        marks=pytest.mark.skipif(find_spec("ccxt") is None, reason="ccxt is not installed: it is optional"),
        id="ccxt",
    ),
]


@pytest.fixture(params=KINDS, ids=lambda kind: getattr(kind, "name", None))
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def there(kind: Kind, street: Street) -> Venue:
    return street.fresh(kind.venue)


@pytest.fixture
def source(kind: Kind, there: Venue, request: pytest.FixtureRequest, tmp_path: Path) -> Live:
    made = kind.make(there, request.getfixturevalue("folder") if kind.name == "ctp" else tmp_path)
    made.connect_s, made.acknowledge_s, made.silent_s = kind.patient_s, 0.5, 1.0
    made.batch_size, made.batch_pause_s = 2, 0.01
    return made


def scales() -> list[object]:
    return [scale(name) for name in WANTED]


def live(source: Live) -> bool:
    return source.state is State.LIVE and source.subscriptions.share == 1.0


async def flowing(stage: Platform, symbol: str = ONE, more: int = 3) -> None:
    before = len(stage.of(symbol))
    await until(lambda: len(stage.of(symbol)) >= before + more, f"more ticks of {symbol}")


async def test_it_subscribes_everything_in_batches_and_the_books_are_the_venues(
    source: Live, there: Venue, kind: Kind
) -> None:
    async with playing(source, scales()) as stage:
        await until(lambda: live(source), "the source is live")
        assert there.control("status")["subscribed"] == sorted(WANTED)
        assert source.epoch == 1
        for symbol in WANTED:
            await until(lambda s=symbol: any(isinstance(t, Quote) for t in stage.of(s)), "a quote")
        quote = next(t for t in stage.ticks if isinstance(t, Quote))
        assert len(quote.bids) == len(quote.asks) == kind.levels
        assert quote.bids[0][0] < quote.asks[0][0]
        await until(lambda: any(isinstance(t, Print) for t in stage.ticks), "a print")
        assert stage.gaps == []


@pytest.mark.parametrize("fault", ["drop", "down", "mute"])
async def test_after_any_end_of_the_connection_wanted_is_acknowledged_again(
    source: Live, there: Venue, fault: str
) -> None:
    async with playing(source, scales()) as stage:
        await until(lambda: live(source), "the source is live")
        await flowing(stage)
        there.control(fault)
        await until(source.reconnects.total, "the loss is noticed")  # the wait may be too short to be seen
        there.control("up" if fault == "down" else "unmute")
        await until(lambda: live(source), "the source is live again")
        assert there.control("status")["subscribed"] == sorted(WANTED)
        assert source.epoch >= 2
        await flowing(stage)
        told = [gap for gap in stage.items if isinstance(gap, Gap) and gap.symbol == ""]
        assert len(told) >= 2, "the outage is told at both of its ends"
        assert sum(source.reconnects.values()) >= 1


@pytest.mark.parametrize("state", [State.AUTH, State.SUBSCRIBING, State.DEGRADED])
async def test_killed_on_its_way_or_while_it_is_ill_it_comes_back_whole(
    source: Live, there: Venue, state: State
) -> None:
    if state is State.AUTH and not source.needs_login:
        pytest.skip(f"{source.name} has no login to be killed in")
    source.batch_size, source.acknowledge_s = 1, 60.0
    ill = {State.AUTH: "mute", State.SUBSCRIBING: "forget", State.DEGRADED: "deny"}
    there.control(ill[state], symbol=ONE)
    async with playing(source, scales()) as stage:
        await until(lambda: source.state is state, f"the state {state}")
        if state is State.SUBSCRIBING:
            await until(lambda: there.control("status")["asked"], "the request that is forgotten")
        for do in ("drop", "unmute", "allow"):
            there.control(do, symbol=ONE)
        await until(lambda: source.epoch >= 2 and live(source), "the source is whole again")
        assert there.control("status")["subscribed"] == sorted(WANTED)
        await flowing(stage)


async def test_a_venue_that_is_away_at_the_start_is_waited_for(source: Live, there: Venue) -> None:
    there.control("down")
    async with playing(source, scales()) as stage:
        await until(lambda: source.reconnects["connect"] >= 2, "two attempts")
        assert stage.items == []
        there.control("up")
        await until(lambda: live(source), "the source is live")


async def test_a_subscription_without_an_answer_is_asked_for_again(source: Live, there: Venue) -> None:
    there.control("forget")
    async with playing(source, scales()):
        await until(lambda: live(source), "the source is live")
        assert source.reconnects.total() == 0


async def test_a_refused_subscription_is_named_and_harms_no_other(source: Live, there: Venue) -> None:
    there.control("deny", symbol=ONE)
    source.batch_size = 1
    async with playing(source, scales()) as stage:
        await until(lambda: source.state is State.LIVE, "the others are live")
        assert set(source.subscriptions.refused) == {ONE}
        assert source.subscriptions.refused[ONE]
        assert "refused" in source.note
        await flowing(stage, WANTED[1])


async def test_what_nobody_wants_any_more_is_not_brought_back(source: Live, there: Venue) -> None:
    async with playing(source, scales()):
        await until(lambda: live(source), "the source is live")
        source.subscriptions.unwant([ONE])
        await source.unsubscribe([ONE])
        await until(lambda: ONE not in there.control("status")["subscribed"], "it is left out")
        there.control("drop")
        await until(lambda: source.epoch == 2 and live(source), "the source is live again")
        assert there.control("status")["subscribed"] == sorted(WANTED[1:])


async def test_a_hole_in_one_book_is_told_mended_and_spoils_no_other(
    source: Live, there: Venue, kind: Kind
) -> None:
    if not kind.numbered:
        pytest.skip(f"{kind.name} numbers nothing: each tick is the whole state, a missing one is not known")
    async with playing(source, scales()) as stage:
        await until(lambda: live(source), "the source is live")
        await flowing(stage)
        there.control("skip", symbol=ONE)
        await until(lambda: [gap for gap in stage.gaps if gap.symbol == ONE], "the gap is told")
        await flowing(stage)
        assert {gap.symbol for gap in stage.gaps} == {ONE}
        assert len(stage.gaps) == 1
        assert source.epoch == 1


async def test_what_is_said_twice_is_taken_once(source: Live, there: Venue) -> None:
    async with playing(source, scales()) as stage:
        await until(lambda: live(source), "the source is live")
        await flowing(stage)
        there.control("repeat", symbol=ONE)
        await flowing(stage)
        numbers = [t.source_seq for t in stage.of(ONE) if isinstance(t, Quote)]
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("text", ["{nonsense", "[]", "null", '{"data":{"e":"depthUpdate"}}', "\u0000"])
async def test_nonsense_is_quarantined_and_the_rest_goes_on(
    source: Live, there: Venue, kind: Kind, text: str
) -> None:
    async with playing(source, scales()) as stage:
        await until(lambda: live(source), "the source is live")
        there.control("junk", symbol=ONE, text=text)
        await flowing(stage)
        if text not in kind.unseen:
            await until(lambda: stage.malformed, "it is set aside")
        assert source.epoch == 1


async def test_late_words_of_an_old_connection_are_refused(source: Live, there: Venue) -> None:
    async with playing(source, scales()) as stage:
        await until(lambda: live(source), "the source is live")
        await flowing(stage)
        old = next(tick for tick in reversed(stage.of(ONE)) if isinstance(tick, Quote))
        there.control("drop")
        await until(lambda: source.epoch == 2 and live(source), "the source is live again")
        await flowing(stage)
        await stage.put(old)
        assert stage.pipeline.sequence.old_epoch == 1
        assert stage.of(ONE)[-1] is not old


async def test_it_ends_at_once_when_it_is_told_to(source: Live, there: Venue) -> None:
    async with playing(source, scales()):
        await until(lambda: live(source), "the source is live")
    assert source.state is State.DISCONNECTED
    await until(lambda: there.control("status")["sockets"] == 0, "the socket is gone")
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(source.name)]
