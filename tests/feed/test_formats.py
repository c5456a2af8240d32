"""Every recorded format, on small generated recordings: what comes out can be checked by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from market import errors
from market.feed import wal
from market.feed.pipeline import Pipeline
from market.feed.sequence import Numbering
from market.models import Instrument
from market.sources.items import Gap, Item, Malformed, RawPrint
from market.sources.replay import describe, open_recording
from market.sources.replay.own_wal import WORLD_FILE
from market.ticks import PhaseTick, Print, Quote, encode
from tests.feed import recordings as made

S = 10**9


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def play(path: Path) -> list[tuple[int, Item]]:
    return list(open_recording(str(path)).play())


def quotes(played: list[tuple[int, Item]], symbol: str) -> list[Quote]:
    return [item for _, item in played if isinstance(item, Quote) and item.symbol == symbol]


def prints(played: list[tuple[int, Item]]) -> list[Print]:
    return [item for _, item in played if isinstance(item, Print)]


# --- Binance -----------------------------------------------------------------------------------------


def test_binance_depth_is_bridged_from_the_snapshot_by_update_ids(tmp_path):
    played = play(made.binance(tmp_path))
    first, bridged, last = quotes(played, "ABCUSDT")
    # The snapshot; 3.333 is off the tick and left out, 7.55 rounded down to the step.
    assert (first.bids, first.asks) == (((1000, 50), (999, 10)), ((1002, 20), (1005, 75)))
    # Update 90-97 is older than the snapshot; 98-101 bridges it.
    assert (bridged.bids, bridged.asks) == (((999, 10),), ((1001, 40), (1002, 20), (1005, 75)))
    assert (last.bids, last.asks) == (((999, 10),), ((1002, 20), (1005, 75)))
    # The exchange's own time, also where our clock was behind it.
    assert last.at_ns == 1_600_000_004_007 * 10**6
    assert last.received_ns == 1_600_000_003 * S + S // 4
    assert not [item for _, item in played if isinstance(item, Gap)]


def test_binance_trades_name_the_taker(tmp_path):
    buy, sell = prints(play(made.binance(tmp_path)))
    assert (buy.price, buy.size, buy.side) == (1002, 5, "buy")
    assert (sell.price, sell.size, sell.side) == (999, 1, "sell")


def test_binance_missing_updates_and_trades_are_gaps_and_the_book_falls_silent(tmp_path):
    frames = [
        made.depth("ABCUSDT", 98, 101, at=1_600_000_001_500, bids=[["10.00", "1.0"]]),
        made.depth("ABCUSDT", 105, 106, at=1_600_000_002_500, bids=[["10.00", "2.0"]]),
        made.depth("ABCUSDT", 107, 107, at=1_600_000_003_500, bids=[["10.00", "3.0"]]),
        made.trade("ABCUSDT", 5, "10.00", "1.0", at=1_600_000_004_000, maker=True),
        made.trade("ABCUSDT", 8, "10.00", "1.0", at=1_600_000_004_500, maker=True),
    ]
    played = play(made.binance(tmp_path, frames))
    gaps = [item for _, item in played if isinstance(item, Gap)]
    assert [(gap.first_missing, gap.last_missing) for gap in gaps] == [(102, 104), (6, 7)]
    assert [quote.bids[0] for quote in quotes(played, "ABCUSDT")] == [(1000, 50), (1000, 10)]


def test_binance_says_what_can_be_traded(tmp_path):
    facts = describe(str(made.binance(tmp_path)))
    assert (facts.slug, facts.currency) == ("replay-binance-20200913", "USDT")
    rows = {row["symbol"]: row for row in facts.instruments}
    assert rows.keys() == {"ABCUSDT", "ABCBTC"}
    assert rows["ABCUSDT"]["tradable"]
    assert (rows["ABCUSDT"]["price_exponent"], rows["ABCUSDT"]["qty_exponent"]) == (2, 1)
    assert not rows["ABCBTC"]["tradable"]
    assert "BTC" in rows["ABCBTC"]["why_not_tradable"]
    for row in rows.values():
        Instrument(**row)


def test_a_binance_frame_cut_in_the_middle_ends_the_recording_and_says_so(tmp_path):
    played = play(made.binance(tmp_path, tail='1600000009.5: {"stream":"abcus'))
    torn = played[-1][1]
    assert isinstance(torn, Malformed)
    assert torn.reason == "torn_recording"
    assert len(prints(played)) == 2


# --- CTP ---------------------------------------------------------------------------------------------


def test_ctp_volume_is_a_difference_and_depth_is_made(tmp_path):
    played = play(made.ctp(tmp_path))
    assert [(p.price, p.size, p.side) for p in prints(played)] == [
        (3716, 50, ""),
        (3717, 30, "buy"),
        (3715, 10, "sell"),
        (3715, 5, "sell"),
    ]
    after_the_buy = quotes(played, "rb1910")[1]
    assert after_the_buy.made
    assert after_the_buy.asks[:2] == ((3717, 100), (3718, 200))
    assert after_the_buy.bids[:2] == ((3716, 100), (3715, 200))
    assert len(after_the_buy.bids) == 5


def test_ctp_rows_of_one_second_follow_each_other(tmp_path):
    times = [trade.at_ns for trade in prints(play(made.ctp(tmp_path)))]
    assert times[1] == at("2019-06-10T01:00:00")
    assert times[2] - times[1] == S // 2


def test_ctp_login_and_after_close_rows_end_in_quarantine(tmp_path):
    recording = open_recording(str(made.ctp(tmp_path)))
    instruments = [Instrument(**row) for row in recording.facts.instruments]
    gate = Pipeline(instruments, Numbering.RISING, lambda ns: recording.phase(ns).phase == "closed")
    passed = [gate.take(item, item.at_ns).tick for _, item in recording.play()]
    assert gate.gate.refused["absurd"] == 1
    assert gate.gate.refused["out_of_hours"] >= 1
    assert isinstance(play(made.ctp(tmp_path))[0][1], RawPrint)
    assert passed[0] is None
    assert recording.previous_closes() == {"rb1910": 3737}


def test_ctp_hours_are_those_of_the_contract(tmp_path):
    recording = open_recording(str(made.ctp(tmp_path)))
    phases = {
        text: recording.phase(at(f"2019-06-10T{text}")).phase
        for text in (
            "00:00:00",
            "00:56:00",
            "00:59:30",
            "01:00:00",
            "02:20:00",
            "04:00:00",
            "06:00:00",
            "07:00:00",
        )
    }
    assert list(phases.values()) == [
        *("closed", "auction", "auction_locked", "continuous", "break", "break", "continuous", "closed")
    ]


def test_ctp_a_night_session_belongs_to_the_next_market_day(tmp_path):
    recording = open_recording(str(made.ctp(tmp_path, made.CTP_NIGHT)))
    (night, first), (_, _), (morning, second) = [
        (played, item) for played, item in recording.play() if not isinstance(item, Malformed)
    ][:3]
    # Monday's market day began on Friday evening, Shanghai time.
    assert night == at("2019-06-14T13:00:00")
    assert morning == at("2019-06-17T01:00:00")
    assert (first.size, second.size) == (10, 15)
    assert recording.phase(night).market_day == recording.phase(morning).market_day == 20190617
    assert recording.phase(at("2019-06-15T12:00:00")).phase == "break"


def test_a_ctp_row_cut_in_the_middle_is_torn(tmp_path):
    played = play(made.ctp(tmp_path, made.CTP_ROWS + "20190610 15:1"))
    assert [item.reason for _, item in played if isinstance(item, Malformed)] == ["torn_recording"]
    broken = made.CTP_ROWS.replace("3717.0000,80.0000", "37zz,80.0000")
    played = play(made.ctp(tmp_path, broken, "rb1911.csv"))
    assert [item.reason for _, item in played if isinstance(item, Malformed)] == ["unreadable_message"]


# --- LOBSTER -----------------------------------------------------------------------------------------


def test_lobster_rebuilds_the_book_from_the_messages(tmp_path):
    path = made.lobster(tmp_path)
    recording = open_recording(str(path))
    books = []
    for _ in recording.steps():
        books.append(recording.book.top(2))
    rows = [[int(v) for v in line.split(",")] for line in made.LOBSTER_ROWS.splitlines()]
    for (bids, asks), row in zip(books, rows, strict=True):
        assert [*bids] == [(row[n + 2], row[n + 3]) for n in (0, 4) if row[n + 3]]
        assert [*asks] == [(row[n], row[n + 1]) for n in (0, 4) if row[n + 1]]
    assert recording.book.disagreed == 0


def test_lobster_executions_name_the_taker(tmp_path):
    sold, hidden = prints(play(made.lobster(tmp_path)))
    assert (sold.price, sold.size, sold.side) == (1000000, 40, "sell")
    assert (hidden.price, hidden.size, hidden.side) == (1000100, 7, "buy")
    assert sold.at_ns == at("2012-06-21T13:30:00") + 300_000_000


def test_lobster_without_an_order_book_grows_from_the_messages(tmp_path):
    recording = open_recording(str(made.lobster(tmp_path, rows=None)))
    played = list(recording.play())
    assert quotes(played, "XYZ")[0].bids == ((1000000, 100),)
    assert recording.book.unknown == 1  # the delete of an order from before
    assert "grows from the messages" in recording.facts.notes[0]


def test_a_lobster_message_cut_in_the_middle_is_torn(tmp_path):
    played = play(made.lobster(tmp_path, made.LOBSTER_MESSAGES + "34200.8,1,3"))
    assert played[-1][1].reason == "torn_recording"


# --- daily bars --------------------------------------------------------------------------------------


def daily(tmp_path: Path, **changes):
    return open_recording(str(made.daily(tmp_path, **changes)), {"days": 1})


def test_daily_bars_before_the_start_are_history(tmp_path):
    recording = daily(tmp_path)
    past = list(recording.history())
    assert [(bar.symbol, bar.start, bar.open, bar.close) for bar in past] == [
        ("AAA", 1514851200, 1000, 1050),
        ("BBB", 1514851200, 2000, 2000),
        ("AAA", 1514937600, 1050, 1100),
        ("BBB", 1514937600, 2000, 1900),
    ]
    assert recording.previous_closes() == {"AAA": 1100, "BBB": 1900}


def test_the_way_inside_a_bar_goes_through_its_corners(tmp_path):
    played = list(daily(tmp_path).play())
    ways = {s: [p for p in prints(played) if p.symbol == s] for s in ("AAA", "BBB")}
    down = [p.price for p in ways["AAA"]]  # closed below its open: open, high, low, close
    assert (down[0], down[-1], max(down), min(down)) == (1100, 1000, 1150, 900)
    assert down.index(1150) < down.index(900)
    assert sum(p.size for p in ways["AAA"]) == 395
    assert ways["AAA"][0].size == 1 + 395 % 390
    assert sum(p.size for p in ways["BBB"]) == 100
    assert all(p.made for p in ways["AAA"])
    up = [q.bids[0][0] for q in quotes(played, "BBB")]
    assert up.index(min(up)) < up.index(max(up))  # open, low, high, close
    assert ways["AAA"][0].at_ns == at("2018-01-04T14:30:00")


def test_daily_bars_that_are_cut_in_their_compression_play_until_the_tear(tmp_path):
    rows = made.DAILY_ROWS + "".join(f"2018-01-05,1.00,1.{n:02},0.90,1.00,{n},C{n}\n" for n in range(60))
    recording = open_recording(str(made.daily(tmp_path, rows, cut_bytes=40)), {"days": 2})
    assert [item.reason for _, item in recording.play() if isinstance(item, Malformed)][-1:] == [
        "torn_recording"
    ]
    assert recording.facts.instruments


# --- our own WAL -------------------------------------------------------------------------------------


def test_our_own_wal_plays_again_without_refreshed_quotes(tmp_path):
    log = wal.Wal(tmp_path)
    start = at("2026-11-02T10:00:00")
    ticks = [
        PhaseTick(20261102, "continuous", "closed", 0, start, start, seq=1),
        Quote("ALB", ((1000, 5),), ((1001, 5),), start, start, "seeded", 0, 7, False, 2),
        Quote("ALB", ((1000, 5),), ((1001, 5),), start, start + 5 * S, "seeded", 0, 7, False, 3),
        Print("ALB", 1001, 2, "buy", start + S, start, "seeded", 0, 8, False, 4),
    ]
    log.append(encode(ticks), start)
    log.close()
    row = {"symbol": "ALB", "name": "Alder", "kind": "stock", "currency": "CNY", "price_exponent": 2}
    (tmp_path / WORLD_FILE).write_text(
        '{"slug":"seeded","name":"S","currency":"CNY","timezone":"UTC","rulebook":"plain","hours":"always",'
        f'"instruments":[{str(row).replace(chr(39), chr(34))}]}}'
    )
    played = play(tmp_path)
    assert [type(item) for _, item in played] == [Quote, Print]
    facts = describe(str(tmp_path))
    assert facts.instruments == [row]
    assert facts.slug == "replay-seeded-20261102t1000"


# --- what is no recording ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "nothing", "../../etc", "a\x00b", "x" * 300])
def test_a_missing_recording_is_one_clear_sentence(name):
    with pytest.raises(errors.RecordingMissing) as missing:
        describe(name if name != "../../etc" else "../../etc/none")
    assert missing.value.detail.count("\n") == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"hello"),
        ("rb1910.csv", b""),
        ("rb1910.csv", b"\xff\xfe\x00garbage"),
        ("zz9910.csv", made.CTP_ROWS.encode()),
        ("shares.csv", b"date,open,high,low,close,volume,Name\n"),
        ("shares.csv.gz", b"\x1f\x8b\x08\x00torn"),
        ("BINANCE.0", b"https://x -> 1.0: {"),
        ("XYZ_2012-06-21_1_2_message_2.csv", b"nonsense\n"),
    ],
)
def test_what_is_no_recording_is_one_clear_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(errors.RecordingUnknown) as unknown:
        describe(str(path))
    assert str(path.name) in unknown.value.detail
