"""The rules of the day being played: edges on both sides of each change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from market import rulebook
from market.rulebook import Phase


@dataclass
class Share:
    """An A-share as the rulebook sees it."""

    symbol: str = "600000.SH"
    kind: str = "stock"
    venue: str = "SSE"
    board: str = "main"
    product: str = ""
    currency: str = "CNY"
    price_exponent: int = 2
    qty_exponent: int = 0
    tick: int = 1
    lot: int = 100
    multiplier: int = 1
    special_treatment: bool = False
    listed_on: date | None = None
    expires_on: date | None = None
    tradable: bool = True
    why_not_tradable: str = ""
    quote_age_ms_max: int = 15_000


def fees_on(day: date, **changes) -> dict[str, int]:
    rules = rulebook.load("cn_a").rules_for(Share(**changes), day)
    return {fee.name: fee.rate_ppb for fee in rules.fees}


def band_on(day: date, **changes) -> int:
    return rulebook.load("cn_a").rules_for(Share(**changes), day).band_ppb


def test_stamp_duty_halves_on_the_28th_of_august_2023():
    assert fees_on(date(2023, 8, 27))["stamp_duty"] == 1_000_000
    assert fees_on(date(2023, 8, 28))["stamp_duty"] == 500_000


def test_an_etf_pays_no_stamp_duty():
    assert "stamp_duty" not in fees_on(date(2026, 11, 2), kind="etf")


def test_transfer_fee_halves_on_the_29th_of_april_2022():
    assert fees_on(date(2022, 4, 28))["transfer_fee"] == 20_000
    assert fees_on(date(2022, 4, 29))["transfer_fee"] == 10_000


def test_risk_warned_shares_of_the_main_board_get_ten_percent_in_july_2026():
    assert band_on(date(2026, 7, 3), special_treatment=True) == 50_000_000
    assert band_on(date(2026, 7, 6), special_treatment=True) == 100_000_000


def test_chinext_widens_to_twenty_percent_in_august_2020():
    assert band_on(date(2020, 8, 21), board="chinext") == 100_000_000
    assert band_on(date(2020, 8, 21), board="chinext", special_treatment=True) == 50_000_000
    assert band_on(date(2020, 8, 24), board="chinext", special_treatment=True) == 200_000_000


def test_a_new_share_has_no_band_for_five_days():
    listed = date(2026, 11, 2)  # a Monday
    assert band_on(date(2026, 11, 6), listed_on=listed) == 0
    assert band_on(date(2026, 11, 9), listed_on=listed) == 100_000_000


def test_the_price_cage_of_the_main_board_begins_in_april_2023():
    before = rulebook.load("cn_a").rules_for(Share(), date(2023, 4, 7))
    after = rulebook.load("cn_a").rules_for(Share(), date(2023, 4, 10))
    assert (before.cage_ppb, after.cage_ppb, after.cage_ticks) == (0, 20_000_000, 10)


@pytest.mark.parametrize(
    ("previous_close", "low", "high"),
    [
        (105, 95, 116),  # 1.155 rounds half up to 1.16 and 0.945 to 0.95
        (1000, 900, 1100),
        (10, 9, 11),  # 0.10: one tick each way
        (4, 3, 5),  # below ten ticks the band is one tick
        (1, 1, 2),  # never below one tick
        (0, 0, 0),  # no previous close, no band
    ],
)
def test_limits_round_half_up_as_the_exchange_does(previous_close, low, high):
    rules = rulebook.load("cn_a").rules_for(Share(), date(2026, 11, 2))
    assert rulebook.limits(previous_close, rules) == (low, high)


def test_star_buys_begin_at_200_and_go_on_by_one():
    rules = rulebook.load("cn_a").rules_for(Share(board="star"), date(2026, 11, 2))
    assert (rules.least_qty, rules.lot) == (200, 1)


def test_every_bound_rule_names_a_row_with_a_source():
    book = rulebook.load("cn_a")
    rules = book.rules_for(Share(), date(2026, 11, 2))
    for row_id in [*rules.rows.values(), *(fee.row for fee in rules.fees)]:
        assert book.row(row_id).source


def test_row_names_are_unique_in_every_book():
    for name in rulebook.known():
        ids = [row.id for row in rulebook.load(name).rows]
        assert len(ids) == len(set(ids)), name


@pytest.mark.parametrize(
    ("at", "phase", "next_phase"),
    [
        ("09:14:59", Phase.CLOSED, Phase.AUCTION),
        ("09:15:00", Phase.AUCTION, Phase.AUCTION_LOCKED),
        ("09:25:00", Phase.PRE_OPEN, Phase.CONTINUOUS),
        ("09:30:00", Phase.CONTINUOUS, Phase.BREAK),
        ("12:59:59", Phase.BREAK, Phase.CONTINUOUS),
        ("14:57:00", Phase.AUCTION_LOCKED, Phase.AFTER_HOURS_QUIET),
        ("15:00:00", Phase.AFTER_HOURS_QUIET, Phase.AFTER_HOURS),  # all A-shares since 2026-07-06
        ("15:05:00", Phase.AFTER_HOURS, Phase.CLOSED),
        ("15:30:00", Phase.CLOSED, Phase.AUCTION),
    ],
)
def test_an_a_share_day_has_its_phases(at, phase, next_phase):
    moment = datetime.fromisoformat(f"2026-11-02T{at}").replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    now = rulebook.load("cn_a").hours("venue").at(int(moment.timestamp()) * 10**9)
    assert (now.market_day, now.phase, now.next_phase) == (20261102, phase, next_phase)
    assert now.next_change_ns > int(moment.timestamp()) * 10**9


def test_saturday_belongs_to_monday():
    saturday = int(datetime(2026, 11, 7, 4, tzinfo=UTC).timestamp()) * 10**9
    now = rulebook.load("cn_a").hours("venue").at(saturday)
    assert (now.market_day, now.phase) == (20261109, Phase.CLOSED)


def test_a_world_around_the_clock_never_closes_and_rolls_at_midnight():
    midnight = int(datetime(2026, 11, 8, tzinfo=UTC).timestamp()) * 10**9
    hours = rulebook.load("plain").hours("always")
    assert hours.at(midnight - 1).market_day == 20261107
    assert hours.at(midnight).market_day == 20261108
    assert hours.at(midnight).phase == Phase.CONTINUOUS


def test_an_unknown_rulebook_is_named_with_what_exists():
    with pytest.raises(rulebook.UnknownRulebook, match=r"no rulebook 'nyse'.*cn_a, cn_futures.*plain"):
        rulebook.load("nyse")


def test_an_unknown_board_is_refused_by_name():
    with pytest.raises(rulebook.BadRulebook, match="board 'moon'"):
        rulebook.load("cn_a").rules_for(Share(board="moon"), date(2026, 11, 2))
