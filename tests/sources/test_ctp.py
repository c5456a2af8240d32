"""CTP: a reader in a process of its own, a front that the test scripts, and the real library where it is."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from market.sources.base import State
from market.sources.ctp import locales
from market.sources.ctp.source import MODULES, Account, CtpSource
from market.sources.ctp.ticks import Normaliser, calendar_day
from market.ticks import Print, Quote
from tests.sources.stage import playing, scale, until
from tests.venues.ctp_front import stamped

NO_VALUE = 1.7976931348623157e308
LIBRARY = "tests.venues.ctp_library"
SCALES = [scale("rb2610", 0), scale("SR705", 0)]


class Front:
    """What the test's front was asked, and what it says."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.silent: set[str] = set()  # symbols that get no acknowledgement
        self.code = 0  # of the answer to a login
        self._writer: asyncio.StreamWriter | None = None
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connections += 1
        self.say(do="connected")
        async for line in reader:
            asked = json.loads(line)
            self.asked.append(asked)
            if asked["do"] == "login":
                self.say(do="login", code=self.code, words="CTP:不合法的登录" if self.code else "")
            elif asked["do"] == "subscribe":
                for one in asked["ids"]:
                    if one not in self.silent:
                        self.say(do="acknowledge", id=one)

    def say(self, **message: Any) -> None:
        assert self._writer is not None
        self._writer.write(json.dumps(message).encode() + b"\n")

    def tick(self, **fields: Any) -> None:
        self.say(do="tick", fields=fields_of(**fields))


def fields_of(**more: Any) -> dict[str, Any]:
    """A whole field as the library gives it, about now."""
    fields = {
        **stamped("rb2610"),
        "UpdateMillisec": 500,
        "LastPrice": 3786.0,
        "Volume": 100,
        "Turnover": 1.0,
    }
    for n in range(1, 6):
        fields |= {f"BidPrice{n}": 3786.0 - n, f"BidVolume{n}": 10 * n}
        fields |= {f"AskPrice{n}": 3786.0 + n, f"AskVolume{n}": 20 * n}
    return fields | more


@asynccontextmanager
async def front() -> AsyncIterator[tuple[Front, str]]:
    there = Front()
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield there, f"tcp://{host}:{port}"
    finally:
        server.close()


def source_at(*fronts: str, folder: Path, name: str = "ctp:primary") -> CtpSource:
    account = Account(name, fronts, "9999", "feed", "secret-word")
    source = CtpSource(["rb2610", "SR705"], account, folder, module=LIBRARY)
    source.connect_s, source.acknowledge_s = 10.0, 0.5
    return source


@pytest.mark.parametrize("name", ["ctp:primary", "sopt:backup"])
async def test_it_logs_in_subscribes_and_gives_depth_and_trades(folder: Path, name: str) -> None:
    async with front() as (there, address):
        source = source_at(address, folder=folder, name=name)
        async with playing(source, SCALES) as stage:
            await until(lambda: source.state is State.LIVE, "the source is live")
            assert there.asked[0] == {
                "do": "login",
                "broker": "9999",
                "user": "feed",
                "password": "secret-word",
            }
            assert source.trading_day == "20261123"
            there.tick()
            there.tick(Volume=103, LastPrice=3787.0)
            await until(lambda: len(stage.ticks) == 3, "the ticks")
            quote, _, printed = stage.ticks
            assert isinstance(quote, Quote)
            assert (quote.bids[0], len(quote.asks)) == ((3785, 10), 5)
            assert isinstance(printed, Print)
            assert (printed.price, printed.size, printed.side, printed.made) == (3787, 3, "buy", True)


async def test_no_value_is_no_level_and_no_trade(folder: Path) -> None:
    async with front() as (there, address):
        source = source_at(address, folder=folder)
        async with playing(source, SCALES) as stage:
            await until(lambda: source.state is State.LIVE, "the source is live")
            there.tick(AskPrice1=NO_VALUE, AskVolume1=0, LastPrice=NO_VALUE, Volume=0)
            there.tick(Volume=5, LastPrice=NO_VALUE)
            await until(lambda: len(stage.ticks) == 2, "two quotes")
            assert all(isinstance(tick, Quote) for tick in stage.ticks)
            assert stage.ticks[0].asks[0][0] == 3788


async def test_an_acknowledgement_that_was_dropped_is_asked_for_again(folder: Path) -> None:
    async with front() as (there, address):
        there.silent.add("SR705")
        source = source_at(address, folder=folder)
        async with playing(source, SCALES):
            await until(lambda: source.subscriptions.acknowledged == {"rb2610"}, "one of two")
            there.silent.clear()
            await until(lambda: source.state is State.LIVE, "both")
            assert source.epoch == 1


