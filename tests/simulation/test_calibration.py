"""The seeded market has the figures of real markets, and a picture of them."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from django.conf import settings

from market.calibration import figures, real, report
from market.calibration.days import Daily
from market.simulation import SeededMarket

START = 1_795_355_999 * 10**9
SECOND = 10**9
# What forty days and four whole days of one instrument can tell; `manage.py calibrate` tells the rest.
TOLD = {
    *("daily_sd", "median_abs", "market_sd", "to_market", "ac_r_1", "limit_up"),
    *("first_minute", "after_lunch", "u_shape", "spread", "depth", "size_tail", "cancels"),
    *("impact", "recovery", "ac_abs_minute", "volume_volatility"),
}


@pytest.fixture(scope="module")
def measured() -> report.Report:
    return report.run(11, ends=40, lived_s=10, whole=4, count=1, data=None)


def test_the_figures_lie_where_real_ones_do(measured: report.Report) -> None:
    outside = {name: measured.ours[name] for name in measured.failed if name in TOLD}
    assert outside == {}
    assert set(measured.ours) == {target.name for target in figures.TARGETS}


def test_the_picture_shows_every_figure(measured: report.Report) -> None:
    picture = ElementTree.fromstring(measured.picture())
    said = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {target.about for target in figures.TARGETS} <= set(said)


def test_a_market_without_chance_is_told_from_a_real_one() -> None:
    flat = [Daily([0.001 * (-1) ** day for day in range(50)], [0] * 50) for _ in range(3)]
    found = figures.of_days(flat)
    by_name = {target.name: target for target in figures.TARGETS}
    assert figures.verdict(by_name["daily_sd"], found["daily_sd"]) == "out of range"
    assert figures.verdict(by_name["ac_r_1"], found["ac_r_1"]) == "out of range"


def test_the_measures_agree_with_what_was_published_of_2019() -> None:
    shared = settings.BASE_DIR.parent / "shared" / "data"
    if not (shared / real.SHARES).is_file():
        pytest.skip(f"no recordings: {shared / real.SHARES} is not there")
    found, shape = real.measured(shared)
    for target in figures.TARGETS:
        if target.value is not None and target.name in found:
            assert found[target.name] == pytest.approx(target.value, rel=0.16, abs=0.03), target.name
    assert len(shape) == 240


def test_what_players_take_is_gone_and_moves_the_price() -> None:
    """That it comes back is `recovery` above, over thirty instruments: one alone goes its own way by then."""
    with_her, without = SeededMarket(5, START, count=3), SeededMarket(5, START, count=3)
    for market in (with_her, without):
        market.advance_to(START + 30 * SECOND)
    asks = with_her.stocks[0].book.top(5)[1]
    rows = [["ALB", "buy", price, size] for price, size in asks]
    with_her.happen(with_her.event("taken", upto=5, rows=rows))
    shown = next(tick for tick in with_her.advance_to(START + 31 * SECOND) if tick.symbol == "ALB")
    assert not {price for price, _ in asks} & {price for price, _ in shown.asks}  # what she took is gone
    without.advance_to(START + 31 * SECOND)

    def apart() -> float:
        mine, other = with_her.by_symbol["ALB"], without.by_symbol["ALB"]
        return (mine.view + mine.pressure) / (other.view + other.pressure) - 1

    assert apart() > 0.0003
