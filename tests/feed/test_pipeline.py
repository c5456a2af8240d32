"""What passes the sequence and the quality gate, and what never does."""

from __future__ import annotations

import math
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.feed.pipeline import Pipeline
from market.feed.quality import SCALED_MAX
from market.feed.sequence import Numbering
from market.sources.items import Gap, Malformed, RawPrint, RawQuote
from market.ticks import Print, Quote, Reference

NOW = 1_793_620_800 * 10**9
SCALE = SimpleNamespace(symbol="ALB", price_exponent=2, qty_exponent=0, tick=5)


def pipeline(numbering: Numbering = Numbering.RISING) -> Pipeline:
    return Pipeline([SCALE], numbering)


def quote(**changes) -> Quote:
    whole = Quote("ALB", ((1000, 10), (995, 5)), ((1005, 10), (1010, 5)), NOW, NOW, "test")
    return msgspec.structs.replace(whole, **changes)


def trade(**changes) -> Print:
    return msgspec.structs.replace(Print("ALB", 1000, 10, "buy", NOW, NOW, "test"), **changes)


def raw(price: object, size: object = "1", **more) -> RawPrint:
    return RawPrint("ALB", price, size, "buy", NOW, NOW, "test", **more)


def test_sound_ticks_pass_unchanged():
    gate = pipeline()
    assert gate.take(quote(), NOW).tick == quote()
    assert gate.take(trade(), NOW).tick == trade()
    assert gate.take(quote(asks=()), NOW).tick == quote(asks=())  # limit up: nobody sells
    assert gate.take(raw("10.05", 3), NOW).tick == trade(price=1005, size=3)
    assert not gate.take_refused()


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (quote(symbol="GHOST"), "unknown_instrument"),
        (quote(bids=((1000, -1),)), "negative"),
        (quote(bids=((-5, 1),)), "negative"),
        (quote(bids=((1000, 0),)), "zero_size"),
        (quote(bids=((1001, 1),)), "off_tick"),
        (quote(bids=((1005, 1),)), "crossed"),
        (quote(bids=((1000, 1), (1000, 2))), "unsorted"),
        (quote(asks=((1010, 1), (1005, 2))), "unsorted"),
        (quote(bids=((math.nan, 1),)), "not_a_number"),
        (quote(bids=((None, 1),)), "not_a_number"),
        (quote(bids=None), "not_a_number"),
        (trade(price=10**18), "absurd"),
        (trade(at_ns=NOW + 3_600 * 10**9), "from_the_future"),
        (trade(at_ns=NOW - 3_600 * 10**9), "stale"),
        (raw(float("nan")), "not_a_number"),
        (raw(float("inf")), "infinite"),
        (raw(1.797693e308), "absurd"),
        (raw("1.797693e+308"), "absurd"),
        (raw("-1"), "negative"),
        (raw("10.001"), "off_tick"),
        (raw("10.00", "0.5"), "off_tick"),
        (raw("10.00", 0), "zero_size"),
        (raw("ten"), "not_a_number"),
        (raw("10.00", also={"open": "1.797693e+308"}), "absurd"),
        (RawQuote("ALB", (("nan", "1"),), (), NOW, NOW, "test"), "not_a_number"),
        (Malformed("test", "torn_recording", "half a li"), "torn_recording"),
    ],
)
def test_what_no_exchange_may_see_is_quarantined_with_its_reason(item, reason):
    gate = pipeline()
    assert gate.take(item, NOW).tick is None
    (refused,) = gate.take_refused()
    assert refused.reason == reason
    assert gate.gate.refused == {reason: 1}
    msgspec.json.encode(refused.payload)  # what PostgreSQL stores


def test_the_band_of_the_day_binds_quotes_and_trades():
    gate = pipeline()
    gate.learn([Reference("ALB", 20261102, 1000, 900, 1100, NOW, NOW, "test")])
    assert gate.take(trade(price=1100), NOW).tick
    assert gate.take(trade(price=1105), NOW).tick is None
    assert gate.take(quote(bids=((895, 1),), asks=()), NOW).tick is None
    assert gate.gate.refused == {"out_of_band": 2}


def test_without_a_band_a_leap_of_more_than_five_times_is_refused():
    gate = pipeline()
    assert gate.take(trade(price=1000), NOW).tick
    assert gate.take(trade(price=5005), NOW).tick is None
    assert gate.take(trade(price=195), NOW).tick is None
    assert gate.take(trade(price=5000), NOW).tick


