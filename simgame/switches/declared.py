"""Every switch there is: its meaning and its default. A key that is not here does not exist."""

from __future__ import annotations

from dataclasses import dataclass

Value = bool | int | str


@dataclass(frozen=True)
class Declared:
    """`default` also says the type of the value; `least` and `most` bound a number."""

    default: Value
    meaning: str
    least: int = 0
    most: int = 2**31


SWITCHES: dict[str, Declared] = {
    "trading.accept_orders": Declared(True, "New orders and changes are accepted. Off: only cancels are."),
    "trading.order_rate": Declared(
        0, "Orders a second per portfolio; 0 means the setting SIMGAME_ORDER_RATE.", most=100_000
    ),
    "accounts.registration_open": Declared(True, "New players and guests may join."),
}
