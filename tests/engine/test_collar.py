"""The rulebook says how far from the touch a market order may fill."""

from __future__ import annotations

import msgspec
import pytest

from tests.engine.pit import A_SHARE, ALICE, PLAIN, Pit, fills


@pytest.mark.parametrize(("collar_ppb", "collar"), [(50_000_000, 1050), (20_000_000, 1020), (1, 1001)])
def test_alice_pays_at_most_the_rulebooks_collar(collar_ppb: int, collar: int):
    pit = Pit(msgspec.structs.replace(PLAIN, collar_ppb=collar_ppb))
    pit.open(ALICE)
    pit.quote(asks=((1000, 10), (collar, 10), (collar + 1, 10)))
    order = pit.buy(ALICE, 30)
    assert fills(pit.events) == [(1000, 10), (collar, 10)]
    assert (order.receipt["collar"], order.reason) == (collar, "NO_MORE_DEPTH")


def test_a_cage_binds_before_the_collar():
    pit = Pit(msgspec.structs.replace(A_SHARE, collar_ppb=90_000_000), previous_close=10_00)
    pit.open(ALICE)
    pit.quote(asks=((10_00, 100),))
    assert pit.buy(ALICE, 100).receipt["collar"] == 10_20