def test_a_source_with_more_levels_than_we_carry_is_cut():
    bids = tuple((1000 - 5 * n, 1) for n in range(14))
    passed = pipeline().take(quote(bids=bids), NOW).tick
    assert passed is not None
    assert passed.bids == bids[:10]


def test_after_hours_nothing_passes():
    gate = Pipeline([SCALE], Numbering.RISING, lambda at_ns: at_ns > NOW)
    assert gate.take(trade(), NOW).tick
    assert gate.take(trade(at_ns=NOW + 1), NOW).tick is None
    assert gate.gate.refused == {"out_of_hours": 1}


def test_duplicates_gaps_and_late_messages_are_counted_exactly():
    gate = pipeline(Numbering.DENSE)
    passed = [gate.take(trade(source_seq=n), NOW) for n in (1, 2, 2, 5, 4, 1, 6, 6, 10)]
    numbers = [p.tick.source_seq if p.tick else None for p in passed]
    assert numbers == [1, 2, None, 5, None, None, 6, None, 10]
    assert [(p.gap.first_missing, p.gap.last_missing) for p in passed if p.gap] == [(3, 4), (7, 9)]
    sequence = gate.sequence
    assert (sequence.duplicates, sequence.gaps, sequence.missing) == (2, 2, 5)
    assert (sequence.out_of_order, sequence.late) == (1, 1)


def test_quotes_and_trades_are_numbered_apart_and_instruments_too():
    gate = Pipeline([SCALE, SimpleNamespace(**{**vars(SCALE), "symbol": "MRT"})], Numbering.DENSE)
    assert gate.take(trade(source_seq=1), NOW).tick
    assert gate.take(quote(source_seq=1), NOW).tick
    assert gate.take(trade(symbol="MRT", source_seq=1), NOW).tick


def test_a_late_message_of_an_old_connection_is_refused():
    gate = pipeline()
    assert gate.take(trade(source_epoch=2, source_seq=1), NOW).tick
    assert gate.take(trade(source_epoch=1, source_seq=99), NOW).tick is None
    assert gate.sequence.old_epoch == 1


def test_a_known_gap_goes_through_as_a_gap():
    passed = pipeline().take(Gap("test", "ALB", NOW, 4, 6), NOW)
    assert passed.tick is None
    assert passed.gap == Gap("test", "ALB", NOW, 4, 6)


numbers = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["NaN", "-inf", "1e400", "١٢", "0x10", "1_0", " 10 ", "10.05", True, 1005, 10.05]),
)
sides = st.one_of(st.none(), st.tuples(), st.lists(st.tuples(numbers, numbers), max_size=12).map(tuple))
times = st.one_of(st.just(NOW), st.integers(-(2**70), 2**70), st.floats(), st.none())
symbols = st.sampled_from(["ALB", "ALB", "ALB", "?", "", None])
hostile = st.one_of(
    st.builds(Quote, symbols, sides, sides, times, times, st.just("test")),
    st.builds(
        Print, symbols, numbers, numbers, st.sampled_from(["buy", "sell", "x"]), times, times, st.just("t")
    ),
    st.builds(RawQuote, symbols, sides, sides, times, times, st.just("test")),
    st.builds(RawPrint, symbols, numbers, numbers, st.sampled_from(["buy", "?"]), times, times, st.just("t")),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(hostile, max_size=4))
def test_hostile_ticks_never_pass_and_never_crash(items):
    gate = pipeline()
    for item in items:
        tick = gate.take(item, NOW).tick
        if tick is None:
            continue
        levels = [(tick.price, tick.size)] if isinstance(tick, Print) else [*tick.bids, *tick.asks]
        assert tick.symbol == "ALB"
        assert type(tick.at_ns) is int
        for price, size in levels:
            assert type(price) is int
            assert type(size) is int
            assert 0 < price <= SCALED_MAX
            assert 0 < size <= SCALED_MAX
            assert price % 5 == 0
        if isinstance(tick, Quote) and tick.bids and tick.asks:
            assert tick.bids[0][0] < tick.asks[0][0]
        if isinstance(tick, Print):
            assert tick.side in ("buy", "sell", "")
    for refused in gate.take_refused():
        msgspec.json.encode(refused.payload)
