"""Every switch there is: its meaning and its default. A key that is not here does not exist."""

from __future__ import annotations

from dataclasses import dataclass

Value = bool | int | str


@dataclass(frozen=True)
class Declared:
    """`default` also says the type of the value; `least` and `most` bound a number, or a text's length.

    `per_world`: may also be set for one world alone, as `key@<world>`; that value goes before the key's own.
    """

    default: Value
    meaning: str
    least: int = 0
    most: int = 2**31
    per_world: bool = False


SWITCHES: dict[str, Declared] = {
    "trading.accept_orders": Declared(True, "New orders and changes are accepted. Off: only cancels are."),
    "trading.order_rate": Declared(
        0, "Orders a second per portfolio; 0 means the setting SIMGAME_ORDER_RATE.", most=100_000
    ),
    "feed.throttle": Declared(
        0,
        "Messages a second that a feed takes in; the ingress policy decides about more. 0: no limit.",
        most=1_000_000,
        per_world=True,
    ),
    "feed.paused_sources": Declared(
        "",
        "Sources that do not speak now, by name, blanks between: okx ctp:primary.",
        most=400,
        per_world=True,
    ),
    "feed.paused_symbols": Declared(
        "", "Instruments whose messages do not pass now, blanks between.", most=4_000, per_world=True
    ),
    "feed.depth_off": Declared(False, "Quotes carry the best level of each side only.", per_world=True),
    "feed.conflate_ms": Declared(
        0,
        "Quotes of an instrument pass at most once in so many ms; every trade passes. 0: each quote.",
        most=60_000,
        per_world=True,
    ),
    "stream.conflate_ms": Declared(
        0,
        "No socket gets public frames more often than each so many ms. 0: as each asked.",
        most=10_000,
    ),
    "stream.paused_kinds": Declared(
        "",
        "Public topics that are not sent now, by kind, blanks between: depth trades bars quote board game.",
        most=200,
    ),
    "accounts.registration_open": Declared(True, "New players and guests may join."),
}
