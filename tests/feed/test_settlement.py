"""What a contract is settled at when its day is over: the venue's word, else the day's average."""

from __future__ import annotations

from pathlib import Path

import pytest

from market.feed import recovery, wal
from market.feed.hub import Hub
from market.feed.path import TickPath
from market.feed.plan import plan_for
from market.feed.worldclock import WorldClock
from market.sources.ctp.ticks import Normaliser
from market.sources.items import Item, Reached, Settled
from market.ticks import Print, Reference, Tick
from simgame.kernel import clock
from simgame.kernel.clock import NS_PER_S, parse_rfc3339
from tests.feed import recordings
from tests.feed.conftest import replay
from tests.sources.stage import Platform

pytestmark = pytest.mark.django_db
REBAR = "rb1910"
MORNING = parse_rfc3339("2019-06-10T01:00:05Z")
TUESDAY = parse_rfc3339("2019-06-11T01:00:05Z")


class Exchange:
    """The path of a recorded contract's ticks, on a clock that stands where it is put."""

    def __init__(self, folder: Path, rows: str = recordings.CTP_ROWS):
        self.folder = folder / "wal"
        plan = plan_for(replay(recordings.ctp(folder, rows), loop=True))
        self.clock = WorldClock(clock.now_ns(), MORNING - 60 * NS_PER_S, 1)
        self.clock.pause(clock.now_ns())
        written = wal.Wal(self.folder, wal.Fsync.NEVER)
        self.path = TickPath(plan, recovery.recover(self.folder), self.clock, written, Hub())

    def hears(self, at_ns: int, *items: Item) -> None:
        self.clock.seek(at_ns, clock.now_ns())
        self.path.calendar.look_again()
        self.path.take([Reached(at_ns), *items])

    def trades(self, *deals: tuple[int, int]) -> None:
        for n, (price, size) in enumerate(deals, 1):
            at_ns = MORNING + n * NS_PER_S
            self.hears(at_ns, Print(REBAR, price, size, "buy", at_ns, at_ns, "replay", source_seq=n))

    @property
    def told(self) -> Reference:
        return self.path.state.references[REBAR]


@pytest.fixture
def shfe(tmp_path: Path) -> Exchange:
    exchange = Exchange(tmp_path)
    exchange.hears(MORNING)
    assert (exchange.told.market_day, exchange.told.settlement) == (20190610, 0)
    return exchange


def says(price: object, day: int, *, opens: bool) -> Settled:
    return Settled(REBAR, price, day, opens, "ctp")  # type: ignore[arg-type]


def test_without_a_word_of_the_venue_it_is_the_average_by_volume(shfe: Exchange) -> None:
    shfe.trades((3716, 30), (3719, 20))  # 3717.2
    shfe.hears(TUESDAY)
    told = shfe.told
    assert (told.market_day, told.previous_close, told.settlement) == (20190611, 3719, 3717)
    # 3 % of the settlement price, not of the close: 3605.49 and 3828.51
    assert (told.limit_low, told.limit_high) == (3605, 3829)


def test_a_day_without_a_trade_keeps_the_price_before(shfe: Exchange) -> None:
    shfe.trades((3716, 30), (3719, 20))
    shfe.hears(TUESDAY)
    shfe.hears(TUESDAY + 24 * 3600 * NS_PER_S)
    assert (shfe.told.market_day, shfe.told.settlement) == (20190612, 3717)


def test_the_venues_own_price_counts_also_after_a_restart(shfe: Exchange) -> None:
    shfe.trades((3716, 30), (3719, 20))
    shfe.hears(MORNING + 60 * NS_PER_S, says("3721", 20190610, opens=False))
    shfe.path.wal.close()
    again = Exchange(shfe.folder.parent)
    again.hears(TUESDAY)
    assert again.told.settlement == 3721


