"""What an attack is, and what it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ops.attack.stage import Stage

BREACHES_SHOWN = 20
LIMIT_S = 180.0


@dataclass
class Tally:
    """`tried` counts what was asked; a breach is a sentence about something that must not happen."""

    tried: int = 0
    breaches: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def expect(self, holds: bool, breach: str) -> None:
        self.tried += 1
        if not holds and len(self.breaches) < BREACHES_SHOWN:
            self.breaches.append(breach[:600])


class Attack(NamedTuple):
    number: str  # S1 … S27
    claim: str
    run: Callable[[Stage, Tally], Awaitable[None]]
    limit_s: float = LIMIT_S  # what is not done by then is not done: the attack has not passed


ATTACKS: dict[str, Attack] = {}


def attack(number: str, claim: str, limit_s: float = LIMIT_S) -> Callable[..., Any]:
    """Registers a coroutine function under its number."""

    def register(run: Callable[[Stage, Tally], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        ATTACKS[number] = Attack(number, claim, run, limit_s)
        return run

    return register
