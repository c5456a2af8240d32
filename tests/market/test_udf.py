"""TradingView's charting library reads our charts: what it asks for, in its own words."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any
from urllib.parse import quote as quoted

import pytest

from market.models import Bar, CorporateAction, Instrument
from tests.market.conftest import phase, quote, reference, trade

MONDAY = 1_793_577_600  # 2026-11-02 00:00 UTC
HOUR = MONDAY + 9 * 3600


def ask(browser, path: str, status: int = 200) -> Any:
    answer = browser.get(f"/udf/{path}")
    assert answer.status_code == status, answer.content
    return json.loads(answer.content, parse_float=Decimal)


@pytest.fixture
def hour(store_bar):
    """Ten minutes of ALB, and a day before them."""
    store_bar("ALB", "1d", MONDAY - 3 * 86_400, 1_250, 1_300, 1_240, 1_290)
    for n in range(10):
        store_bar("ALB", "1m", HOUR + 60 * n, 1_300 + n, 1_310 + n, 1_290 + n, 1_305 + n, volume=100 + n)


def test_the_library_learns_what_there_is_and_how_a_symbol_is_written(browser, world):
    said = ask(browser, "config")
    assert said["supports_search"] is not said["supports_group_request"]
    assert {"value": "seeded", "name": "seeded", "desc": world.name} in said["exchanges"]
    assert set(said["supported_resolutions"]) >= {"1", "5", "60", "1D"}
    info = ask(browser, "symbols?symbol=ALB")
    assert info == ask(browser, "symbols?symbol=seeded:ALB") == ask(browser, "symbols?symbol=SEEDED:ALB")
    assert (info["ticker"], info["minmov"], info["pricescale"]) == ("seeded:ALB", 1, 100)
    assert (info["session"], info["timezone"], info["type"]) == ("24x7", "Etc/UTC", "stock")
    table = ask(browser, "symbol_info?group=seeded")
    assert table["symbol"] == sorted(world.instruments.values_list("symbol", flat=True))
    assert (table["pricescale"], table["exchange-traded"]) == (100, "seeded")


def test_a_venue_with_hours_says_its_sessions(browser, world):
    world.rulebook, world.timezone, world.options = "cn_a", "Asia/Shanghai", {"hours": "venue"}
    world.save()
    world.instruments.update(venue="SSE")
    info = ask(browser, "symbols?symbol=ALB")
    assert info["timezone"] == "Asia/Shanghai"
    assert info["session"].endswith("1300-1500")
    assert "0930-1130" in info["session"]


def test_search_finds_by_symbol_name_and_type(browser, world):
    assert [row["ticker"] for row in ask(browser, "search?query=alb&type=stock&exchange=seeded")] == [
        "seeded:ALB"
    ]
    assert [row["symbol"] for row in ask(browser, "search?query=spirits")] == ["PWS"]
    assert ask(browser, "search?query=alb&type=futures") == []
    assert len(ask(browser, "search?limit=3")) == 3


def test_history_is_from_inclusive_to_exclusive_in_exact_numbers(browser, world, hour):
    said = ask(browser, f"history?symbol=ALB&resolution=1&from={HOUR}&to={HOUR + 120}")
    assert said["s"] == "ok"
    assert said["t"] == [HOUR, HOUR + 60]
    assert (said["o"], said["c"]) == (
        [Decimal("13.00"), Decimal("13.01")],
        [Decimal("13.05"), Decimal("13.06")],
    )
    assert (said["h"][0], said["l"][0], said["v"]) == (Decimal("13.10"), Decimal("12.90"), [100, 101])
    assert (
        b'"13.0'
        not in browser.get(f"/udf/history?symbol=ALB&resolution=1&from={HOUR}&to={HOUR + 99}").content
    )


def test_countback_outranks_from(browser, world, hour):
    said = ask(browser, f"history?symbol=ALB&resolution=1&from={HOUR + 480}&to={HOUR + 540}&countback=5")
    assert said["t"] == [HOUR + 60 * n for n in range(4, 9)]


def test_where_nothing_is_it_says_when_the_bars_before_end(browser, world, hour):
    later = f"from={HOUR + 7200}&to={HOUR + 7260}"
    assert ask(browser, f"history?symbol=ALB&resolution=1&{later}") == {
        "s": "no_data",
        "nextTime": HOUR + 540,
    }
    assert ask(browser, "history?symbol=ALB&resolution=1&from=0&to=60") == {"s": "no_data"}
    assert ask(browser, "history?symbol=ALB&resolution=1&from=-9999999&to=60&countback=5") == {"s": "no_data"}
    daily = ask(browser, f"history?symbol=ALB&resolution=D&from={HOUR}&to={HOUR + 60}")
    assert daily == {"s": "no_data", "nextTime": MONDAY - 3 * 86_400}


def test_marks_are_the_bars_over_a_gap_and_the_corporate_actions(browser, world, hour):
    Bar.objects.filter(instrument__symbol="ALB", interval="1m", start__minute=3).update(partial=True)
    marks = ask(browser, f"marks?symbol=ALB&resolution=1&from={HOUR}&to={HOUR + 600}")
    assert marks["time"] == [HOUR + 180]
    assert {len(column) for column in marks.values()} == {1}
    alb = Instrument.objects.get(world=world, symbol="ALB")
    for key, withdrawn in (("div-1", False), ("div-2", True)):
        CorporateAction.objects.create(
            world=world,
            key=key,
            instrument=alb,
            kind="dividend",
            amount=1,
            ex_on="2026-11-02",
            withdrawn=withdrawn,
        )
    (mark,) = ask(browser, f"timescale_marks?symbol=ALB&resolution=D&from={MONDAY}&to={MONDAY + 86_400}")
    assert (mark["id"], mark["time"], mark["label"]) == ("div-1", MONDAY, "D")
    assert (
        ask(browser, f"timescale_marks?symbol=ALB&resolution=D&from={MONDAY + 86_400}&to={MONDAY + 99_999}")
        == []
    )


def test_quotes_are_numbers_and_an_unknown_one_is_its_own_error(browser, world, said, sign_lease):
    said(phase(1), reference("ALB", 1_300, 2), quote("ALB", 1_310, 1_311, 3), trade("ALB", 1_311, 500, 4))
    sign_lease(world)
    answer = ask(browser, "quotes?symbols=ALB,seeded:PWS,NOPE,nowhere:X")
    assert answer["s"] == "ok"
    alb, pws, *unknown = answer["d"]
    assert (alb["n"], alb["s"]) == ("ALB", "ok")
    assert [alb["v"][name] for name in ("lp", "bid", "ask", "ch", "chp")] == [
        Decimal(text) for text in ("13.11", "13.10", "13.11", "0.11", "0.85")
    ]
    assert pws["n"] == "seeded:PWS"
    assert [(one["s"], one["n"]) for one in unknown] == [("error", "NOPE"), ("error", "nowhere:X")]
    assert ask(browser, "time") == 1_793_620_800  # noon of the world


REFUSED = {
    "symbols": 422,
    "symbols?symbol=NOPE": 404,
    "symbols?symbol=:": 404,
    "symbols?symbol=nowhere:ALB": 404,
    "symbol_info?group=nowhere": 404,
    "search?limit=0": 422,
    "search?exchange=nowhere": 404,
    "quotes": 422,
    "quotes?symbols=,": 422,
    "history?symbol=ALB&from=0&to=9": 422,
    "history?symbol=ALB&resolution=7&from=0&to=9": 422,
    "history?symbol=ALB&resolution=1&from=0": 422,
    "history?symbol=ALB&resolution=1&from=x&to=9": 422,
    "history?symbol=ALB&resolution=1&from=0&to=9&countback=0": 422,
    "history?symbol=NOPE&resolution=1&from=0&to=9": 404,
    "marks?symbol=ALB&resolution=1&from=0&to=NaN": 422,
    "timescale_marks?symbol=%00&resolution=1&from=0&to=1": 422,
}


@pytest.mark.parametrize("path", REFUSED)
def test_a_refusal_is_in_their_words_and_in_ours(browser, world, path):
    said = ask(browser, path, REFUSED[path])
    assert (said["s"], said["errmsg"]) == ("error", said["detail"])
    assert len(said["errmsg"]) > 10
    assert said["code"]


TEXTS = [
    *("", "x", "0", "-1", "9" * 30, "-" + "9" * 30, "1e9", "NaN", "１２", "\x00", "../..", "🦄", "a" * 900),
    *(
        "ALB",
        ":ALB",
        "seeded:",
        "seeded:ALB",
        "::",
        "%",
        "ALB,,PWS",
        "1D",
        "D",
        "60",
        "1793610000",
        "null",
        "\\",
    ),
]
NAMES = {
    "symbols": ("symbol",),
    "symbol_info": ("group",),
    "search": ("query", "type", "exchange", "limit"),
    **dict.fromkeys(
        ("history", "marks", "timescale_marks"), ("symbol", "from", "to", "resolution", "countback")
    ),
    "quotes": ("symbols",),
    "config": (),
    "time": (),
}


def test_nonsense_never_breaks_it(browser, world, hour):
    chance = random.Random(20261122)
    answered = 0
    for n in range(400):
        door = chance.choice(list(NAMES))
        asked = {name: chance.choice(TEXTS) for name in NAMES[door] if chance.random() < 0.9}
        if door in ("history", "marks") and chance.random() < 0.5:
            asked |= {"symbol": "ALB", "resolution": "1"}
        query = "&".join(
            f"{name}={quoted(value, safe='')}" for name, value in {**asked, "unitId": "1"}.items()
        )
        answer = browser.get(
            f"/udf/{door}?{query}", REMOTE_ADDR=f"10.0.{n // 40}.1"
        )  # the limit is per address
        assert answer.status_code in (200, 404, 422), (door, query, answer.content)
        said = json.loads(answer.content)
        if answer.status_code == 200:
            answered += 1
        else:
            assert (said["s"], bool(said["errmsg"])) == ("error", True)
    assert answered > 40


def test_our_own_chart_says_the_same_in_our_words(browser, world, hour):
    def chart(query: str, status: int = 200) -> Any:
        answer = browser.get(f"/api/v1/chart/ALB?{query}")
        assert answer.status_code == status, answer.content
        return answer.json()

    told = chart(f"interval=1m&from={HOUR}&to={HOUR + 120}")
    assert [bar["t"] for bar in told["bars"]] == [HOUR, HOUR + 60]
    assert (told["bars"][0]["c"], told["no_data"], told["next_time"]) == ("13.05", False, None)
    assert [bar["t"] for bar in chart("interval=1m&countback=2")["bars"]] == [HOUR + 480, HOUR + 540]
    assert [bar["t"] for bar in chart(f"to={HOUR + 60}&from=0")["bars"]] == [HOUR]
    nothing = chart("from=2026-11-05T00:00:00Z")
    assert (nothing["bars"], nothing["no_data"], nothing["next_time"]) == ([], True, HOUR + 540)
    assert chart("interval=7m", 422)["code"] == "BAD_INTERVAL"
    assert chart("from=noon", 422)["code"] == "INVALID"
    assert chart("nope=1", 422)["code"] == "INVALID"
