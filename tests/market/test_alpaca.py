"""`/v2` market data: Alpaca's names, for people with a key or token."""

from __future__ import annotations

import uuid

import pytest

from accounts import players, tokens
from market import caller
from tests.market.conftest import phase, quote, trade

MONDAY = 1_793_577_600  # 2026-11-02 00:00 UTC


@pytest.fixture
def alice(browser, world):
    """Asks as a player with an access token."""
    bearer = tokens.issue(players.register("alice", "a long enough secret")).access

    def ask(path: str, status: int = 200):
        answer = browser.get(f"/v2/{path}", headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code == status, answer.content
        return answer.json()

    return ask


@pytest.mark.parametrize(
    "path", ["clock", "assets", "assets/ALB", "stocks/bars?symbols=ALB", "stocks/ALB/bars"]
)
def test_it_refuses_strangers(browser, world, path: str):
    answer = browser.get(f"/v2/{path}")
    assert answer.status_code == 401
    assert answer.json()["code"] == 40110000


def test_latest_quotes_and_trades_have_their_letters(alice, said):
    said(phase(1), quote("ALB", 1_310, 1_311, 2), trade("ALB", 1_311, 500, 3))
    assert alice("stocks/quotes/latest?symbols=ALB,PWS&feed=iex") == {
        "quotes": {
            "ALB": {
                **{"t": "2026-11-02T12:00:00.000000Z", "ax": "seeded", "ap": "13.11", "as": "2000"},
                **{"bx": "seeded", "bp": "13.10", "bs": "1000", "c": [], "z": ""},
            }
        }
    }
    trades = alice("stocks/trades/latest?symbols=ALB,PWS")["trades"]
    assert list(trades) == ["ALB"]
    assert (trades["ALB"]["p"], trades["ALB"]["s"], trades["ALB"]["i"]) == ("13.11", "500", 3)


def test_bars_are_paged_by_symbol_then_time(alice, store_bar):
    for symbol in ("ALB", "PWS"):
        for n in range(3):
            store_bar(symbol, "5m", MONDAY + 300 * n, 1_000 + n, 1_100, 900, 1_050, volume=200)
    first = alice("stocks/bars?symbols=PWS,ALB&timeframe=5Min&limit=4")
    assert {symbol: len(bars) for symbol, bars in first["bars"].items()} == {"ALB": 3, "PWS": 1}
    assert first["bars"]["ALB"][0] == {
        **{"t": "2026-11-02T00:00:00.000000Z", "o": "10.00", "h": "11.00", "l": "9.00", "c": "10.50"},
        **{"v": "200", "n": 7, "vw": "10.50"},
    }
    rest = alice(f"stocks/bars?symbols=PWS,ALB&timeframe=5Min&limit=4&page_token={first['next_page_token']}")
    assert [bar["o"] for bar in rest["bars"]["PWS"]] == ["10.01", "10.02"]
    assert rest["next_page_token"] is None


def test_bars_of_one_symbol_newest_first_within_bounds(alice, store_bar):
    for n in range(5):
        store_bar("ALB", "1m", MONDAY + 60 * n, 1_000 + n, 1_100, 900, 1_050)
    query = "timeframe=1Min&sort=desc&limit=2&start=2026-11-02T00:01:00Z&end=2026-11-02T00:03:00Z"
    page = alice(f"stocks/ALB/bars?{query}")
    assert (page["symbol"], [bar["o"] for bar in page["bars"]]) == ("ALB", ["10.03", "10.02"])
    page = alice(f"stocks/ALB/bars?{query}&page_token={page['next_page_token']}")
    assert ([bar["o"] for bar in page["bars"]], page["next_page_token"]) == (["10.01"], None)
    assert alice("stocks/bars/latest?symbols=ALB,PWS")["bars"]["ALB"]["o"] == "10.04"


def test_assets_are_found_by_symbol_and_by_id(alice, world):
    asset = alice("assets/ALB")
    assert (asset["class"], asset["exchange"], asset["tradable"]) == ("us_equity", "", True)
    assert (asset["price_increment"], asset["min_trade_increment"]) == ("0.01", "100")
    assert alice(f"assets/{asset['id']}") == asset
    assert len(alice("assets?status=active&asset_class=us_equity")) == 30
    assert alice("assets?status=inactive") == []
    assert alice("assets?asset_class=crypto") == []
    alice(f"assets/{uuid.uuid4()}", 404)


def test_the_clock_says_world_time(alice, said):
    said(phase(1))
    clock = alice("clock")
    assert (clock["timestamp"], clock["is_open"]) == ("2026-11-02T12:00:00.000000Z", True)
    assert clock["next_open"] == clock["next_close"] == "2026-11-03T00:00:00.000000Z"


def test_the_world_is_that_of_the_callers_portfolio(alice, world, monkeypatch):
    monkeypatch.setattr(caller, "_resolvers", list(caller._resolvers))
    caller.register_resolver(lambda request: world.__class__(number=0, slug="elsewhere", name="Elsewhere"))
    assert alice("assets") == []
    assert "Elsewhere" in alice("assets/ALB", 404)["detail"]


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("stocks/quotes/latest", 422, "INVALID"),
        ("stocks/quotes/latest?symbols=", 422, "INVALID"),
        ("stocks/quotes/latest?symbols=XXX", 404, "UNKNOWN_INSTRUMENT"),
        ("stocks/trades/latest?symbols=,", 422, "INVALID"),
        ("stocks/bars?symbols=ALB&timeframe=7Min", 422, "INVALID"),
        ("stocks/bars?symbols=ALB&sort=up", 422, "INVALID"),
        ("stocks/bars?symbols=ALB&start=NaN", 422, "INVALID"),
        ("stocks/bars?symbols=ALB&page_token=x", 422, "INVALID"),
        ("stocks/bars?symbols=ALB&page_token=WyJBTEIiLDk5OTk5OTk5OTk5OTk5OTk5OV0", 422, "INVALID"),
        ("stocks/bars?symbols=ALB&limit=1e9", 422, "INVALID"),
        ("stocks/XXX/bars", 404, "UNKNOWN_INSTRUMENT"),
        ("assets/%00", 404, "NOT_FOUND"),
        ("assets?status=dead", 422, "INVALID"),
        ("clock?when=now", 422, "INVALID"),
    ],
)
def test_it_refuses_with_their_code_and_our_reason(alice, path: str, status: int, reason: str):
    problem = alice(path, status)
    assert problem["reason"] == reason
    assert type(problem["code"]) is int
