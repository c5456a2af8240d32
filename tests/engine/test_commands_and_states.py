"""Each command meets an order in each state it can be in: what becomes of it, and what the sender hears."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from tests.engine.pit import ALICE, BOB, Pit, codes
from trading.engine.commands import Leg
from trading.engine.state import CLOSED_FORGOTTEN, CLOSED_KEPT_MIN, State

# One letter per status: N new, P partially filled, F filled, C canceled, R rejected, E expired,
# S suspended, H held. After it what the sender hears when nothing changed: l too late, t terminal, h halted.
EXPECTED = """
            new  part  filled  canceled  rejected  expired  suspended  held  armed
cancel       C    C     F/l     C/t       R/t       E/t      C          C     C
replace      N    P     F/l     C/t       R/t       E/t      S/h        H     N
cut          N    F     F/l     C/t       R/t       E/t      S/h        H/u   N
cancel_all   C    C     F       C         R         E        C          C     C
freeze       C    C     F       C         R         E        C          C     C
halt         S    S     F       C         R         E        S          H     S
resume       N    P     F       C         R         E        N          H     N
close        E    E     F       C         R         E        E          E     E
next_day     E    E     F       C         R         E        E          E     E
fill         P    P     F       C         R         E        S          H     N
"""
LETTERS = {
    "N": "new", "P": "partially_filled", "F": "filled", "C": "canceled", "R": "rejected", "E": "expired",
    "S": "suspended", "H": "held",
}  # fmt: skip
HEARS = {"l": "TOO_LATE_TO_CANCEL", "t": "ALREADY_TERMINAL", "h": "HALTED", "u": "UNSUPPORTED"}


def buy(pit: Pit, qty: int = 10) -> None:
    pit.buy(ALICE, qty, 1000, order_id="X")


def part(pit: Pit) -> None:
    buy(pit)
    pit.sell(BOB, 4, 1000)


def filled(pit: Pit) -> None:
    buy(pit)
    pit.sell(BOB, 10, 1000)


def canceled(pit: Pit) -> None:
    buy(pit)
    pit.cancel(ALICE, "X")


def expired(pit: Pit) -> None:
    buy(pit)
    pit.phase("closed")
    pit.phase("continuous")


def suspended(pit: Pit) -> None:
    buy(pit)
    pit.halt()


def held(pit: Pit) -> None:
    legs = {"take_profit": Leg("Y", "Y", 1090), "stop_loss": Leg("X", "X", None, 950)}
    pit.ask(ALICE, "buy", 10, 1000, order_id="E", order_class="bracket", **legs)


def armed(pit: Pit) -> None:
    pit.ask(ALICE, "sell", 10, kind="stop", stop_price=950, order_id="X")


STATES: dict[str, Callable[[Pit], Any]] = {
    "new": buy, "part": part, "filled": filled, "canceled": canceled,
    "rejected": lambda pit: buy(pit, 10**9), "expired": expired, "suspended": suspended, "held": held,
    "armed": armed,
}  # fmt: skip


def changed(pit: Pit, **plain: Any) -> Any:
    row = pit.row("X")
    if row.terms is not None and row.status in ("new", "held"):
        return pit.change_terms(ALICE, "X", **({"stop_price": 940} if "qty" not in plain else plain))
    return pit.replace(ALICE, "X", **plain)


COMMANDS: dict[str, Callable[[Pit], Any]] = {
    "cancel": lambda pit: pit.cancel(ALICE, "X"),
    "replace": lambda pit: changed(pit, limit_price=999),
    "cut": lambda pit: changed(pit, qty=4),
    "cancel_all": lambda pit: pit.cancel_all(ALICE),
    "freeze": lambda pit: pit.freeze(ALICE),
    "halt": lambda pit: pit.halt(),
    "resume": lambda pit: pit.halt(False),
    "close": lambda pit: pit.phase("closed"),
    "next_day": lambda pit: pit.phase("continuous", day=20_261_103),
    "fill": lambda pit: pit.sell(BOB, 1, 1000),
}


def cells() -> dict[tuple[str, str], str]:
    header, *lines = EXPECTED.strip().splitlines()
    rows = [line.split() for line in lines]
    return {
        (row[0], state): cell for row in rows for state, cell in zip(header.split(), row[1:], strict=True)
    }


def test_the_table_is_complete():
    assert set(cells()) == set(product(COMMANDS, STATES))


@pytest.mark.parametrize(("command", "state"), list(product(COMMANDS, STATES)))
def test_each_command_in_each_state(command: str, state: str):
    pit = Pit(previous_close=1000)
    pit.open(ALICE, 100_000_00, holding=50)
    pit.open(BOB, holding=1_000)
    pit.quote(bids=((900, 1),), asks=((1100, 1),))
    STATES[state](pit)
    before = pit.row("X")
    events = COMMANDS[command](pit)
    letter, _, heard = cells()[command, state].partition("/")
    assert pit.row("X").status == LETTERS[letter]
    if heard:
        assert (codes(events), pit.row("X")) == ([HEARS[heard]], before)
    if pit.row("X").status in ("filled", "canceled", "rejected", "expired"):
        assert (pit.row("X").reserved_cash, pit.row("X").reserved_qty) == (0, 0)


def test_of_very_many_ended_orders_the_oldest_are_forgotten():
    state = State(1)
    for n in range(CLOSED_KEPT_MIN + CLOSED_FORGOTTEN):
        state.note_end(f"o{n}", ALICE, "canceled")
    assert len(state.closed) == CLOSED_KEPT_MIN
    assert f"o{CLOSED_FORGOTTEN - 1}" not in state.closed
    assert state.closed[f"o{CLOSED_FORGOTTEN}"] == (ALICE, "canceled")
