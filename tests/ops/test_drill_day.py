"""A market day with people trading, judged to the last minor unit: the beginning of `manage.py drill day`."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from ops.drills.day import drill, make_world

RB1910 = settings.BASE_DIR.parent / "shared" / "data" / "ctp_ticks_shfe" / "rb1910.csv"
ASKED: dict[str, Any] = {
    "recording": "", "rules": "cn_a", "date": "2026-11-02", "orders_per_s": 1.0, "crashes": 1,
    "seed": "suite", "minutes": 19,
}  # fmt: skip


def play(**asked: Any) -> dict[str, Any]:
    report = drill(make_world(ASKED | asked), ASKED | asked)
    assert report["difference"] is None
    assert report["crashes"] == 1
    return report


@pytest.mark.django_db(transaction=True)
def test_every_receipt_of_an_opening_follows_from_its_ticks() -> None:
    report = play()  # from a minute before the auction of 09:15 until 09:33
    assert report["market_day"] == 20261102
    assert report["ticks"] > 5_000
    assert report["fills"] > 30
    assert report["fee_rows"] == 3


@pytest.mark.skipif(not RB1910.exists(), reason="rb1910 is not beside the checkout (../shared/data)")
@pytest.mark.django_db(transaction=True)
def test_and_every_receipt_of_a_recorded_one() -> None:
    report = play(recording=str(RB1910), minutes=110)  # it begins at 07:17, trading at 09:00
    assert report["market_day"] == 20190610
    assert report["fills"] > 50
