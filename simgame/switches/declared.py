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
    "trading.accept_orders": Declared(True, "New orders are accepted. Off: only cancels are (maintenance)."),
    "accounts.registration_open": Declared(True, "New players and guests may join."),
    "realtime.conflate_ms_min": Declared(
        0, "No socket gets conflated frames more often than this, in milliseconds.", most=10_000
    ),
    "feed.paused": Declared(False, "The feed passes no ticks on: quotes age and orders stop filling."),
}
