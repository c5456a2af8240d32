"""What the stored ticks, rules and fills say, kept by small code of its own: for judging receipts.

Depth and queues are `naive.Books`'; nothing here asks the engine anything.
"""

from __future__ import annotations

from typing import Any

from market.rulebook.rules import PPB, FeeRule, InstrumentRules
from market.ticks import PhaseTick, Print, Quote, Reference
from trading.engine.commands import Halt, Recovered, SetRules
from trading.engine.events import OrderRow
from trading.proof.naive import OPEN, Books, Resting, half_up

NS_PER_MS = 1_000_000
AFTER_THE_CLOSE = ("closed", "after_hours_quiet", "after_hours")
Facts = dict[str, Any]


class Evidence(Books):
    def __init__(self) -> None:
        super().__init__()
        self.span = self.only = ""
        self.beside: dict[str, Resting] = {}  # for their auction only
        self.standing: dict[str, dict[str, Resting]] = {}  # by symbol: `orders` again
        self.told: dict[str, int] = {}  # queue ahead, as its last row told it
        self.limit_of: dict[str, int | None] = {}
        self.print: Print | None = None  # the tick being judged, when it is one
        self.sums: dict[str, tuple[int, int]] = {}  # order → cash and quantity of its fills so far

    def hear(self, said: Any, at_ns: int) -> None:
        """A tick, rules or a restart, before what it caused is judged."""
        self.at = at_ns
        self.print = None
        if isinstance(said, Quote):
            self.show(said)
        elif isinstance(said, Print):
            self.print = said
            self.last[said.symbol] = said.price
        elif isinstance(said, PhaseTick):
            self._tell_phase(said)
        elif isinstance(said, Reference):
            self.close[said.symbol] = said.previous_close
            self.limits[said.symbol] = self._limits(said)
        elif isinstance(said, SetRules):
            self.rules[said.rules.symbol] = said.rules
        elif isinstance(said, Halt):
            (self.halted.add if said.halted else self.halted.discard)(said.symbol)
        elif isinstance(said, Recovered):
            self._begin_anew(said)

    def _tell_phase(self, said: PhaseTick) -> None:
        """Which auction would end with it, too: the closing one is the one after continuous trading."""
        if said.market_day != self.day:
            self.opened = False
        self.only = "cls" if self.opened or said.phase in AFTER_THE_CLOSE else "opg"
        self.opened = self.opened or said.opened or said.phase == "continuous"
        self.phase, self.paused, self.day, self.span = said.phase, said.paused, said.market_day, said.span

    def _limits(self, day: Reference) -> tuple[int, int]:
        rules = self.rules.get(day.symbol)
        stated = day.limit_low or day.limit_high
        if stated or rules is None or not rules.band_ppb or not day.previous_close:
            return day.limit_low, day.limit_high
        close, tick = day.previous_close, rules.tick
        high = half_up(close * (PPB + rules.band_ppb), PPB * tick) * tick
        low = half_up(close * (PPB - (rules.band_down_ppb or rules.band_ppb)), PPB * tick) * tick
        return max(min(low, close - tick), tick), max(high, close + tick)

    def _begin_anew(self, said: Recovered) -> None:
        """Displayed depth, quotes and the day are forgotten with the exchange that knew them."""
        self.quotes.clear()
        self.shown.clear()
        self.last.clear()
        self.close.clear()
        self.limits.clear()
        self.phase, self.day, self.opened = "", 0, False
        self.halted = set(said.halted)
        for o in self.orders.values():
            o.ahead = self.told[o.id]  # a queue is stored with the order's row, and moves on in memory
        self.rules |= {rules.symbol: rules for rules in said.rules}

    def follow(self, row: OrderRow) -> None:
        """An order's state after its command: where it stands in the book, and behind how much."""
        waits = row.receipt.get("waits", "")
        known = self.orders.pop(row.id, None)
        self.standing.setdefault(row.symbol, {}).pop(row.id, None)
        self.beside.pop(row.id, None)
        self.limit_of[row.id] = row.limit_price
        self.told[row.id] = row.queue_ahead
        if row.status not in OPEN:
            del self.limit_of[row.id], self.told[row.id]
            return
        on_its_way = not row.receipt or row.exec_type == "triggered"
        if on_its_way or row.status == "held" or waits in ("stop", "after_hours"):
            return
        price = row.limit_price if row.limit_price is not None else row.receipt.get("collar", 0)
        o = Resting(
            id=row.id, who=row.portfolio, symbol=row.symbol, buys=row.side == "buy", kind=row.type,
            tif=row.time_in_force, qty=row.qty, limit=row.limit_price, price=price, seq=row.priority,
            filled=row.filled_qty, status=row.status, waits=waits,
        )  # fmt: skip
        kept = known is not None and known.seq == o.seq and known.price == o.price and known.waits == waits
        left = self.side(o.symbol, o.buys).left(price)
        o.ahead = known.ahead if kept and known else 0 if waits else min(row.queue_ahead, left)
        if waits == "auction":
            self.beside[o.id] = o
        else:
            self.orders[o.id] = self.standing[row.symbol][o.id] = o

    def line(self, symbol: str, buys: bool) -> list[Resting]:
        """Those who wait for trading to begin arrive one by one when it does."""
        sign = -1 if buys else 1
        here = [
            o
            for o in self.standing.get(symbol, {}).values()
            if o.buys == buys and o.in_book and o.waits not in ("phase", "quote")
        ]
        return sorted(here, key=lambda o: (o.price * sign, o.seq, o.id))

    def matches(self, symbol: str) -> bool:
        rules = self.rules.get(symbol)
        if rules is None or symbol in self.halted or self.paused:
            return False
        phase = rules.phases.get(self.span, self.phase)
        permit = rules.permits.get(phase)
        return (permit.match if permit else phase == "continuous") and self.fresh(symbol)

    def can_fill(self, tick: Print) -> bool:
        """Whether a print is young enough, and comes while orders match."""
        rules = self.rules.get(tick.symbol)
        young = rules is not None and self.at - tick.received_ns <= rules.quote_age_ns_max
        return young and self.matches(tick.symbol)

    # what receipts must say -------------------------------------------------------------------------
    def quote_facts(self, symbol: str) -> Facts | None:
        now = self.quotes.get(symbol)
        if now is None:
            return None
        rules = self.rules.get(symbol)
        return {
            **_tick_facts(now, self.at),
            "age_ms_max": rules.quote_age_ns_max // NS_PER_MS if rules else 0,
            "bid": list(now.bids[0]) if now.bids else None,
            "ask": list(now.asks[0]) if now.asks else None,
        }

    def print_facts(self) -> Facts | None:
        tick = self.print
        if tick is None:
            return None
        return {**_tick_facts(tick, self.at), "price": tick.price, "size": tick.size, "side": tick.side}


