"""Both sides of every dated change, from the published facts (not from our own files)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import pytest

from market import rulebook
from market.rulebook import InstrumentRules

PERCENT = 10_000_000  # in parts per billion
CENT = 10**9  # a unit_ppb of one minor unit


@dataclass(frozen=True)
class Thing:
    """An instrument as a rulebook sees it."""

    venue: str = "SSE"
    board: str = "main"
    kind: str = "stock"
    product: str = ""
    special_treatment: bool = False
    currency: str = "CNY"
    price_exponent: int = 2
    qty_exponent: int = 0
    tick: int = 1
    lot: int = 1
    multiplier: int = 1
    listed_on: date | None = None
    expires_on: date | None = None
    tradable: bool = True
    why_not_tradable: str = ""
    quote_age_ms_max: int = 15_000
    symbol: str = "IT"


SHANGHAI, SHENZHEN = Thing(), Thing(venue="SZSE")
CHINEXT, STAR, BSE = (
    Thing(venue="SZSE", board="chinext"),
    Thing(board="star"),
    Thing(venue="BSE", board="bse"),
)
AAPL = Thing(venue="NASDAQ", currency="USD", price_exponent=4, tick=100)


def future(venue: str, product: str) -> Thing:
    return Thing(venue=venue, kind="future", product=product)


@cache
def rules(thing: Thing, day: str) -> InstrumentRules:
    return rulebook.by_venue()[thing.venue].rules_for(thing, date.fromisoformat(day))


def fee(thing: Thing, day: str, name: str, **which: str) -> tuple[str, float, float]:
    """(side, percent of the worth, minor units each); ("", 0, 0) when it is not asked."""
    for line in rules(thing, day).fees:
        if line.name == name and all(getattr(line, key) == value for key, value in which.items()):
            return line.side, line.rate_ppb / PERCENT, line.unit_ppb / CENT
    return "", 0, 0


STAMP = [
    ("1997-05-09", "both", 0.3),
    ("1997-05-12", "both", 0.5),
    ("1998-06-11", "both", 0.5),
    ("1998-06-12", "both", 0.4),
    ("2001-11-15", "both", 0.4),
    ("2001-11-16", "both", 0.2),
    ("2005-01-21", "both", 0.2),
    ("2005-01-24", "both", 0.1),
    ("2007-05-29", "both", 0.1),
    ("2007-05-30", "both", 0.3),
    ("2008-04-23", "both", 0.3),
    ("2008-04-24", "both", 0.1),
    ("2008-09-18", "both", 0.1),
    ("2008-09-19", "sell", 0.1),
    ("2015-07-08", "sell", 0.1),
    ("2023-08-25", "sell", 0.1),
    ("2023-08-27", "sell", 0.1),
    ("2023-08-28", "sell", 0.05),
]


@pytest.mark.parametrize(("day", "side", "percent"), STAMP)
def test_stamp_duty(day: str, side: str, percent: float):
    assert fee(SHANGHAI, day, "stamp_duty")[:2] == (side, percent)
    assert fee(SHENZHEN, day, "stamp_duty")[:2] == (side, percent)


TRANSFER = [
    # Shanghai by par value (1 CNY a share, so fen each), Shenzhen by amount; both alike since 2015-08-01
    (SHANGHAI, "2015-07-08", 0, 0.03),
    (SHENZHEN, "2015-07-08", 0.00255, 0),
    (SHANGHAI, "2015-07-31", 0, 0.03),
    (SHANGHAI, "2015-08-03", 0.002, 0),
    (SHENZHEN, "2015-07-31", 0.00255, 0),
    (SHENZHEN, "2015-08-03", 0.002, 0),
    (SHANGHAI, "2022-04-28", 0.002, 0),
    (SHANGHAI, "2022-04-29", 0.001, 0),
]


@pytest.mark.parametrize(("thing", "day", "percent", "each"), TRANSFER)
def test_transfer_fee(thing: Thing, day: str, percent: float, each: float):
    assert fee(thing, day, "transfer_fee") == ("both", percent, each)


def test_funds_pay_neither_stamp_duty_nor_transfer_fee():
    etf = replace(SHANGHAI, kind="etf", product="equity", price_exponent=3)
    assert [line.name for line in rules(etf, "2024-06-03").fees] == ["commission"]


BANDS = [
    (SHANGHAI, "2015-07-08", 10),
    (replace(SHANGHAI, special_treatment=True), "1998-04-21", 0),  # there were no risk-warned shares yet
    (replace(SHANGHAI, special_treatment=True), "1998-04-22", 5),
    (replace(SHANGHAI, special_treatment=True), "2026-07-03", 5),
    (replace(SHANGHAI, special_treatment=True), "2026-07-06", 10),
    (CHINEXT, "2020-08-21", 10),
    (CHINEXT, "2020-08-24", 20),
    (replace(CHINEXT, special_treatment=True), "2020-08-21", 5),
    (replace(CHINEXT, special_treatment=True), "2020-08-24", 20),
    (STAR, "2019-07-22", 20),
    (replace(STAR, special_treatment=True), "2024-01-02", 20),
    (BSE, "2021-11-15", 30),
    (replace(SHANGHAI, kind="etf", product="equity"), "2024-01-02", 10),
    (replace(SHANGHAI, kind="etf", product="star_index"), "2024-01-02", 20),
    (future("SHFE", "rb"), "2019-06-10", 3),
    (future("CFFEX", "IF"), "2015-07-08", 10),
]


@pytest.mark.parametrize(("thing", "day", "percent"), BANDS)
def test_price_band(thing: Thing, day: str, percent: float):
    assert rules(thing, day).band_ppb == percent * PERCENT


FIRST_DAYS = [
    # listed on, day, up and down in percent
    (SHANGHAI, "2014-06-12", "2014-06-12", 0, 0),  # no band on the first day
    (SHANGHAI, "2014-06-13", "2014-06-13", 44, 36),
    (SHANGHAI, "2014-06-13", "2014-06-16", 10, 0),
    (SHANGHAI, "2023-04-07", "2023-04-07", 44, 36),
    (SHANGHAI, "2023-04-10", "2023-04-14", 0, 0),  # the fifth day
    (SHANGHAI, "2023-04-10", "2023-04-17", 10, 0),
    (CHINEXT, "2020-08-21", "2020-08-21", 44, 36),
    (CHINEXT, "2020-08-24", "2020-08-28", 0, 0),
    (CHINEXT, "2020-08-24", "2020-08-31", 20, 0),
    (STAR, "2019-07-22", "2019-07-26", 0, 0),
    (STAR, "2019-07-22", "2019-07-29", 20, 0),
    (STAR, "2024-09-27", "2024-10-10", 0, 0),  # the week of National Day does not count
    (STAR, "2024-09-27", "2024-10-11", 20, 0),
    (BSE, "2021-11-15", "2021-11-15", 0, 0),
    (BSE, "2021-11-15", "2021-11-16", 30, 0),
]


@pytest.mark.parametrize(("thing", "listed", "day", "up", "down"), FIRST_DAYS)
def test_first_days_after_a_listing(thing: Thing, listed: str, day: str, up: int, down: int):
    found = rules(replace(thing, listed_on=date.fromisoformat(listed)), day)
    assert (found.band_ppb, found.band_down_ppb) == (up * PERCENT, down * PERCENT)


CAGES = [
    (SHANGHAI, "2023-04-07", 0, 0),
    (SHANGHAI, "2023-04-10", 2, 10),
    (CHINEXT, "2020-08-21", 0, 0),
    (CHINEXT, "2020-08-24", 2, 0),
    (STAR, "2019-07-22", 2, 0),
    (BSE, "2021-11-15", 5, 10),
]


@pytest.mark.parametrize(("thing", "day", "percent", "ticks"), CAGES)
def test_price_cage(thing: Thing, day: str, percent: int, ticks: int):
    assert (rules(thing, day).cage_ppb, rules(thing, day).cage_ticks) == (percent * PERCENT, ticks)


SIZES = [
    (SHANGHAI, "2024-01-02", 100, 100, 1_000_000, 0),
    (STAR, "2024-01-02", 1, 200, 100_000, 50_000),
    (BSE, "2024-01-02", 1, 100, 1_000_000, 0),
    (CHINEXT, "2020-08-21", 100, 100, 1_000_000, 0),
    (CHINEXT, "2020-08-24", 100, 100, 300_000, 150_000),
    (future("CFFEX", "IF"), "2015-09-02", 1, 1, 100, 50),
    (future("CFFEX", "IF"), "2015-09-07", 1, 1, 20, 10),
]


@pytest.mark.parametrize(("thing", "day", "lot", "least", "most", "most_market"), SIZES)
def test_lots_and_sizes(thing: Thing, day: str, lot: int, least: int, most: int, most_market: int):
    found = rules(thing, day)
    sizes = (found.lot, found.least_qty, found.qty_max, found.qty_max_market)
    assert sizes == (lot, least, most, most_market)


DAY_BUYS = [
    (replace(SHANGHAI, special_treatment=True), "2012-12-31", 0),
    (replace(SHANGHAI, special_treatment=True), "2013-01-04", 500_000),
    (SHANGHAI, "2024-01-02", 0),
    (replace(SHANGHAI, special_treatment=True, venue="SZSE"), "2023-04-07", 0),
    (replace(SHANGHAI, special_treatment=True, venue="SZSE"), "2023-04-10", 500_000),
]


@pytest.mark.parametrize(("thing", "day", "most"), DAY_BUYS)
def test_how_much_of_a_risk_warned_share_is_bought_in_a_day(thing: Thing, day: str, most: int):
    assert rules(thing, day).day_buys_max == most


LOCKS = [
    (SHANGHAI, "2024-01-02", 1),
    *((replace(SHANGHAI, kind="etf", product=each), "2024-01-02", 0) for each in ("bond", "gold", "money")),
    (replace(SHANGHAI, kind="etf", product="cross_border"), "2015-01-16", 1),
    (replace(SHANGHAI, kind="etf", product="cross_border"), "2015-01-19", 0),
    (replace(SHANGHAI, kind="etf", product="equity"), "2024-01-02", 1),
    (future("SHFE", "rb"), "2019-06-10", 0),
    (AAPL, "2024-01-02", 0),
]


@pytest.mark.parametrize(("thing", "day", "days"), LOCKS)
def test_what_is_bought_today(thing: Thing, day: str, days: int):
    assert rules(thing, day).lock_days == days


INDEX_FUTURES = [
    ("2015-07-31", 10, 0.0025, 0.0025),
    ("2015-08-03", 10, 0.0023, 0.0023),
    ("2015-08-25", 10, 0.0023, 0.0023),
    ("2015-08-26", 12, 0.0023, 0.0115),
    ("2015-09-02", 30, 0.0023, 0.0115),
    ("2015-09-07", 40, 0.0023, 0.23),
    ("2017-02-16", 40, 0.0023, 0.23),
    ("2017-02-17", 20, 0.0023, 0.092),
    ("2017-09-18", 15, 0.0023, 0.069),
    ("2018-11-30", 15, 0.0023, 0.069),
    ("2018-12-03", 10, 0.0023, 0.046),
    ("2019-04-22", 10, 0.0023, 0.0345),
    ("2023-08-25", 10, 0.0023, 0.0345),
    ("2023-08-28", 10, 0.0023, 0.023),
]


@pytest.mark.parametrize(("day", "margin", "close", "close_today"), INDEX_FUTURES)
def test_index_futures_after_the_summer_of_2015(day: str, margin: float, close: float, close_today: float):
    contract = future("CFFEX", "IF")
    found = rules(contract, day)
    assert (found.is_contract, found.margin_long_ppb, found.margin_short_ppb) == (
        True,
        margin * PERCENT,
        margin * PERCENT,
    )
    asked = [fee(contract, day, "commission", effect=each)[1] for each in ("open", "close", "close_today")]
    assert asked == [close, close, close_today]


@pytest.mark.parametrize(
    ("venue", "product", "apart"), [("SHFE", "rb", True), ("INE", "sc", True), ("DCE", "m", False)]
)
def test_shanghai_tells_todays_position_from_yesterdays(venue: str, product: str, apart: bool):
    assert rules(future(venue, product), "2024-06-03").close_today_apart is apart


AMERICA = [
    ("2012-06-20", 0.00224, 0.0095, 475, 3),
    ("2012-07-02", 0.00224, 0.0119, 595, 3),
    ("2017-09-01", 0.00231, 0.0119, 595, 3),
    ("2017-09-05", 0.00231, 0.0119, 595, 2),
    ("2024-05-24", 0.00278, 0.0166, 830, 2),
    ("2024-05-28", 0.00278, 0.0166, 830, 1),
    ("2025-05-13", 0.00278, 0.0166, 830, 1),
    ("2025-05-14", 0, 0.0166, 830, 1),
    ("2026-04-02", 0, 0.0195, 979, 1),
    ("2026-04-06", 0.00206, 0.0195, 979, 1),
]


@pytest.mark.parametrize(("day", "sec", "taf", "most", "settles"), AMERICA)
def test_american_fees_and_settlement(day: str, sec: float, taf: float, most: int, settles: int):
    found = rules(AAPL, day)
    assert fee(AAPL, day, "sec_fee")[1] == sec
    line = next(line for line in found.fees if line.name == "finra_taf")
    assert (line.side, line.unit_ppb / CENT, line.most, found.settle_days) == ("sell", taf, most, settles)


def test_below_a_dollar_the_tick_is_finer_since_rule_612():
    before, after = rules(AAPL, "2006-01-30"), rules(AAPL, "2006-01-31")
    assert (before.tick_at(9_900), after.tick_at(9_900), after.tick_at(10_000)) == (100, 1, 100)


PAUSES = [("2010-06-10", 0), ("2010-06-11", 100_000), ("2013-04-05", 100_000), ("2013-04-08", 50_000)]


@pytest.mark.parametrize(("day", "move_ppm"), PAUSES)
def test_american_pauses_of_five_minutes(day: str, move_ppm: int):
    """Single-stock circuit breakers at 10 %, then the plan of limit up and limit down at 5 %."""
    where = rulebook.Where()  # of a seeded world: nobody else pauses by it
    found = rulebook.load("us").breaker(where, date.fromisoformat(day))
    assert found == ({"move_ppm": move_ppm, "within_s": 300, "halt_s": 300} if move_ppm else {})


TIES = [(SHANGHAI, "middle"), (SHENZHEN, "nearest"), (BSE, "nearest"), (future("SHFE", "rb"), "last_pair")]


@pytest.mark.parametrize(("thing", "ties"), TIES)
def test_how_an_auction_chooses(thing: Thing, ties: str):
    assert rules(thing, "2024-06-03").auction_ties == ties


@pytest.mark.parametrize("day", ["2023-09-07", "2023-09-08", "2026-01-19"])
def test_credit_for_shares(day: str):
    """Own money per loan: 100 % from 2015-11-23, 80 % from 2023-09-08, 100 % again from 2026-01-19."""
    ratio = {"2023-09-07": 1.0, "2023-09-08": 0.8, "2026-01-19": 1.0}[day]
    assert rules(SHANGHAI, day).margin_long_ppb / 10**9 == pytest.approx(ratio / (1 + ratio), abs=1e-8)


def test_a_day_before_the_book_begins_is_refused_and_not_guessed():
    with pytest.raises(rulebook.UnknownDay, match="nothing is known before 1996-12-16"):
        rules(SHANGHAI, "1995-06-01")


@pytest.mark.parametrize("thing", [SHANGHAI, STAR, BSE, AAPL, future("DCE", "i"), future("CFFEX", "IC")])
def test_every_rule_that_binds_names_its_row_and_source_in_both_languages(thing: Thing):
    book = rulebook.by_venue()[thing.venue]
    found = rules(thing, "2024-06-03")
    for row_id in [*found.rows.values(), *(line.row for line in found.fees)]:
        row = book.row(row_id)
        assert row.source
        assert rulebook.words.source(row, "zh-Hans")
        assert rulebook.words.says(row, "en") != rulebook.words.says(row, "zh-Hans") or row.table == "settle"
