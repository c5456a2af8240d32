"""What people read of a market: from Redis, without Redis, without a feed, before anybody traded."""

from __future__ import annotations

import pytest

from market import latest, queries
from market.errors import BadInterval, UnknownInstrument
from tests.market.conftest import phase, quote, reference, trade

DAY_S = 86_400
MONDAY = 1_793_577_600  # 2026-11-02 00:00 UTC


def test_alice_sees_what_the_feed_said(world, said, sign_lease):
    said(phase(1), reference("ALB", 1_300, 2), quote("ALB", 1_310, 1_311, 3), trade("ALB", 1_311, 500, 4))
    sign_lease(world)
    row = queries.quotes(world, ["ALB"])["ALB"]
    assert (row["bid"], row["bid_size"], row["ask"], row["ask_size"]) == ("13.10", "1000", "13.11", "2000")
    assert (row["last"], row["last_size"], row["volume"], row["turnover"]) == (
        "13.11",
        "500",
        "500",
        "6555.00",
    )
    assert (row["previous_close"], row["limit_low"], row["limit_high"]) == ("13.00", "11.70", "14.30")
    assert row["seq"] == 4
    assert "stale" not in row
    depth = queries.depth(world, "ALB")
    assert depth["asks"][:2] == [["13.11", "2000"], ["13.12", "2100"]]
    assert [shown["price"] for shown in queries.trades(world, "ALB")] == ["13.11"]
    now = queries.phase(world)
    assert (now["phase"], now["market_day"]) == ("continuous", "2026-11-02")
    assert queries.market_day(world) == 20261102


def test_what_a_dead_feed_left_behind_is_marked_stale(world, said):
    said(phase(1), quote("ALB", 1_310, 1_311, 2))
    assert queries.quotes(world)["ALB"]["stale"] is True
    assert queries.depth(world, "ALB")["stale"] is True
    assert queries.phase(world)["stale"] is True


def test_what_was_said_before_the_tables_were_made_anew_is_forgotten(world, said):
    said(phase(1), quote("ALB", 1_310, 1_311, 2), trade("ALB", 1_311, 500, 3))
    world.stream_epoch = "another"
    assert queries.quotes(world)["ALB"]["bid"] is None
    assert queries.depth(world, "ALB")["bids"] == []
    assert queries.trades(world, "ALB") == []
    assert queries.phase(world)["now"] != "2026-11-02T12:00:00.000000Z"


def test_before_any_feed_the_last_days_stand_in(world, store_bar):
    store_bar("ALB", "1d", MONDAY - DAY_S, 1_280, 1_300, 1_270, 1_290)
    store_bar("ALB", "1d", MONDAY, 1_290, 1_330, 1_285, 1_320, volume=40_000)
    row = queries.quotes(world)["ALB"]
    assert (row["last"], row["previous_close"], row["high"], row["volume"]) == (
        "13.20",
        "12.90",
        "13.30",
        "40000",
    )
    assert (row["bid"], row["at"], row["seq"], row["stale"]) == (None, None, 0, True)
    assert queries.marks(world)["ALB"] == (1_320, 1_290)


def test_without_any_bar_there_is_still_the_listing(world):
    row = queries.quotes(world)["PWS"]
    listed = queries.instrument(world, "PWS")
    assert row["last"] is None
    assert row["previous_close"] == f"{listed.previous_close / 100:.2f}"
    assert "PWS" not in queries.marks(world)
    depth = queries.depth(world, "PWS")
    assert (depth["bids"], depth["asks"], depth["at"], depth["stale"]) == ([], [], None, True)
    assert queries.phase(world)["phase"] == "continuous"


def test_a_mark_is_the_last_trade_else_the_middle_else_one_side(world, said):
    one_sided = quote("MRT", 2_500, 2_501, 3)
    one_sided = type(one_sided)(
        "MRT", one_sided.bids, (), one_sided.at_ns, one_sided.received_ns, "seeded", seq=3
    )
    said(trade("ALB", 1_311, 500, 1), quote("ALB", 1_320, 1_321, 2), one_sided, quote("FNI", 8_800, 8_803, 4))
    marks = queries.marks(world)
    assert marks["ALB"][0] == 1_311
    assert marks["MRT"][0] == 2_500
    assert marks["FNI"][0] == 8_801


