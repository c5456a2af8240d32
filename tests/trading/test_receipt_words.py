"""A receipt names its rule in the reader's language, with the dated row and where it stands."""

from __future__ import annotations

import re

from babel.messages.pofile import read_po
from django.utils import translation

from market import rulewords
from simgame.env import BASE_DIR

BAND = {"name": "band", "row": "cn_a.band.main.1996-12-16", "text": "Today's limits are 9.00 to 11.00."}
SENTENCE = re.compile(r'receipts\.rule\(\s*"\w+",\s*"([^"]+)"', re.DOTALL)


def test_a_refusal_cites_the_dated_row():
    told = rulewords.cited(BAND)
    assert told["text"] == BAND["text"]
    assert told["stated"] == "±10% of the previous close"
    assert told["source"] == "SSE and SZSE, from 1996-12-16: ±10 %"


def test_in_chinese_it_is_chinese():
    with translation.override("zh-hans"):
        told = rulewords.cited(BAND)
    assert told["text"] == told["stated"] == "前收盘价±10%"
    assert told["source"] == "沪深交易所自1996年12月16日起实行10%涨跌幅限制"


def test_a_rule_of_the_players_own_cites_no_row():
    own = rulewords.cited({"name": "limit_price", "row": "", "text": "Your own limit."})
    assert (own["stated"], own["source"]) == (None, None)


def test_every_sentence_of_the_engine_is_in_the_chinese_catalogue():
    said: set[str] = set()
    for module in (BASE_DIR / "trading" / "engine").glob("*.py"):
        said |= set(SENTENCE.findall(module.read_text(encoding="utf-8")))
    with (BASE_DIR / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po").open("rb") as file:
        known = {message.id for message in read_po(file) if message.string}
    assert len(said) > 20
    assert said - known == set()