def _tick_facts(tick: Quote | Print, at_ns: int) -> Facts:
    return {
        "source": tick.source,
        "seq": tick.seq,
        "epoch": tick.source_epoch,
        "source_seq": tick.source_seq,
        "at": tick.at_ns,
        "age_ms": (at_ns - tick.received_ns) // NS_PER_MS,
        "made": tick.made,
    }


def lines_of(rules: InstrumentRules, side: str, effect: str, role: str) -> list[FeeRule]:
    """The fee lines that a fill of this side must carry."""
    return [
        line
        for line in rules.fees
        if line.side in ("both", side) and line.effect in ("", effect) and line.role in ("", role)
    ]


def charged_alone(lines: list[FeeRule], worth: int, qty: int) -> list[int]:
    """What one fill pays by itself, where makers and takers pay differently: rounded down."""
    left, amounts = worth, []
    for line in lines:
        amounts.append(min((worth * line.rate_ppb + qty * line.unit_ppb) // PPB, left))
        left -= amounts[-1]
    return amounts


def charged(lines: list[FeeRule], worth: int, qty: int, *, buys: bool) -> list[int]:
    """F of each line: of the order's whole value, in minor units. A sell never costs more than it brings."""
    left, amounts = worth, []
    for line in lines:
        amount = half_up(worth * line.rate_ppb + qty * line.unit_ppb, PPB)
        amount = max(amount, line.least) if worth else 0
        amount = min(amount, line.most) if line.most else amount
        amount = amount if buys else min(amount, left)
        left -= amount
        amounts.append(amount)
    return amounts