def test_redis_away_and_no_feed_is_no_error(world, said, store_bar, settings):
    said(phase(1), quote("ALB", 1_310, 1_311, 2))
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    latest._redis.cache_clear()
    try:
        row = queries.quotes(world)["ALB"]
        assert (row["bid"], row["stale"]) == (None, True)
        assert not latest._patience.redis.allows(0)
    finally:
        latest._redis.cache_clear()


def test_bars_come_in_order_before_a_time_and_at_most_so_many(world, store_bar):
    for n in range(5):
        store_bar("ALB", "1m", MONDAY + 60 * n, 1_300 + n, 1_310, 1_290, 1_305)
    row = queries.instrument(world, "ALB")
    assert [bar["t"] - MONDAY for bar in queries.bars(row, "1m")] == [0, 60, 120, 180, 240]
    two = queries.bars(row, "1m", before_ns=(MONDAY + 180) * 10**9, limit=2)
    assert [(bar["t"] - MONDAY, bar["o"]) for bar in two] == [(60, "13.01"), (120, "13.02")]
    assert queries.bars(row, "5m") == []
    with pytest.raises(BadInterval, match="7m"):
        queries.bars(row, "7m")


def test_newest_bars_replace_stored_ones_of_the_same_time():
    stored = [{"t": 60, "c": "1"}, {"t": 120, "c": "2"}]
    assert queries.merged(stored, [{"t": 120, "c": "3"}, {"t": 180, "c": "4"}]) == [
        {"t": 60, "c": "1"},
        {"t": 120, "c": "3"},
        {"t": 180, "c": "4"},
    ]


def test_sparks_are_the_last_closes_of_five_minutes(world, store_bar):
    for n in range(queries.SPARK_POINTS + 5):
        store_bar("ALB", "5m", MONDAY + 300 * n, 1_300, 1_400, 1_200, 1_300 + n)
    closes = queries.sparks(world)
    assert len(closes["ALB"]) == queries.SPARK_POINTS
    assert (closes["ALB"][0], closes["ALB"][-1]) == ("13.05", "13.64")
    assert closes["PWS"] == []


@pytest.mark.parametrize("symbol", ["XXX", "alb", "", "A\0LB", "💥" * 50])
def test_it_refuses_an_instrument_that_does_not_exist(world, symbol: str):
    with pytest.raises(UnknownInstrument):
        queries.instrument(world, symbol)
    with pytest.raises(UnknownInstrument):
        queries.quotes(world, ["ALB", symbol])


def test_the_rules_of_the_day_are_short_and_name_their_source(world):
    rules = {rule["name"]: rule for rule in queries.rules_today(world)}
    assert rules["lock"]["text"] == "T+0"
    assert rules["lot"]["text"] == "lot 100"
    assert rules["tick"]["text"] == "tick 0.01"
    assert rules["band"]["text"] == "band ±10%"
    assert rules["commission"]["text"] == "commission 0.025%, at least 5.00"
    assert rules["stamp_duty"]["text"] == "stamp duty 0.05% on sells"
    assert all(rule["source"] for rule in rules.values())
    assert rules["band"]["row"].startswith("plain.band")


def test_a_replay_may_be_played_by_the_rules_of_another_day(world):
    world.rulebook, world.timezone = "cn_a", "Asia/Shanghai"
    world.options |= {"rules_day": 20190610}
    stamp = next(rule for rule in queries.rules_today(world) if rule["name"] == "stamp_duty")
    assert stamp["value"] == "0.1%"
    world.options["rules_day"] = 20240610
    stamp = next(rule for rule in queries.rules_today(world) if rule["name"] == "stamp_duty")
    assert stamp["value"] == "0.05%"


def test_the_clock_of_a_venue_knows_when_it_opens_and_closes(world):
    world.rulebook, world.timezone, world.options["hours"] = "cn_a", "Asia/Shanghai", "venue"
    now = queries.clock_of(world)
    assert now.next_open_ns > now.now_ns
    assert now.next_close_ns > now.now_ns
    assert now.is_open is (now.next_close_ns < now.next_open_ns)


def test_a_venue_that_never_closes_names_the_turn_of_its_day(world):
    now = queries.clock_of(world)
    assert now.is_open
    assert now.next_open_ns == now.next_close_ns
    assert now.next_close_ns % (DAY_S * 10**9) == 0
