"""`manage.py rulebook`: what a teacher reads before a lesson."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from market import rulebook
from market.rulebook import words


def say(*asked: str) -> str:
    said = io.StringIO()
    call_command("rulebook", *asked, stdout=said)
    return said.getvalue()


def rows(*asked: str) -> list[dict[str, Any]]:
    return json.loads(say(*asked, "--format", "json"))["rows"]


def test_the_day_of_the_limit_downs_in_2015_is_told_with_its_sources():
    text = say("show", "--venue", "SSE", "--date", "2015-07-08")
    assert "SSE: A-shares and ETFs on 2015-07-08 (trading day)" in text
    assert "stamp duty 0.1% on sells" in text
    assert "transfer fee 0.0003 each" in text
    assert "[cn_a.fee.stamp_duty.stock.2008-09-19]" in text
    assert "ChiNext, shares" not in text  # that is Shenzhen's


def test_every_row_on_the_page_has_a_source_and_an_id_that_stands():
    for row in rows("show", "--venue", "cn_futures", "--product", "IF", "--date", "2015-07-08"):
        assert row["source"]
        assert rulebook.row_named(row["row"]) is not None


def test_what_changed_when_chinext_was_opened_wide():
    days = ("--from", "2020-08-21", "--to", "2020-08-24")
    found = rows("diff", "--venue", "SZSE", "--board", "chinext", *days)
    bands = [(row["change"], row["says"]) for row in found if row["rule"] == "band"]
    assert ("ended", "±10% of the previous close") in bands
    assert ("began", "±20% of the previous close") in bands
    assert {"cage", "size", "first_days", "day"} <= {row["rule"] for row in found}


def test_nothing_changed_between_two_quiet_days():
    text = say("diff", "--venue", "SZSE", "--from", "2019-03-04", "--to", "2019-03-05")
    assert "Nothing: the same rows hold" in text


def test_chinese_readers_get_chinese():
    found = rows("show", "--venue", "SSE", "--board", "star", "--date", "2024-06-03", "--language", "zh-Hans")
    assert "价格笼子" in {row["title"] for row in found}
    assert any("科创板股票交易特别规定" in row["source"] for row in found)


def test_a_holiday_and_an_unknown_year_are_named():
    assert "closed: National Day" in say("show", "--venue", "SSE", "--date", "2026-10-01")
    assert "not known: the calendar 'cn'" in say("show", "--venue", "SSE", "--date", "2027-10-04")


@pytest.mark.parametrize(
    ("asked", "choices"),
    [
        (("show", "--venue", "LSE"), "There is no venue 'LSE'. Venues: BINANCE, BSE"),
        (("show", "--venue", "SSE", "--date", "1990-12-19"), "nothing before 1996-12-16"),
        (("diff", "--venue", "US", "--from", "2024-05-28", "--to", "2024-05-01"), "lies before --from"),
    ],
)
def test_what_is_unknown_is_answered_with_the_choices(asked: tuple[str, ...], choices: str):
    with pytest.raises(CommandError, match=choices) as refused:
        say(*asked)
    assert refused.value.returncode == 2


def test_a_day_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["manage.py", "rulebook"])
    with pytest.raises(CommandError, match=r"invalid day \(YYYY-MM-DD\) value: '2015-02-30'"):
        say("show", "--venue", "SSE", "--date", "2015-02-30")


def test_the_list_of_venues():
    text = say("venues")
    for venue in ("SSE", "BSE", "SHFE", "GFEX", "SGE", "FX", "NASDAQ", "BINANCE", "SIM"):
        assert f"\n{venue} " in text
    assert say("list") == text


def test_every_row_of_every_book_speaks_both_languages():
    for name in rulebook.known():
        for row in rulebook.load(name).rows:
            for language in words.LANGUAGES:
                assert words.says(row, language), row.id
                assert words.source(row, language), row.id
                assert words.whom(row, language), row.id
