"""The crowd through engine and PostgreSQL: a short run of what `manage.py drill books` does for hours."""

from __future__ import annotations

import pytest

from ops.drills.books import drill, make_world

COMMANDS = 1_500  # 500,000 in docs/performance.md


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("on_margin", [False, True], ids=["cash", "margin"])
def test_the_crowd_leaves_true_books_and_receipts(on_margin: bool) -> None:
    report = drill(make_world(on_margin=on_margin), "suite", COMMANDS, 10, on_margin=on_margin)
    assert report["difference"] is None
    assert report["crashes"] > 0
    assert report["checks"] > 2
    assert report["fills"] > 100