@pytest.mark.parametrize("how", ["disconnect", "die"])
async def test_a_front_that_goes_away_or_a_library_that_aborts_costs_one_connection(
    folder: Path, how: str
) -> None:
    async with front() as (there, address):
        source = source_at(address, folder=folder)
        async with playing(source, SCALES) as stage:
            await until(lambda: source.state is State.LIVE, "the source is live")
            if how == "disconnect":
                there.say(do="disconnect", reason=0x2001)
            else:
                there.say(do="die")
            await until(lambda: source.epoch == 2 and source.state is State.LIVE, "it is live again")
            assert there.connections == 2
            assert len(stage.gaps) == 2
            there.tick(Volume=50)
            await until(lambda: stage.ticks, "the market goes on")


async def test_a_refused_login_is_not_tried_again_at_once_and_is_said_in_the_brokers_words(
    folder: Path,
) -> None:
    async with front() as (there, address):
        there.code = 3
        source = source_at(address, folder=folder)
        async with playing(source, SCALES):
            await until(lambda: source.state is State.BACKOFF, "the refusal")
            assert source.reconnects["login_refused"] == 1
            assert "不合法的登录" in source.note
            assert "secret-word" not in repr(source.describe()) + repr(source.account) + source.note


async def test_a_closed_port_gives_no_callback_so_our_own_time_counts_and_the_next_front_is_tried(
    folder: Path,
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        async with front() as (_, address):
            source = source_at(nobody, address, folder=folder)
            source.connect_s = 2.0
            async with playing(source, SCALES):
                await until(lambda: source.state is State.LIVE, "the second front")
                assert source.reconnects["timeout"] == 1


@pytest.mark.parametrize(
    ("trading_day", "moment", "calendar"),
    [
        (date(2026, 11, 23), time(21, 0), date(2026, 11, 20)),  # Monday's evening session: Friday
        (date(2026, 11, 23), time(1, 30), date(2026, 11, 21)),  # and the night after it: Saturday
        (date(2026, 11, 24), time(23, 59), date(2026, 11, 23)),
        (date(2026, 11, 24), time(9, 0), date(2026, 11, 24)),
    ],
)
def test_a_night_belongs_to_the_next_trading_day(trading_day: date, moment: time, calendar: date) -> None:
    assert calendar_day(trading_day, moment) == calendar


def test_two_ticks_of_one_second_are_two() -> None:
    """CZCE has no milliseconds."""
    normaliser = Normaliser("ctp:primary")
    fields = fields_of(InstrumentID="SR705", UpdateMillisec=0)
    numbers = [item.source_seq for _ in range(2) for item in normaliser.read(fields, 0)]  # type: ignore[union-attr]
    assert numbers == [1, 2]


def installed(kind: str) -> pytest.MarkDecorator:
    package = MODULES[kind].partition(".")[0]
    why = f"{package} is not installed: it is optional, market/sources/ctp/requirements.txt"
    return pytest.mark.skipif(find_spec(package) is None, reason=why)


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=installed(kind)) for kind in MODULES])
async def test_the_real_library_hears_nothing_from_a_closed_port_and_does_not_abort(
    folder: Path, kind: str
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        account = Account(f"{kind}:primary", (f"tcp://127.0.0.1:{closed.getsockname()[1]}",))
        source = CtpSource(["rb2610"], account, folder, module=MODULES[kind])
        source.connect_s = 6.0
        async with playing(source, SCALES):
            await until(source.reconnects.total, "the end of the attempt")
            assert dict(source.reconnects) == {"timeout": 1}, source.note


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=installed(kind)) for kind in MODULES])
async def test_the_real_library_says_that_a_front_hung_up(folder: Path, kind: str) -> None:
    """0x1001, the network could not be read: the answer to a port that accepts and closes."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = CtpSource(
        ["rb2610"], Account(f"{kind}:primary", (f"tcp://127.0.0.1:{port}",)), folder, module=MODULES[kind]
    )
    async with playing(source, SCALES):
        # The note goes with the next attempt; the pauses before those grow, so it stays longer each time.
        assert await until(lambda: "0x1001" in source.note, "the reason of a pause")
    server.close()


async def test_without_the_library_it_says_how_to_get_it(folder: Path) -> None:
    source = CtpSource(
        ["rb2610"], Account("ctp:primary", ("tcp://127.0.0.1:1",)), folder, module="no_ctp.mdapi"
    )
    async with playing(source, SCALES):
        await until(lambda: source.state is State.BACKOFF, "the refusal")
        assert "no_ctp.mdapi cannot be imported" in source.note
        assert "market/sources/ctp/requirements.txt" in source.note


def test_the_locale_is_there_or_is_made_or_is_asked_for(folder: Path) -> None:
    if shutil.which("localedef") is None or not Path("/usr/share/i18n/charmaps/GB18030.gz").exists():
        with pytest.raises(locales.NoLocale, match="locales"):
            locales.environment(folder)
        return
    more = locales.environment(folder)
    code = f"import locale; locale.setlocale(locale.LC_ALL, {locales.NAME!r})"
    subprocess.run([sys.executable, "-c", code], env={"PATH": "/usr/bin:/bin", **more}, check=True)
