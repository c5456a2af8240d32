"""Minute bars, days of futures and indices, and recorded OKX connections: what is played and what is made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from market import errors
from market.feed.pipeline import Pipeline
from market.feed.sequence import Numbering
from market.models import Instrument
from market.sources.items import Gap, Item, Malformed
from market.sources.replay import describe, open_recording, shelf, way
from market.sources.replay.bars import BarRecording
from market.ticks import Print, Quote
from tests.feed import recordings as made

S = 10**9


def opened(path: Path, **options: object) -> BarRecording:
    recording = open_recording(str(path), options)
    assert isinstance(recording, BarRecording)
    return recording


def rebuilt(items: Iterable[tuple[int, Item]], seconds: int) -> dict[int, list[int]]:
    """Start in seconds → open, high, low, close, volume of the prints."""
    found: dict[int, list[int]] = {}
    for at_ns, item in items:
        if isinstance(item, Print):
            start = at_ns // S // seconds * seconds
            bar = found.setdefault(start, [item.price, item.price, item.price, item.price, 0])
            bar[1], bar[2], bar[3] = max(bar[1], item.price), min(bar[2], item.price), item.price
            bar[4] += item.size
    return found


def test_the_prints_of_a_minute_bar_are_that_bar_again_and_say_that_they_are_made(tmp_path):
    recording = opened(made.futures(tmp_path))
    items = list(recording.play())
    times = [at for at, _ in items]
    assert times == sorted(times)
    assert all(item.made for _, item in items if isinstance(item, Print | Quote))
    bars = list(rebuilt(items, 300).values())
    assert bars == [
        [23422, 23434, 23392, 23432, 10226],
        [23432, 23440, 23430, 23430, 2000],
        [23400, 23410, 23302, 23310, 45],
        [23310, 23310, 23310, 23310, 3],
    ]
    first = next(item for _, item in items if isinstance(item, Quote))
    assert len(first.bids) == len(first.asks) == 5
    assert first.asks[0][0] - first.bids[0][0] in (2, 4)  # one tick of 0.2, or two


def test_a_bar_that_falls_goes_to_its_high_first_and_one_that_rises_to_its_low():
    rises, falls = way.Corners(10, 20, 5, 15), way.Corners(15, 20, 5, 10)
    assert [way.price_at(rises, step, 3) for step in range(4)] == [10, 5, 20, 15]
    assert [way.price_at(falls, step, 3) for step in range(4)] == [15, 20, 5, 10]
    assert [way.price_at(rises, step, 2) for step in range(3)] == [10, 10, 15]
    assert sum(way.size_at(17, step, 5) for step in range(5)) == 17


def test_a_continuous_contract_has_its_products_terms_and_the_days_before_are_history(tmp_path):
    recording = opened(made.futures(tmp_path), **{"from": "2014-01-03"})
    (row,) = recording.facts.instruments
    assert (row["symbol"], row["venue"], row["product"]) == ("IF.HOT", "CFFEX", "IF")
    assert (row["multiplier"], row["tick"], row["price_exponent"]) == (300, 2, 1)
    assert row["previous_close"] == 23430
    assert recording.days == [date(2014, 1, 3)]
    assert recording.facts.slug == "replay-if-hot-5m-20140103"
    past = list(recording.history())
    assert [bar.interval for bar in past] == ["1d", "5m", "5m"]
    assert (past[0].open, past[0].high, past[0].low, past[0].close) == (23422, 23440, 23392, 23430)
    assert past[0].volume == 12_226
    again = open_recording(recording.facts.recording, recording.facts.options)
    assert again.facts == recording.facts


def test_nobody_can_trade_an_index_and_a_silent_minute_is_silent(tmp_path):
    recording = opened(made.index(tmp_path))
    (row,) = recording.facts.instruments
    assert (row["kind"], row["tradable"], row["venue"]) == ("index", False, "SSE")
    items = [item for _, item in recording.play()]
    assert not [item for item in items if isinstance(item, Quote)]
    bars = rebuilt(recording.play(), 60)
    assert [bar[4] for bar in bars.values()] == [720_858_300, 311_297_200]


def test_the_venue_is_open_when_the_bars_are_and_the_gate_refuses_none_of_them(tmp_path):
    recording = opened(made.futures(tmp_path))
    gate = Pipeline([Instrument(**row) for row in recording.facts.instruments], Numbering.RISING)
    for played, item in recording.play():
        assert gate.take(item, played).tick is not None
        assert recording.phase(played).phase == "continuous"
    assert gate.gate.refused.total() == 0


@pytest.mark.parametrize(
    "line",
    ["2014/1/3,09:45:00,1,2", "2014/1/3,09:45:00,9,8,7,9,1", "2014/13/3,09:45:00,1,1,1,1,1", "2014/1,x"],
)
def test_a_row_that_is_no_bar_is_set_aside_and_a_torn_one_is_called_torn(tmp_path, line):
    path = made.futures(
        tmp_path, made.FUTURES_ROWS + f"{line}\n2014/1/3,09:50:00,2331,2331,2331,2331,4\n{line}"
    )
    said = [item.reason for _, item in opened(path).play() if isinstance(item, Malformed)]
    assert said == ["unreadable_message", "torn_recording"]


def test_a_day_behind_the_recording_is_refused_with_what_there_is(tmp_path):
    path = made.futures(tmp_path)
    with pytest.raises(errors.RecordingUnknown, match="2014-01-02 to 2014-01-03: nothing from 2015-01-01"):
        describe(f"{path}@2015-01-01")
    assert describe(f"{path}@2014-01-03").slug.endswith("20140103")
    assert describe(f"{made.daily(tmp_path)}@2018-01-04").slug == "replay-us-daily-20180104"


def test_okx_books_are_followed_fall_silent_at_a_hole_and_come_back_with_a_snapshot(tmp_path):
    recording = open_recording(str(made.okx(tmp_path)))
    assert [row["symbol"] for row in recording.facts.instruments] == ["ABCUSDT"]
    items = [item for _, item in recording.play()]
    tops = [(item.bids[0], item.asks[0]) for item in items if isinstance(item, Quote)]
    assert tops == [((1000, 50), (1002, 20)), ((1000, 50), (1001, 40)), ((998, 10), (1000, 20))]
    assert [item.symbol for item in items if isinstance(item, Gap)] == ["ABCUSDT"]
    assert [(p.price, p.size, p.side) for p in items if isinstance(p, Print)] == [
        (1001, 5, "buy"),
        (998, 1, "sell"),
    ]
    assert [item.reason for item in items if isinstance(item, Malformed)] == ["torn_recording"]


@pytest.mark.parametrize(("name", "seconds", "tick"), [("if_minutes", 300, 2), ("sse_minutes", 60, 1)])
def test_the_real_minutes_come_out_as_they_were_recorded(recordings: Path, name, seconds, tick):
    recording = opened(Path(name))
    played = rebuilt(recording.play(), seconds)
    recorded = {
        bar.start_ns // S: [*(corner * tick for corner in bar.corners), bar.volume]
        for bar in recording._played
        if bar.volume
    }
    assert played == recorded
    assert len(recording.days) == 5
    assert all(later > earlier for earlier, later in pairwise(recording.days))


def test_the_command_tells_what_a_recording_holds_and_what_is_made(tmp_path, capsys, monkeypatch):
    path = made.futures(tmp_path)
    call_command("replay", "show", f"{path}@2014-01-03", "--format", "json")
    told = json.loads(capsys.readouterr().out)
    assert (told["world"], told["symbols"]) == ("replay-if-hot-5m-20140103", ["IF.HOT"])
    assert told["made"] == ["way", "depth"]
    monkeypatch.setattr(
        shelf, "SHORT_NAMES", {"mine": str(path), "broken": str(made.futures(tmp_path, name="x.csv"))}
    )
    call_command("replay", "list", "--format", "json")
    mine, broken = json.loads(capsys.readouterr().out)
    assert (mine["recording"], mine["format"]) == ("mine", "futures_bars")
    assert (broken["format"], "no recording that can be replayed" in broken["name"]) == ("unreadable", True)
    with pytest.raises(CommandError, match="There is no recording 'nowhere'") as refused:
        call_command("replay", "show", "nowhere")
    assert refused.value.returncode == 1
