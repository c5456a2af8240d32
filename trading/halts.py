"""Halting an instrument, and letting it go on: orders wait with what they reserve, and may be canceled."""

from __future__ import annotations

import secrets

from accounts import audit
from market.models import World
from simgame.kernel.errors import Invalid
from trading import errors
from trading.engine.commands import Halt
from trading.exchange.client import ask_sync
from trading.exchange.wire import Reply

REASON_MAX = 200


def halt(world: World, symbol: str, reason: str, *, by: int | None) -> Reply:
    """Raises Invalid without a reason, because the players read it; and what the exchange says."""
    if not 0 < len(reason.strip()) <= REASON_MAX:
        raise Invalid(f"Say why, in 1 to {REASON_MAX} characters: the players will read it.")
    return _ask(world, symbol, True, reason.strip(), by)


def resume(world: World, symbol: str, reason: str = "", *, by: int | None) -> Reply:
    return _ask(world, symbol, False, reason.strip()[:REASON_MAX], by)


def _ask(world: World, symbol: str, halted: bool, reason: str, by: int | None) -> Reply:
    reply = ask_sync(world.number, Halt(symbol, halted, reason, secrets.token_hex(8)))
    audit.record(
        by,
        "instrument.halt" if halted else "instrument.resume",
        f"{world.slug} {symbol}",
        reason=reason,
        outcome=reply.outcome,
    )
    if reply.outcome != "executed":
        raise errors.make(reply.code, reply.detail, reply.result.get("facts"))
    return reply
