"""A pit for benches: an engine with a deep market in some A-shares under their whole rules, and players."""

from __future__ import annotations

from typing import Any

import msgspec

from market.rulebook.rules import FeeRule, InstrumentRules
from market.ticks import PhaseTick, Quote, Reference
from trading.engine.commands import Command, NewOrder, OpenPortfolio, SetRules
from trading.engine.engine import Engine

DAY, NS, START = 20_261_102, 1_000_000_000, 1_000 * 1_000_000_000
CLOSE, DEPTH = 1_000, 10**12
# The main board on 2026-11-02: 10 % band, 2 % cage or ten ticks, T+1, commission 0.025 % and at least
# 5.00, transfer 0.001 %, stamp 0.05 % of sells.
A_SHARE = InstrumentRules(
    symbol="", asset="", currency="CNY", cash_exponent=2, price_exponent=2, qty_exponent=0, multiplier=1,
    tick=1, lot=100, least_qty=100, odd_lot_sell=True, qty_max=1_000_000, band_ppb=100_000_000,
    cage_ppb=20_000_000, cage_ticks=10, lock_days=1,
    fees=(
        FeeRule("commission", "both", 250_000, 500, "fee.commission"),
        FeeRule("transfer", "both", 10_000, 0, "fee.transfer"),
        FeeRule("stamp", "sell", 500_000, 0, "fee.stamp"),
    ),
    rows={name: f"{name}.main" for name in ("band", "cage", "lot", "lock", "tick")},
)  # fmt: skip


class Pit:
    """An engine with a deep market in some shares, and rich players."""

    def __init__(self, symbols: int = 8, players: int = 64, cash: int = 10**15) -> None:
        self.engine, self.seq, self.at_ns, self.players = Engine(1), 0, START, players
        self.symbols = [f"60{n:04d}" for n in range(symbols)]
        for symbol in self.symbols:
            self.do(SetRules(msgspec.structs.replace(A_SHARE, symbol=symbol, asset=symbol)))
        self.do(PhaseTick(DAY, "continuous", "", 0, self.at_ns, self.at_ns))
        for symbol in self.symbols:
            self.do(Reference(symbol, DAY, CLOSE, 0, 0, self.at_ns, self.at_ns, "bench"))
        self.quotes()
        for player in range(1, players + 1):
            self.do(OpenPortfolio(player, "CNY", cash, f"open{player}"))

    def quotes(self) -> None:
        for n in range(len(self.symbols)):
            self.do(self.quote(n))

    def quote(self, n: int, depth: int = DEPTH) -> Quote:
        """Of the n-th instrument; `depth`: what its best bid shows."""
        bids, asks = ((CLOSE - 1, depth), (CLOSE - 2, DEPTH)), ((CLOSE, DEPTH), (CLOSE + 1, DEPTH))
        symbol, at = self.symbols[n % len(self.symbols)], self.at_ns
        return Quote(symbol, bids, asks, at, at, "bench", seq=self.seq)

    def do(self, command: Command) -> Any:
        self.seq += 1
        return self.engine.apply(command, self.seq, self.at_ns)

    def order(self, n: int, price: int) -> NewOrder:
        """A buy of the n-th player, round by round."""
        who, symbol, order_id = self.who(n), self.symbols[n % len(self.symbols)], f"o{n}"
        return NewOrder(who, order_id, order_id, symbol, "buy", "limit", "day", 100, price, 0)

    def who(self, n: int) -> int:
        return n % self.players + 1
