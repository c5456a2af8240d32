"""What the market says: quotes and prints, first to orders that rest, then to stops."""

from __future__ import annotations

from market.ticks import Print, Quote
from trading.engine import at_close, matching, receipts, triggers
from trading.engine.days import note_time
from trading.engine.turn import Turn


def on_quote(turn: Turn, quote: Quote) -> None:
    note_time(turn, quote.at_ns)
    if matching.on_quote(turn, quote):
        triggers.on_quote(turn, turn.state.markets[quote.symbol])


def on_print(turn: Turn, tick: Print) -> None:
    note_time(turn, tick.at_ns)
    market = turn.state.market(tick.symbol)
    if market.holders and tick.price != market.last_price:
        turn.marked = market
    matched = matching.on_print(turn, tick)
    if market.phase == at_close.WAITS and tick.price == market.base_price() and not market.halted:
        at_close.on_print(turn, market, tick)
    if matched and market.stops:
        triggers.on_print(turn, market, tick.price, receipts.trade_print(tick, turn.at_ns))
