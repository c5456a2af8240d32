"""The drills of the feed: a venue whose words count, a ledger that sees what was planted, a short run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from market.feed import wal
from market.sources.binance_book import Symbol
from market.sources.items import Gap, Malformed
from market.sources.live.binance import BinanceDialect
from market.ticks import Print, Quote, encode
from ops.soak.dialects import Binance
from ops.soak.hostile import DEEP, Hostile
from ops.soak.ledger import Ledger, amount
from ops.soak.spread import Spread
from ops.soak.street import Market, Trade, listed, symbols
from ops.soak.tail import Tail

NOT_OURS = ("DATABASE_URL", "REDIS_URL")
NOW_NS = 1_793_000_000_000_000_000


def texts(frames: bytes) -> list[str]:
    """The texts in a venue's WebSocket frames."""
    found = []
    while frames:
        size = frames[1]
        if size < 126:
            begin = 2
        else:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(frames[2:begin], "big")
        found.append(frames[begin : begin + size].decode(errors="surrogateescape"))
        frames = frames[begin + size :]
    return found


def heard(market: Market) -> BinanceDialect:
    """What the feed's own reader knows when every book has begun."""
    dialect = BinanceDialect({one.symbol: Symbol.of(listed(one.symbol)) for one in market.instruments})
    for one in market.instruments:
        book = {"lastUpdateId": one.quote, "bids": one.levels("b"), "asks": one.levels("a")}
        assert len(list(dialect.snapshot(one.symbol, book, NOW_NS))) == 1
    return dialect


