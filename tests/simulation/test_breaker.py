"""A price that moves too far too fast is halted by the venue's rule, and an auction reopens it."""

from __future__ import annotations

import pytest

from market import rulebook
from market.rulebook import Phase, words
from market.simulation import STEP_NS, Event, SeededMarket, chance, scenarios
from market.simulation import events as happenings
from market.simulation.breaker import Breaker, Recent
from market.simulation.seeded import encode
from market.sources.seeded import SeededSource
from market.ticks import PhaseTick, Print, Quote

SECOND = 10**9
START = 1_795_355_999 * SECOND
RULE = {"move_ppm": 50_000, "within_s": 300, "halt_s": 60}
BREAKER = Breaker(**RULE)


def leapt(percent: int = 8) -> tuple[SeededMarket, list[Quote | Print]]:
    """A quiet minute, then what ALB is worth leaps by 8 %: what half a minute says."""
    market = SeededMarket(5, START, count=2)
    market.happen(market.event("breaker", **RULE))
    market.advance_to(START + 60 * SECOND)
    asked = {"kind": "news", "size_ppm": percent * 10_000, "seconds": 60, "symbols": ["ALB"]}
    market.happen(market.event("scenario", **asked))
    return market, market.advance_to(START + 120 * SECOND)


@pytest.mark.parametrize("percent", [8, -8])
def test_a_leap_halts_the_price_and_empties_its_book(percent: int) -> None:
    market, said = leapt(percent)
    stock = market.by_symbol["ALB"]
    assert stock.why_halted == "breaker"
    assert stock.halted_until > market.step_no
    prices = [tick.price for tick in said if isinstance(tick, Print) and tick.symbol == "ALB"]
    other = min(prices) if percent > 0 else max(prices)
    assert abs(prices[-1] / other - 1) > 0.048  # against this minute: the lowest may lie in the one before
    shown = [tick for tick in said if isinstance(tick, Quote) and tick.symbol == "ALB"][-1]
    assert (shown.bids, shown.asks) == ((), ())
    assert not market.by_symbol["MRT"].why_halted


def test_an_auction_reopens_it_at_one_price_and_it_does_not_halt_again_for_that() -> None:
    market, _ = leapt()
    until = market.start_ns + market.by_symbol["ALB"].halted_until * STEP_NS
    assert not [tick for tick in market.advance_to(until - STEP_NS) if tick.symbol == "ALB"]
    after = [tick for tick in market.advance_to(until + 20 * SECOND) if tick.symbol == "ALB"]
    cross = after[0]
    assert isinstance(cross, Print)
    assert cross.side == ""
    shown = [tick for tick in after if isinstance(tick, Quote)]
    assert all(quote.bids and quote.asks for quote in shown)
    assert not market.by_symbol["ALB"].why_halted


def test_a_halted_market_is_saved_and_lived_again_like_any_other() -> None:
    market, _ = leapt()
    woken = SeededMarket(5, START, count=2)
    woken.restore(market.state())
    later = START + 240 * SECOND
    assert encode(woken.advance_to(later)) == encode(market.advance_to(later))
    assert woken.state_hash() == market.state_hash()


def test_a_crash_is_seen_by_everybody_and_halts_only_the_wildest() -> None:
    market = SeededMarket(5, START, count=14)
    market.happen(market.event("breaker", move_ppm=50_000, within_s=300, halt_s=300))
    market.advance_to(START + 60 * SECOND)
    before = {symbol: stock.last for symbol, stock in market.by_symbol.items()}
    asked = scenarios.checked("crash", None, None)
    market.happen(market.event("scenario", **asked._asdict(), symbols=[]))
    halted: dict[int, set[str]] = {}
    for second in range(30, asked.seconds + 1, 30):
        market.advance_to(START + (60 + second) * SECOND)
        halted[second] = {symbol for symbol, stock in market.by_symbol.items() if stock.why_halted}
    ever = set().union(*halted.values())
    assert not halted[240]  # a lesson of four minutes of falling prices before the first halt
    assert {"ORB", "LMC"} <= ever  # the highest betas
    assert len(ever) <= len(before) // 2
    fallen = {symbol: stock.last / before[symbol] - 1 for symbol, stock in market.by_symbol.items()}
    assert max(fallen.values()) < -0.03
    calm = sorted(before, key=lambda symbol: market.by_symbol[symbol].company.beta_ppm)[:3]
    assert sum(fallen[symbol] for symbol in calm) / 3 == pytest.approx(-0.05, abs=0.015)