def test_the_price_that_the_day_began_with_is_corrected_once(shfe: Exchange) -> None:
    shfe.trades((3716, 30), (3719, 20))
    shfe.hears(TUESDAY, says("3700", 20190611, opens=True))
    assert (shfe.told.settlement, shfe.told.limit_low) == (3700, 3589)
    seq = shfe.told.seq
    shfe.hears(TUESDAY + NS_PER_S, says("3700", 20190611, opens=True), says("3690", 20190610, opens=True))
    assert (shfe.told.settlement, shfe.told.seq) == (3700, seq)


def test_late_on_tuesday_comes_what_monday_was_settled_at(shfe: Exchange) -> None:
    shfe.trades((3716, 30))
    shfe.hears(TUESDAY, says("3715", 20190610, opens=False))
    assert shfe.told.settlement == 3715


THREE_DAYS = """\
20190610 09:00:00,3716.0,30.0,1.0,1.0,3716.0,3716.0,3716.0
20190610 10:00:00,3719.0,50.0,1.0,1.0,3716.0,3719.0,3716.0
20190611 09:00:00,3740.0,10.0,1.0,1.0,3740.0,3740.0,3740.0
20190611 14:00:00,3750.0,20.0,1.0,1.0,3740.0,3750.0,3740.0
20190612 09:00:00,3760.0,10.0,1.0,1.0,3760.0,3760.0,3760.0
20190612 10:00:00,3760.0,20.0,1.0,1.0,3760.0,3760.0,3760.0
"""


def test_days_that_a_replay_passes_over_close_and_settle_at_what_they_traded_at(tmp_path: Path) -> None:
    """From Monday's first trade to Wednesday: each day's average counts all of its trades, told or not."""
    shfe = Exchange(tmp_path, THREE_DAYS)
    told: list[Reference] = []
    emit = shfe.path.emit

    def listen(ticks: list[Tick]) -> list[Tick]:
        told.extend(tick for tick in ticks if isinstance(tick, Reference))
        return emit(ticks)

    shfe.path.emit = listen  # type: ignore[method-assign]
    source = shfe.path.plan.source
    source.skip_idle = False
    stage = Platform(source, ())
    shfe.clock.seek(MORNING, 0)
    shfe.path.take([*source.due(MORNING, stage), Reached(MORNING)])
    for wanted in ("2019-06-11T09:30:00+08:00", "2019-06-12T09:30:00+08:00"):  # two seeks in one breath
        shfe.clock.seek(source.seek(wanted, shfe.clock.now(0)), 0)
    wednesday = shfe.clock.now(0)
    shfe.path.take([*source.due(wednesday, stage), Reached(wednesday)])
    assert [(each.market_day, each.previous_close, each.settlement) for each in told] == [
        (20190610, 0, 0),
        (20190611, 3719, 3717),
        (20190612, 3750, 3745),
    ]
    shfe.path.wal.close()
    again = recovery.recompute(shfe.folder).state
    assert again.days == shfe.path.state.days
    assert (again.days[REBAR].volume, again.days[REBAR].prints) == (10, 0)


@pytest.mark.parametrize("price", [1.797e308, "-3", "no", "3716.5", 0])
def test_what_is_no_price_settles_nothing(shfe: Exchange, price: object) -> None:
    shfe.hears(MORNING + NS_PER_S, says(price, 20190610, opens=False))
    assert shfe.path.state.settled == {}
    assert len(shfe.path.pipeline.take_refused()) == 1


def test_ctp_says_each_of_them_once_a_day() -> None:
    said = {"InstrumentID": REBAR, "TradingDay": "20190611", "UpdateTime": "09:00:00", "UpdateMillisec": 0}
    said |= {"Volume": 5, "LastPrice": 3700.0, "PreSettlementPrice": 3717.0, "SettlementPrice": 1.797e308}
    reader = Normaliser("ctp:primary")
    first = [item for item in reader.read(said, 1) if isinstance(item, Settled)]
    assert first == [Settled(REBAR, "3717.0", 20190611, True, "ctp:primary")]
    closed = [
        item for item in reader.read(said | {"SettlementPrice": 3702.0}, 2) if isinstance(item, Settled)
    ]
    assert closed == [Settled(REBAR, "3702.0", 20190611, False, "ctp:primary")]