class TestTheVenue:
    def test_each_of_its_messages_is_a_tick_with_its_number_and_the_book_is_never_crossed(self):
        market = Market(symbols(3))
        dialect = heard(market)
        for _ in range(6_000):
            place, what = market.next()
            [text] = texts(Binance().write(market.instruments[place], what, NOW_NS // 1_000_000))
            [tick] = dialect.read(text, NOW_NS)
            assert tick.source_seq == what.number
            assert isinstance(tick, Print if isinstance(what, Trade) else Quote)
            if isinstance(tick, Quote):
                assert (len(tick.bids), len(tick.asks)) == (10, 10)
                assert tick.bids[0][0] < tick.asks[0][0]

    def test_no_nonsense_stops_the_reader_and_what_it_passes_on_can_be_written_down(self):
        market = Market(symbols(2))
        dialect, hostile = heard(market), Hostile(4_000, seed=7)
        said = []
        while hostile.left:
            for text in texts(hostile.slice(market, NOW_NS)):
                said += dialect.read(text, NOW_NS)
        assert any(isinstance(one, Malformed) and "[" * 100 in str(one.payload) for one in said)
        assert sys.getrecursionlimit() < DEEP
        numbers = [one.source_seq for one in said if isinstance(one, Print)]
        assert max(numbers) < 10**9


def quote(number: int, symbol: str = "A", epoch: int = 1) -> Quote:
    return Quote(symbol, ((99, 1),), ((101, number),), NOW_NS, NOW_NS, "binance", epoch, number)


def trade(number: int, epoch: int = 1) -> Print:
    return Print("A", 100, 1, "buy", NOW_NS, NOW_NS, "binance", epoch, number)


class Log:
    """A ledger that gets ticks numbered as a feed numbers them."""

    def __init__(self) -> None:
        self.ledger, self.seq = Ledger(), 0

    def write(self, *ticks: Quote | Print) -> None:
        numbered = []
        for tick in ticks:
            self.seq += 1
            numbered.append(
                type(tick)(**{n: getattr(tick, n) for n in tick.__struct_fields__[:-1]}, seq=self.seq)
            )
        self.ledger.take(numbered)


class TestTheLedger:
    def test_it_finds_nothing_in_a_whole_log(self):
        log = Log()
        log.write(quote(100), quote(101), trade(1_001), quote(101), trade(1_002))
        assert log.ledger.absent({"A": [101, 1_002]}) == {}
        assert (log.ledger.doubled, log.ledger.seq_breaks, log.ledger.count) == ([], [], 4)

    def test_it_finds_what_is_lost_in_the_middle_and_at_the_end(self):
        log = Log()
        log.write(quote(100), quote(103), trade(1_001))
        absent = log.ledger.absent({"A": [104, 1_003]})
        assert absent == {("A", False): [(101, 102), (104, 104)], ("A", True): [(1_002, 1_003)]}
        assert amount(absent) == 5

    def test_it_finds_a_trade_that_passed_twice_over_two_connections(self):
        log = Log()
        log.write(trade(1_001), trade(1_002), trade(1_002, epoch=2))
        assert log.ledger.doubled == [("A", True, 1_002)]

    def test_it_finds_a_number_of_the_feed_that_was_left_out(self):
        log = Log()
        log.write(quote(100))
        log.seq += 1
        log.write(quote(101))
        assert log.ledger.seq_breaks == [(1, 3)]

    def test_a_gap_must_name_exactly_what_is_missing(self):
        log = Log()
        log.write(trade(1_001))
        log.ledger.take(wal.GapRecord(Gap("binance", "", NOW_NS)))
        log.ledger.take(wal.GapRecord(Gap("binance", "A", NOW_NS, 1_002, 1_004)))
        log.write(trade(1_006, epoch=2))
        assert log.ledger.absent({"A": [100, 1_006]}) == {("A", True): [(1_002, 1_005)]}
        assert log.ledger.told() == {("A", True): [(1_002, 1_004)]}
        assert log.ledger.gaps_between() == {1}

    def test_it_finds_a_bar_that_the_log_does_not_give(self):
        log = Log()
        log.write(trade(1_001))
        stored = dict(log.ledger.bars)
        assert log.ledger.bars_differ(stored) == []
        key = next(iter(stored))
        assert [found["bar"] for found in log.ledger.bars_differ({**stored, key: None})] == [key]


def test_the_judge_reads_a_log_while_it_grows_and_waits_for_what_is_torn(tmp_path):
    tail, writer = Tail(tmp_path), wal.Wal(tmp_path, wal.Fsync.NEVER)
    writer.append(encode([quote(100)]), NOW_NS)
    assert [len(each) for each in tail.new()] == [1]
    record = wal.record_of(encode([quote(101), quote(102)]))
    [path] = wal.segments(tmp_path)
    for begin, end in pairwise((0, 5, 20, len(record))):
        assert list(tail.new()) == []
        with path.open("ab") as file:
            file.write(record[begin:end])
    assert [len(each) for each in tail.new()] == [2]
    writer.append(encode([quote(103)]), NOW_NS + 3_600 * 10**9)  # the next hour, the next segment
    assert [each[0].source_seq for each in tail.new()] == [103]


def test_latencies_are_told_to_ten_microseconds():
    spread = Spread()
    for us in range(1, 1_001):
        spread.add(us * 1_000 - 1)
    assert spread.facts() == {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    assert Spread().facts() == {"p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": 0.0}


def test_a_drill_that_there_is_not_is_refused():
    with pytest.raises(CommandError, match="earthquake"):
        call_command("soak", "earthquake")


@pytest.mark.slow
def test_a_moment_of_each_drill_finds_nothing(tmp_path):
    """A steady stream, a cut, a kill with a torn log, a mad venue: real processes, one home."""
    home, kept = tmp_path / "drill", tmp_path / "report.json"
    given = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    words = ["soak", "short", "--symbols", "3", "--rate", "300", "--seed", "5", "--format", "json"]
    done = subprocess.run(
        [sys.executable, "manage.py", *words, "--home", str(home), "--report", str(kept)],
        cwd=settings.BASE_DIR,
        env={**given, "DJANGO_SETTINGS_MODULE": "simgame.settings"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    report = json.loads(done.stdout)
    assert report["findings"] == []
    assert (report["steady"]["lost"], report["hostile"]["fills"]) == (0, 0)
    assert report["cuts"]["trades_missing"] == report["cuts"]["trades_told_missing"] > 0
    assert report["kills"]["torn_at_every_byte"] > 50
    assert report["hostile"]["quarantined_in_all"] > 1_000
    assert json.loads(kept.read_text())["ended"]
    assert not home.exists()  # nothing was found: nothing is kept
