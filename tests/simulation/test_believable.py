"""The market looks like a market: grids, bands, depth, spreads, pace, volatility, a past that fits."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from itertools import pairwise

import pytest

from market.simulation import DEPTH, VENUE, HistoryBar, SeededMarket, chance
from market.simulation.companies import COMPANIES, SECTORS_ZH
from market.simulation.orders import Book
from market.ticks import Print, Quote

SECOND = 10**9
START = 1_795_355_999 * SECOND  # a Saturday, 13:59:59 UTC
MINUTES = 8


@pytest.fixture(scope="module")
def market() -> SeededMarket:
    return SeededMarket(20_261_101, START)


@pytest.fixture(scope="module")
def ticks() -> list[Quote | Print]:
    return SeededMarket(20_261_101, START).advance_to(START + MINUTES * 60 * SECOND)


@pytest.fixture(scope="module")
def past(market: SeededMarket) -> dict[str, dict[str, list[HistoryBar]]]:
    return {listing.symbol: market.history(listing.symbol) for listing in market.instruments}


def test_there_are_enough_companies_with_names_and_sectors_of_their_own(market: SeededMarket) -> None:
    listed = market.instruments
    assert len(listed) >= 24
    assert len({listing.symbol for listing in listed}) == len(listed)
    assert len({listing.name for listing in listed}) == len(listed)
    assert len({listing.name_zh for listing in listed}) == len(listed)
    assert len({listing.sector for listing in listed}) >= 6
    for listing in listed:
        assert len(listing.symbol) == 3
        assert listing.symbol.isupper()
        assert 5_00 <= listing.price <= 500_00
        assert (listing.tick, listing.lot, listing.price_exponent) == (1, 100, 2)


def test_every_price_is_on_the_grid_and_inside_the_range(market, ticks) -> None:
    bands = {reference.symbol: reference for reference in market.references(20261121)}
    for tick in ticks:
        prices = [tick.price] if isinstance(tick, Print) else [price for price, _ in (*tick.bids, *tick.asks)]
        sizes = [tick.size] if isinstance(tick, Print) else [size for _, size in (*tick.bids, *tick.asks)]
        band = bands[tick.symbol]
        assert all(type(price) is int and 5_00 <= price <= 500_00 for price in prices)
        assert all(band.limit_low <= price <= band.limit_high for price in prices)
        assert all(size > 0 and size % 100 == 0 for size in sizes)


def test_five_levels_in_order_and_never_crossed(ticks) -> None:
    for quote in (tick for tick in ticks if isinstance(tick, Quote)):
        bids, asks = [price for price, _ in quote.bids], [price for price, _ in quote.asks]
        assert len(bids) == len(asks) == DEPTH
        assert bids == sorted(set(bids), reverse=True)
        assert asks == sorted(set(asks))
        assert 1 <= asks[0] - bids[0] <= 12


def test_dear_stocks_have_wider_spreads_than_cheap_ones(ticks) -> None:
    spreads = defaultdict(list)
    for quote in (tick for tick in ticks if isinstance(tick, Quote)):
        spreads[quote.symbol].append(quote.asks[0][0] - quote.bids[0][0])
    assert statistics.fmean(spreads["TDP"]) < 1.7
    assert statistics.fmean(spreads["CPR"]) < statistics.fmean(spreads["PWS"])


def test_trades_happen_at_prices_that_were_shown(ticks) -> None:
    shown: dict[str, Quote] = {}
    prints = 0
    for tick in ticks:
        if isinstance(tick, Quote):
            shown[tick.symbol] = tick
            continue
        prints += 1
        depth = shown[tick.symbol].asks if tick.side == "buy" else shown[tick.symbol].bids
        assert tick.size <= dict(depth).get(tick.price, tick.size)
        assert tick.price >= depth[0][0] if tick.side == "buy" else tick.price <= depth[0][0]
    assert prints > 1_000


def test_the_page_moves_visibly_and_not_madly(ticks) -> None:
    seconds = MINUTES * 60
    quotes = defaultdict(int)
    for tick in ticks:
        quotes[tick.symbol] += isinstance(tick, Quote)
    assert 25 <= len(ticks) / seconds <= 60
    for symbol, count in quotes.items():
        assert 0.4 <= seconds / count <= 3.5, symbol


def test_a_day_of_live_ticks_moves_prices_by_two_to_three_and_a_half_percent() -> None:
    middles: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
    for seed in range(8):  # each calm or restless for a while
        lived = SeededMarket(seed, START, count=4).advance_to(START + MINUTES * 60 * SECOND)
        for quote in (tick for tick in lived if isinstance(tick, Quote)):
            half_minute = (quote.at_ns - START) // (30 * SECOND)
            middles[seed, quote.symbol][half_minute] = (quote.bids[0][0] + quote.asks[0][0]) / 2
    returns = [math.log(b / a) for row in middles.values() for a, b in pairwise(row.values())]
    a_day = statistics.pstdev(returns) * math.sqrt(2 * 60 * 24)
    assert 0.018 <= a_day <= 0.042


def daily_returns(past: dict[str, dict[str, list[HistoryBar]]], symbol: str) -> list[float]:
    return [math.log(b.close / a.close) for a, b in pairwise(past[symbol]["1d"])]


def test_past_days_spread_like_a_shares(past) -> None:
    returns = [value for symbol in past for value in daily_returns(past, symbol)]
    assert 0.020 <= statistics.pstdev(returns) <= 0.033
    assert abs(statistics.fmean(returns)) < 0.003
    assert max(map(abs, returns)) < 0.11
    ranges = [(bar.high - bar.low) / bar.open for symbol in past for bar in past[symbol]["1d"]]
    assert 0.02 <= statistics.median(ranges) <= 0.04


def test_stocks_move_together_and_most_of_all_within_a_sector(past) -> None:
    rows = {symbol: daily_returns(past, symbol) for symbol in past}
    market = [statistics.fmean(column) for column in zip(*rows.values(), strict=True)]
    together = statistics.fmean(statistics.correlation(row, market) for row in rows.values())
    assert 0.4 <= together <= 0.8


def test_big_days_follow_big_days() -> None:
    def clustering(seed: int) -> float:
        market = SeededMarket(seed, START)
        sizes = [
            [abs(math.log(b.close / a.close)) for a, b in pairwise(market.history(symbol)["1d"])]
            for symbol in ("ALB", "KTS", "VRB", "ELM")
        ]
        return statistics.fmean(statistics.correlation(row[:-1], row[1:]) for row in sizes)

    assert statistics.fmean(clustering(seed) for seed in range(4)) > 0.05


def test_the_past_ends_where_the_market_begins(market: SeededMarket, past) -> None:
    for listing in market.instruments:
        bars = past[listing.symbol]
        assert {row[-1].close for row in bars.values()} == {listing.price}
        assert bars["1d"][-2].close == listing.previous_close
        assert len(bars["1d"]) == 250
        assert len(bars["1m"]) >= 300 and len(bars["5m"]) >= 300
        for quote in market.snapshot():
            if quote.symbol == listing.symbol:
                assert abs(quote.asks[0][0] - listing.price) <= 5


def test_past_bars_are_whole_and_agree_across_intervals(past) -> None:
    for bars in past.values():
        for row in bars.values():
            assert [bar.start_ns for bar in row] == sorted({bar.start_ns for bar in row})
            for bar in row:
                assert 5_00 <= bar.low <= min(bar.open, bar.close)
                assert max(bar.open, bar.close) <= bar.high <= 500_00
                assert bar.volume > 0
                assert bar.volume % 100 == 0
            assert all(bar.closed for bar in row[:-1])
        hour = bars["1h"][-2]
        minutes = [bar for bar in bars["1m"] if hour.start_ns <= bar.start_ns < hour.start_ns + 3600 * SECOND]
        assert len(minutes) == 60
        assert sum(bar.volume for bar in minutes) == hour.volume
        assert max(bar.high for bar in minutes) == hour.high


def test_venue_hours_leave_out_nights_lunch_and_weekends() -> None:
    market = SeededMarket(3, START, VENUE, 28_800)
    bars = market.history("ALB")
    for bar in bars["1m"]:
        local = (bar.start_ns // SECOND + 28_800) % 86_400
        assert 34_200 <= local < 41_400 or 46_800 <= local < 54_000
    assert all(((bar.start_ns // SECOND + 28_800) // 86_400 + 3) % 7 < 5 for bar in bars["1d"])
    assert len(bars["1d"]) == 250


def test_a_new_day_takes_last_prices_as_previous_closes_and_moves_the_band() -> None:
    market = SeededMarket(3, START)
    ticks = market.advance_to(START + 120 * SECOND)
    last = {tick.symbol: tick.price for tick in ticks if isinstance(tick, Print)}
    market.begin_day()
    for reference in market.references(20261122):
        assert reference.previous_close == last[reference.symbol]
        assert reference.limit_high == pytest.approx(reference.previous_close * 1.1, abs=0.51)
        assert reference.limit_low == pytest.approx(max(reference.previous_close * 0.9, 500), abs=0.51)
    shown = [tick for tick in market.advance_to(START + 121 * SECOND) if isinstance(tick, Quote)]
    assert {quote.symbol for quote in shown} == {listing.symbol for listing in market.instruments}


def test_an_outage_moves_prices_on_without_breaking_the_band() -> None:
    market = SeededMarket(3, START)
    before = {quote.symbol: quote.bids[0][0] for quote in market.snapshot()}
    market.skip_to(START + 40_000 * SECOND, 40_000)
    quotes = [tick for tick in market.advance_to(START + 40_001 * SECOND) if isinstance(tick, Quote)]
    bands = {reference.symbol: reference for reference in market.references(20261121)}
    moved = [quote for quote in quotes if abs(quote.bids[0][0] / before[quote.symbol] - 1) > 0.005]
    assert len(moved) > 10
    for quote in quotes:
        assert all(
            bands[quote.symbol].limit_low <= p <= bands[quote.symbol].limit_high for p, _ in quote.bids
        )


@pytest.mark.parametrize("side", ["up", "down"])
def test_at_the_limit_one_side_of_the_book_dries_up(side: str) -> None:
    market = SeededMarket(3, START, count=1)
    stock = market.stocks[0]
    stock.move(chance.ONE // 3 if side == "up" else -chance.ONE // 3)
    stock.view = stock.fair
    market.advance_to(START + 300 * SECOND)
    bids, asks = stock.book.top(DEPTH)
    full, dry = (bids, asks) if side == "up" else (asks, bids)
    assert len(full) == DEPTH
    assert len(dry) <= 1
    assert all(stock.limit_low <= price <= stock.limit_high for price, _ in (*bids, *asks))
    assert abs(stock.last - (stock.limit_high if side == "up" else stock.limit_low)) <= 4


def test_a_taker_eats_the_best_price_first_oldest_order_first_and_stops_at_the_limit() -> None:
    book = Book()
    for price, size in ((102, 300), (101, 200), (101, 100), (104, 500)):
        book.place(price, size, 1, buys=False, maker=False)
    assert book.take("buy", 250, 103) == [("buy", 101, 250)]
    assert [(order.number, order.size) for order in book.asks[101]] == [(3, 50)]
    assert book.take("buy", 600, 103) == [("buy", 101, 50), ("buy", 102, 300)]
    assert book.top(DEPTH) == ((), ((104, 500),))


def test_the_integer_ladder_is_the_exponential() -> None:
    for k in range(-90, 91, 10):
        log = k * chance.LOG_ONE // 32
        assert chance.exp(log) / chance.E_ONE == pytest.approx(math.exp(k / 32), rel=0.01)
    assert set(SECTORS_ZH) == {company.sector for company in COMPANIES}
