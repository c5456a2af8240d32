"""Names as people type them."""

from __future__ import annotations

import pytest

from market import pinyin


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("浦发银行", "pfyh"),
        ("贵州茅台", "gzmt"),
        ("中国平安", "zgpa"),
        ("万科A", "wka"),
        ("长江电力", "cjdl"),
        ("", ""),
    ],
)
def test_a_name_is_found_by_its_initials(name: str, typed: str) -> None:
    assert pinyin.initials(name) == typed


def test_what_has_no_known_reading_is_left_out() -> None:
    assert pinyin.initials("鑫 龙·1") == "l1"
