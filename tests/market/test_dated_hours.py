"""Phases, market days, holidays and expiries on both sides of each change, from the published facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from market import rulebook
from market.feed.calendar import Calendar
from market.rulebook import Where
from tests.market.test_dated_rules import AAPL, CHINEXT, SHANGHAI, SHENZHEN, STAR, Thing, future, rules

PHASES = [
    # venue, board, kind, product, moment, phase
    (SHANGHAI, "2018-08-17 14:58", "continuous"),
    (SHANGHAI, "2018-08-20 14:58", "auction_locked"),
    (SHENZHEN, "2018-08-17 14:58", "auction_locked"),
    (SHENZHEN, "2006-06-30 14:58", "continuous"),
    (SHENZHEN, "2006-07-03 14:58", "auction_locked"),
    (SHANGHAI, "2006-06-30 09:22", "auction"),
    (SHANGHAI, "2006-07-03 09:22", "auction_locked"),
    (SHANGHAI, "2026-07-03 15:10", "closed"),
    (SHANGHAI, "2026-07-06 15:02", "after_hours_quiet"),
    (SHANGHAI, "2026-07-06 15:10", "after_hours"),
    (STAR, "2019-07-22 15:10", "after_hours"),
    (CHINEXT, "2020-08-21 15:10", "closed"),
    (CHINEXT, "2020-08-24 15:10", "after_hours"),
    (replace(SHANGHAI, kind="etf"), "2026-07-03 14:58", "continuous"),
    (replace(SHANGHAI, kind="etf"), "2026-07-06 14:58", "auction_locked"),
    (future("SHFE", "rb"), "2016-04-28 23:30", "continuous"),
    (future("SHFE", "rb"), "2016-05-03 23:30", "break"),
    (future("SHFE", "cu"), "2019-06-11 00:30", "continuous"),
    (future("SHFE", "au"), "2019-06-11 02:15", "continuous"),
    (future("DCE", "m"), "2019-03-27 23:15", "continuous"),
    (future("DCE", "m"), "2019-03-28 23:15", "break"),
    (future("SHFE", "rb"), "2019-06-10 10:20", "break"),
    (future("SHFE", "rb"), "2019-06-06 21:30", "closed"),  # the next day is the Dragon Boat Festival
    (future("SHFE", "rb"), "2019-06-10 08:57", "auction"),  # no night: the day has its own auction
    (future("SHFE", "rb"), "2019-06-11 08:57", "break"),
    (future("SHFE", "rb"), "2020-03-02 21:30", "closed"),  # nights were suspended
    (future("SHFE", "rb"), "2020-05-06 21:30", "continuous"),
    (future("CFFEX", "IF"), "2015-12-31 15:10", "continuous"),
    (future("CFFEX", "IF"), "2016-01-04 15:10", "closed"),
    (future("CFFEX", "T"), "2020-07-17 09:20", "continuous"),
    (future("CFFEX", "T"), "2020-07-20 09:20", "closed"),
    (Thing(venue="SGE", kind="future", product="Au(T+D)"), "2024-06-04 01:00", "continuous"),
    (AAPL, "2023-11-24 12:59", "continuous"),  # the day after Thanksgiving
    (AAPL, "2023-11-24 13:00", "closed"),
    (AAPL, "2023-11-22 15:59", "continuous"),
    (AAPL, "2023-11-23 11:00", "closed"),
    (Thing(venue="FX", kind="fx"), "2024-06-02 16:59", "closed"),  # a Sunday, New York
    (Thing(venue="FX", kind="fx"), "2024-06-02 17:00", "continuous"),
    (Thing(venue="FX", kind="fx"), "2024-06-07 16:59", "continuous"),
    (Thing(venue="FX", kind="fx"), "2024-06-07 17:00", "closed"),
    (Thing(venue="BINANCE", kind="crypto"), "2024-06-08 03:00", "continuous"),
]


@pytest.mark.parametrize(("thing", "moment", "phase"), PHASES)
def test_phases_of_the_day(thing: Thing, moment: str, phase: str):
    assert at(thing, moment).phase == phase


def at(thing: Thing, moment: str) -> rulebook.PhaseNow:
    book = rulebook.by_venue()[thing.venue]
    local = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(book.timezone))
    return book.hours("venue", instruments=[thing]).at(int(local.timestamp()) * 10**9)


MARKET_DAYS = [
    (future("SHFE", "rb"), "2019-06-14 21:30", 20190617),  # Friday night is Monday's
    (future("SHFE", "au"), "2019-06-15 01:30", 20190617),
    (future("SHFE", "rb"), "2019-06-10 21:30", 20190611),
    (future("SHFE", "rb"), "2019-06-10 14:59", 20190610),
    (future("SHFE", "rb"), "2019-06-06 21:30", 20190606),  # no night before the holiday
    (SHANGHAI, "2020-01-24 10:00", 20200203),  # the long Spring Festival of 2020
    (SHANGHAI, "2024-02-09 10:00", 20240219),
    (Thing(venue="FX", kind="fx"), "2024-06-05 17:00", 20240606),
    (Thing(venue="FX", kind="fx"), "2024-06-08 10:00", 20240610),
    (AAPL, "2012-10-29 10:00", 20121031),  # hurricane Sandy
]


@pytest.mark.parametrize(("thing", "moment", "day"), MARKET_DAYS)
def test_the_market_day_of_a_moment(thing: Thing, moment: str, day: int):
    assert at(thing, moment).market_day == day


EXPIRIES = [
    ("SHFE", "rb", 2019, 10, "2019-10-15"),
    ("SHFE", "rb", 2022, 10, "2022-10-17"),  # the 15th was a Saturday
    ("CFFEX", "IF", 2015, 7, "2015-07-17"),
    ("CFFEX", "IF", 2024, 2, "2024-02-19"),  # the third Friday lay in the Spring Festival
    ("DCE", "m", 2024, 5, "2024-05-17"),  # the tenth trading day: Labour Day took the first three
    ("INE", "sc", 2024, 6, "2024-05-31"),
]


@pytest.mark.parametrize(("venue", "product", "year", "month", "day"), EXPIRIES)
def test_the_last_day_of_a_contract(venue: str, product: str, year: int, month: int, day: str):
    book = rulebook.load("cn_futures")
    terms = book.product(venue, product)
    found = rulebook.expiry(terms.last_day, year, month, book.calendar)
    assert found == date.fromisoformat(day)


def test_the_calendar_says_what_it_does_not_know():
    calendar = rulebook.load("cn_a").calendar
    assert "National Day" in calendar.why(date(2026, 10, 1))
    assert calendar.why(date(2026, 10, 9)) == "trading day"
    assert calendar.why(date(2027, 10, 4)).startswith(
        "not known: the calendar 'cn' knows 2000-01-04 to 2026-12-31"
    )


def test_one_world_has_boards_with_days_of_their_own():
    """2018: at 14:58 Shanghai trades on while Shenzhen collects orders; the venue's clock knows both."""
    book = rulebook.load("cn_a")
    moment = datetime(2018, 8, 17, 14, 58, tzinfo=ZoneInfo("Asia/Shanghai"))
    now = book.hours("venue", instruments=[SHANGHAI, SHENZHEN]).at(int(moment.timestamp()) * 10**9)
    assert (now.phase, now.span) == ("continuous", "14:57")
    day = "2018-08-17"
    assert rules(SHANGHAI, day).phases["14:57"] == "continuous"
    assert rules(SHENZHEN, day).phases["14:57"] == "auction_locked"


def test_where_no_instrument_is_named_the_whole_venue_answers():
    book = rulebook.load("cn_a")
    assert book.day_of(Where("SSE", "star"), date(2020, 1, 2)).spans[-1] == ("15:30", "closed")


@pytest.mark.parametrize(("moment", "known"), [("2026-12-31 10:00", True), ("2027-01-04 10:00", False)])
def test_a_world_says_when_its_calendar_ends(moment: str, known: bool):
    book = rulebook.load("cn_a")
    at_ns = int(datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo(book.timezone)).timestamp()) * 10**9
    calendar = Calendar(book, book.hours("venue").at, [], days=book.calendar)
    note = calendar.phase_tick(at_ns, at_ns, 1, False).note
    assert (note == "") is known
    assert known or note.startswith("The holidays of 2027 are not known here")
