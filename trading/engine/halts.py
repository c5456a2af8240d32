"""An operator or the venue's own rule halts an instrument, and lets it go on."""

from __future__ import annotations

from trading.engine import at_close, receipts
from trading.engine.commands import Halt
from trading.engine.entry import refuse
from trading.engine.events import Notice
from trading.engine.matching import resume_matching
from trading.engine.orders import HALT, RESUME, RESUME_PART_FILLED
from trading.engine.refusals import Refusal, halts_row
from trading.engine.turn import Turn


def halt(turn: Turn, command: Halt) -> None:
    """Open orders are suspended with what they reserve, or taken up again. Twice is as good as once."""
    market = turn.state.markets.get(command.symbol)
    if market is None or market.rules is None:
        symbol = command.symbol
        refuse(
            turn, Refusal("UNKNOWN_SYMBOL", f"There is no instrument {symbol!r} here.", {"symbol": symbol})
        )
        return
    if market.halted == command.halted:
        return

    # From here it must succeed.
    market.halted = command.halted
    market.halt_reason = command.reason if command.halted else ""
    why = receipts.rule("halt", command.reason or "By the operator.", halts_row(market))
    told: dict[int, None] = {}
    for order in market.orders():
        event = HALT if command.halted else RESUME_PART_FILLED if order.filled_qty else RESUME
        more = {"waits": order.waits} if order.waits else {}
        turn.change(order, event, receipts.order("rested", order, turn.at_ns, why, **more))
        told[order.portfolio.id] = None
    code, word = ("HALTED", "halted") if command.halted else ("RESUMED", "resumed")
    facts = {"symbol": command.symbol, "reason": command.reason}
    because = f": {command.reason}" if command.reason else "."
    for portfolio in told:
        turn.events.append(Notice(portfolio, code, f"Trading in {command.symbol} is {word}{because}", facts))
    if not command.halted:
        resume_matching(turn, market)
        at_close.begin(turn, market)