def test_a_crash_of_named_shares_is_as_deep_as_was_said() -> None:
    market = SeededMarket(5, START, count=3)
    asked = scenarios.checked("crash", 60_000, 600)
    market.happen(market.event("scenario", **asked._asdict(), symbols=["ALB"]))  # of beta 0.78
    crash = market.by_symbol["ALB"].spells[0]
    assert crash.drive * (crash.end - crash.start) == pytest.approx(-0.06 * chance.ONE, rel=1e-6)


@pytest.mark.parametrize(
    ("steps_and_prices", "halts"),
    [
        ([(1, 1000), (2, 1050)], False),  # exactly 5 %
        ([(1, 1000), (2, 1051)], True),
        ([(1, 1000), (2, 950)], False),
        ([(1, 1000), (2, 949)], True),
        ([(1, 1000), (700, 1030), (1_400, 1060)], False),  # 2.9 % within five minutes
        ([(1, 1000), (700, 1030), (1_000, 1060)], True),
        ([(1, 1000), (5_000, 1200)], False),  # the first for a long while
        ([(1, 1000), (2, 960), (900, 1010)], True),  # against the lowest, not the last
    ],
)
def test_a_trade_is_held_against_all_others_of_five_minutes(steps_and_prices, halts) -> None:
    recent = Recent()
    said = [recent.trips(price, step, BREAKER) for step, price in steps_and_prices]
    assert said == [False] * (len(said) - 1) + [halts]
    kept = Recent()
    kept.thaw(recent.freeze())
    assert (kept.low, kept.high, kept.pieces) == (recent.low, recent.high, recent.pieces)


class Wall:
    def wall_ns(self) -> int:
        return START


def phase(market_day: int) -> PhaseTick:
    return PhaseTick(market_day, Phase.CONTINUOUS, "", 0, START, START)


def test_the_rulebook_of_the_day_is_an_event_once() -> None:
    written: list[Event] = []
    source = SeededSource(5, START, breaker=lambda day: RULE if day < 20261123 else {})
    source.log_to(lambda event: written.append(happenings.decode(event)))
    for day in (20261121, 20261121, 20261122, 20261123):
        source.on_phase(phase(day))
    said = [event.detail for event in written if event.what == "breaker"]
    assert said == [RULE, {"move_ppm": 0, "within_s": 0, "halt_s": 0}]
    assert source.market.breaker is None


def test_the_feed_tells_what_is_halted_and_until_when() -> None:
    source = SeededSource(5, START, breaker=lambda _day: RULE, count=2)
    source.on_phase(phase(20261121))
    source.due(START + 20 * SECOND, Wall())
    assert source.asked({"what": "halts"}) == {"halts": {}}
    source.asked({"what": "scenario", "kind": "news", "symbols": ["ALB"], "size_ppm": 80_000, "seconds": 60})
    source.asked({"what": "scenario", "kind": "halt", "symbols": ["MRT"], "seconds": 60})
    source.due(START + 45 * SECOND, Wall())
    stock = source.market.by_symbol["ALB"]
    assert source.asked({"what": "halts"}) == {
        "halts": {"ALB": source.market.start_ns + stock.halted_until * STEP_NS}
    }


def test_the_seeded_world_states_its_halts_with_a_source() -> None:
    book = rulebook.load("plain")
    day = rulebook.as_date(20261102)
    assert book.breaker(rulebook.Where(), day) == {"move_ppm": 50_000, "within_s": 300, "halt_s": 300}
    assert rulebook.load("cn_a").breaker(rulebook.Where(venue="SSE"), day) == {}
    row = next(row for row in book.rows if row.table == "breaker")
    assert "LULD" in words.source(row, "en")
    assert "5分钟" in words.says(row, "zh-hans")


def test_news_of_an_operator_moves_the_price_as_far_as_asked() -> None:
    told, quiet = SeededMarket(5, START, count=2), SeededMarket(5, START, count=2)
    for market in (told, quiet):
        market.advance_to(START + 10 * SECOND)
    told.happen(told.event("scenario", kind="news", size_ppm=40_000, seconds=60, symbols=["ALB"]))
    for market in (told, quiet):
        market.advance_to(START + 11 * SECOND)
    assert told.by_symbol["ALB"].fair / quiet.by_symbol["ALB"].fair == pytest.approx(1.04, abs=0.003)
