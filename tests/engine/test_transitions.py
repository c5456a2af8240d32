"""Every pair of state and event: the listed ones lead where the table says, all others are refused."""

from __future__ import annotations

from itertools import product

import pytest

from tests.engine.pit import ALICE, Pit
from trading.engine import orders
from trading.engine.orders import (
    EVENTS,
    NEXT_STATUS,
    OPEN,
    STATUSES,
    TERMINAL,
    IllegalOrderChange,
)
from trading.engine.turn import Turn

# Written by hand from the order state machine, not from the table it checks. One letter per status:
# N new, P partially filled, F filled, C canceled, R rejected, E expired, S suspended, H held,
# · refused.
EXPECTED = """
                    .  N  P  F  C  R  E  S  H
accept              N  ·  ·  ·  ·  ·  ·  ·  ·
reject              R  ·  ·  ·  ·  ·  ·  ·  ·
fill_part           ·  P  P  ·  ·  ·  ·  ·  ·
fill_rest           ·  F  F  ·  ·  ·  ·  ·  ·
cancel              ·  C  C  ·  ·  ·  ·  C  C
kill                ·  C  C  ·  ·  ·  ·  ·  ·
stop_self_trade     ·  C  C  ·  ·  ·  ·  ·  ·
mass_cancel         ·  C  C  ·  ·  ·  ·  C  C
replace             ·  N  P  ·  ·  ·  ·  ·  H
replace_to_filled   ·  ·  F  ·  ·  ·  ·  ·  ·
expire              ·  E  E  ·  ·  ·  ·  E  E
halt                ·  S  S  ·  ·  ·  ·  ·  ·
resume              ·  ·  ·  ·  ·  ·  ·  N  ·
resume_part_filled  ·  ·  ·  ·  ·  ·  ·  P  ·
restate             ·  N  P  ·  ·  ·  ·  S  H
hold                H  ·  ·  ·  ·  ·  ·  ·  ·
activate            ·  ·  ·  ·  ·  ·  ·  ·  N
trigger             ·  N  ·  ·  ·  ·  ·  ·  N
cancel_linked       ·  C  C  ·  ·  ·  ·  C  C
"""
LETTERS = dict(zip(".NPFCRESH", STATUSES, strict=True))


def expected() -> dict[tuple[str, str], str | None]:
    _, header, *lines = EXPECTED.splitlines()
    cells = {}
    for line in lines:
        event, *letters = line.split()
        for column, letter in zip(header.split(), letters, strict=True):
            cells[LETTERS[column], event] = LETTERS.get(letter)
    return cells


def test_the_expectation_covers_every_pair():
    assert set(expected()) == set(product(STATUSES, EVENTS))


@pytest.mark.parametrize(("status", "event"), list(product(STATUSES, EVENTS)))
def test_every_pair(status: str, event: str):
    wanted = expected()[status, event]
    if wanted is None:
        with pytest.raises(IllegalOrderChange):
            NEXT_STATUS[status, event]
    else:
        assert NEXT_STATUS[status, event] == wanted


ILLEGAL = [pair for pair in product(sorted(OPEN | TERMINAL), EVENTS) if pair not in NEXT_STATUS]


@pytest.mark.parametrize(("status", "event"), ILLEGAL)
def test_an_illegal_change_leaves_the_order_as_it_was(status: str, event: str):
    pit = Pit()
    pit.open(ALICE)
    pit.buy(ALICE, 10, 100)
    order = pit.engine.state.orders["o1"]
    order.status = status
    before = order.row("restated", {}), pit.engine.state_hash()
    turn = Turn(pit.engine.state, 99, 99, pit.at_ns)
    with pytest.raises(IllegalOrderChange):
        turn.change(order, event, {})
    assert (order.row("restated", {}), pit.engine.state_hash()) == before
    assert turn.events == []


def test_every_event_has_its_exec_type():
    assert set(orders.EXEC_TYPE) == set(EVENTS)
