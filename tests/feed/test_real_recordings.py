"""The real recordings, where they lie: counts that were taken from the files themselves."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from market.feed.pipeline import Pipeline
from market.feed.sequence import Numbering
from market.models import Instrument
from market.sources.items import Gap, Malformed
from market.sources.replay import open_recording
from market.ticks import Print, Quote


@pytest.mark.parametrize(("name", "symbols"), [("BINANCE", 4), ("BINANCE_DELIVERY", 10), ("BINANCE_TR", 2)])
def test_every_binance_symbol_bridges_its_snapshot_without_a_gap(recordings: Path, name, symbols):
    recording = open_recording(str(recordings / "cryptofeed_raw" / f"{name}.0"))
    items = [item for _, item in recording.play()]
    assert len(recording.symbols) == symbols
    assert not [item for item in items if isinstance(item, Gap | Malformed)]
    told = {item.symbol for item in items if isinstance(item, Quote)}
    assert told == set(recording.symbols)
    assert recording.bridged == set(recording.symbols)
    for item in items:
        if isinstance(item, Quote) and item.bids and item.asks:
            assert item.bids[0][0] < item.asks[0][0]


def test_binance_trades_are_all_there(recordings: Path):
    recording = open_recording(str(recordings / "cryptofeed_raw" / "BINANCE_DELIVERY.0"))
    told = Counter(item.symbol for _, item in recording.play() if isinstance(item, Print))
    frames = (recordings / "cryptofeed_raw" / "BINANCE_DELIVERY.ws.1.0").read_text()
    assert sum(told.values()) == frames.count('"e":"aggTrade"') > 0


def test_rb1910_has_every_trade_of_the_day(recordings: Path):
    path = recordings / "ctp_ticks_shfe" / "rb1910.csv"
    recording = open_recording(str(path))
    instruments = [Instrument(**row) for row in recording.facts.instruments]
    gate = Pipeline(instruments, Numbering.RISING, lambda ns: closed_for_a_minute(recording, ns))
    volume = trades = 0
    times = []
    for played, item in recording.play():
        times.append(played)
        tick = gate.take(item, played).tick
        if isinstance(tick, Print):
            volume += tick.size
            trades += 1
    assert volume == 2_194_802  # the last row's total
    totals = [float(row[2]) for row in csv.reader(path.open())]
    assert trades == sum(after > before for before, after in pairwise(totals)) == 23_997
    assert times == sorted(times)
    assert dict(gate.gate.refused) == {"absurd": 1, "out_of_hours": 1}
    assert recording.previous_closes() == {"rb1910": 3737}


def closed_for_a_minute(recording, at_ns: int) -> bool:
    return all(recording.phase(ns).phase == "closed" for ns in (at_ns, at_ns - 60 * 10**9))


def test_lobster_book_equals_the_reference_at_all_999_rows(recordings: Path):
    folder = recordings / "lobster_aapl"
    rows = [
        [int(value) for value in row]
        for row in csv.reader((folder / "AAPL_2012-06-21_34200000_57600000_orderbook_10.csv").open())
    ]
    own = list(csv.reader((folder / "AAPL_2012-06-21_34200000_57600000_message_10.csv").open()))
    path = folder / "AAPL_2012-06-21_0930_1000_message_50.csv"
    lines = path.read_text().splitlines()
    recording = open_recording(str(path))
    compared = 0
    for (_, message), line in zip(recording.steps(), lines, strict=True):
        if compared < len(rows) and line.split(",") == own[compared]:
            bids, asks = recording.book.top(10)
            assert [*bids] == [(rows[compared][4 * n + 2], rows[compared][4 * n + 3]) for n in range(10)], (
                message
            )
            assert [*asks] == [(rows[compared][4 * n], rows[compared][4 * n + 1]) for n in range(10)], message
            compared += 1
    assert compared == 999


def test_lobster_book_is_never_crossed_and_has_every_execution(recordings: Path):
    path = recordings / "lobster_aapl" / "AAPL_2012-06-21_0930_1000_message_50.csv"
    kinds = Counter(row[1] for row in csv.reader(path.open()))
    trades = 0
    for _, item in open_recording(str(path)).play():
        if isinstance(item, Print):
            trades += 1
        elif isinstance(item, Quote) and item.bids and item.asks:
            assert item.bids[0][0] < item.asks[0][0]
    assert trades == kinds["4"] + kinds["5"] == 3_202


@pytest.mark.parametrize(("name", "shares"), [("us_daily", 60), ("ashare", 50)])
def test_daily_bars_end_each_day_where_they_closed(recordings: Path, name, shares):
    recording = open_recording(name, {"days": 2})
    assert len(recording.facts.instruments) == shares
    last: dict[tuple[str, int], Print] = {}
    volume: Counter[tuple[str, int]] = Counter()
    for played, item in recording.play():
        if isinstance(item, Print):
            key = (item.symbol, recording.phase(played).market_day)
            last[key] = item
            volume[key] += item.size
    assert last
    for (symbol, market_day), trade in last.items():
        (bar,) = [
            bar
            for bar in recording._played[symbol]
            if bar.day.year * 10_000 + bar.day.month * 100 + bar.day.day == market_day
        ]
        assert trade.price == bar.corners.close
        assert volume[symbol, market_day] == bar.volume
