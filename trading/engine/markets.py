"""One instrument in memory: its rules, what the market shows of it, and the players' book in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from market.book import Book, BookSide
from market.rulebook.rules import PERMITS, InstrumentRules, Permit, Phase
from market.ticks import Level, Quote, Reference
from simgame.kernel.money import INT64_MAX
from trading.engine import fees, margin, prices
from trading.engine.fees import FeeLines
from trading.engine.line import Line
from trading.engine.orders import Order, by_priority

if TYPE_CHECKING:
    from trading.engine.state import Portfolio

NEVER_FRESH = -1
AUCTIONS = frozenset((Phase.AUCTION.value, Phase.AUCTION_LOCKED.value))
AFTER_HOURS = frozenset((Phase.AFTER_HOURS_QUIET.value, Phase.AFTER_HOURS.value))
PHASE_UNKNOWN = Permit(enter=False, cancel=True, match=False)
NS_PER_MS = 1_000_000


class Side:
    """One side of a market: the players' book, and what the market displays."""

    __slots__ = ("bids", "book", "lines", "shown", "sizes", "taken")

    def __init__(self, *, bids: bool) -> None:
        self.bids = bids
        self.book: BookSide[Order] = BookSide(buys=bids)
        self.lines: dict[int, Line] = {}  # by price, where players rest
        self.shown: tuple[Level, ...] = ()  # displayed levels, best first
        self.sizes: dict[int, int] = {}  # displayed size by price
        self.taken: dict[int, int] = {}  # price → how much of the displayed size players took

    def show(self, levels: tuple[Level, ...]) -> None:
        self.shown = levels
        self.sizes = dict(levels)

    def add(self, order: Order, ahead: int) -> None:
        """Into the book, behind all players at its price and behind `ahead` of what is displayed."""
        line = self.lines.get(order.price)
        if line is None:
            line = self.lines[order.price] = Line()
        self.book.add(order)
        order.stand(line, ahead)

    def remove(self, order: Order) -> None:
        """Out of the book; what stood before it is what it says from now on."""
        order.queue_ahead = order.queue_ahead
        self.book.remove(order)
        if not self.book.at(order.price):
            del self.lines[order.price]

    def left_at(self, price: int) -> int:
        """Displayed size at a price that no player has taken; 0 when the price is not displayed."""
        size = self.sizes.get(price, 0)
        return max(size - self.taken.get(price, 0), 0) if size else 0

    def best(self) -> tuple[int, int] | None:
        """The best price, displayed or a player's, and the displayed size left there."""
        booked = self.book.best
        if not self.shown:
            return None if booked is None else (booked, 0)
        price, size = best = self.shown[0]
        if booked is not None and (booked > price if self.bids else booked < price):
            return booked, 0
        if not self.taken:
            return best
        return price, max(size - self.taken.get(price, 0), 0)

    def beyond(self, price: int) -> tuple[int, int] | None:
        """The best level, as `best` says it, when an order with this limit does not reach it."""
        level = self.shown[0] if self.shown else None
        if self.book.best is not None:
            level = self.best()
        if level is None or (level[0] >= price if self.bids else level[0] <= price):
            return None
        return self.best() if self.taken else level


class Trigger:
    """An armed stop. A buy's waits above the market like an ask, a sell's below it like a bid."""

    __slots__ = ("id", "order", "price")

    def __init__(self, order: Order, price: int) -> None:
        self.id = order.id
        self.order = order
        self.price = price


class Market:
    __slots__ = (
        "_cage_of_buys", "_cage_of_sells", "_fees", "_looked_at", "_looked_at_ns", "_round_by", "_times",
        "aside", "asks", "bids", "buy_fees", "fresh_until_ns", "halt_reason", "halted", "has_opened",
        "holders", "in_auction", "is_contract", "last_price", "limits", "parts_today", "permit", "phase",
        "quote", "reference", "rules", "sell_fees", "stops", "symbol", "tells_roles", "trailing",
        "unsettled", "waiting", "worth_max",
    )  # fmt: skip

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.rules: InstrumentRules | None = None
        self.buy_fees = self.sell_fees = FeeLines(())  # what an order must be able to pay
        self.tells_roles = False  # makers and takers pay differently
        self.quote: Quote | None = None
        self.fresh_until_ns = NEVER_FRESH  # engine time up to which its quote may be traded on
        self.bids = Side(bids=True)
        self.asks = Side(bids=False)
        self.reference: Reference | None = None
        self.limits: tuple[int, int] = (0, 0)  # the day's band, 0 where there is none
        self.last_price = 0
        self.halted = False
        self.halt_reason = ""
        self.holders: dict[int, Portfolio] = {}  # margin portfolios with a position in it
        self.is_contract = False
        self.parts_today = False  # closing today's lots is another thing than closing yesterday's
        self.unsettled = False  # a contract whose settlement price of yesterday has not come yet
        self._fees: dict[tuple[str, bool, str], FeeLines] = {}  # by effect, side and role
        self.waiting: dict[str, Order] = {}  # in the book, but came when nothing could match
        self.aside: dict[str, Order] = {}  # open, but not in the book: untriggered stops, auction-only
        self.stops: dict[str, Book[Trigger]] = {}  # what fires them ("print", "quote") → armed stops
        self.trailing: dict[str, Order] = {}  # those of them whose stop follows the market
        self.phase = ""  # its own: boards of one venue differ
        self.permit = PHASE_UNKNOWN
        self.in_auction = False  # orders are collected, and matched when the phase ends
        self.has_opened = False  # continuous trading has begun on this market day
        self._cage_of_buys = self._cage_of_sells = 0  # 0: not computed since the quote came
        self._looked_at: dict[str, Any] | None = None  # the quote as receipts tell it
        self._looked_at_ns = 0
        self._times = self._round_by = 1  # price x qty x times / round_by = minor units
        self.worth_max = INT64_MAX  # the most that price x qty may be: worth more, no row could hold it

    def set_rules(self, rules: InstrumentRules) -> None:
        self.rules = rules
        self.buy_fees = fees.dearest_for(rules, "buy", "open")
        self.sell_fees = fees.dearest_for(rules, "sell", "close")
        self.tells_roles = any(line.role for line in rules.fees)
        self._fees = {}
        self.parts_today = rules.is_contract and (
            rules.close_today_apart or any(line.effect == "close_today" for line in rules.fees)
        )
        self.is_contract = rules.is_contract
        self._times, self._round_by = prices.worth_factors(rules)
        self.worth_max = INT64_MAX * self._round_by // self._times
        self._set_limits()
        self._set_freshness()

    def phase_at(self, phase: str, span: str) -> str:
        """Its own phase when the venue's is `phase`, in the part `span` of the venue's day."""
        if self.rules is None or phase == Phase.PAUSED:
            return phase
        return self.rules.phases.get(span, phase)

    def set_phase(self, phase: str, *, paused: bool) -> None:
        """`phase`: its own, see `phase_at`. A pause lets orders in and out, and matches nothing."""
        self.phase = Phase.PAUSED.value if paused else phase
        self.in_auction = phase in AUCTIONS
        self.has_opened = self.has_opened or phase == Phase.CONTINUOUS
        stated = self.rules.permits.get(phase) if self.rules else None
        permit = stated or PERMITS.get(phase, PHASE_UNKNOWN)
        self.permit = Permit(enter=permit.enter, cancel=permit.cancel, match=permit.match and not paused)

    def set_reference(self, reference: Reference) -> None:
        self.reference = reference
        if reference.last:
            self.last_price = reference.last
        self._set_limits()

    def set_quote(self, quote: Quote) -> None:
        self.quote = quote
        self.bids.show(quote.bids)
        self.asks.show(quote.asks)
        self._set_freshness()

    def _set_freshness(self) -> None:
        self._looked_at = None
        self._cage_of_buys = self._cage_of_sells = 0
        if self.unsettled:
            self.fresh_until_ns = NEVER_FRESH
        elif self.quote is not None and self.rules is not None:
            self.fresh_until_ns = self.quote.received_ns + self.rules.quote_age_ns_max

    def refresh(self) -> None:
        """After `unsettled` has changed."""
        self._set_freshness()

    def _set_limits(self) -> None:
        """The limits the day's reference states; else the rule's band around the previous close."""
        rules, day = self.rules, self.reference
        if day is None or rules is None:
            self.limits = (0, 0)
        elif day.limit_low or day.limit_high or not (rules.band_ppb and day.previous_close):
            self.limits = (day.limit_low, day.limit_high)
        else:
            self.limits = prices.band(
                day.previous_close, rules.band_ppb, rules.tick, rules.band_down_ppb or rules.band_ppb
            )

    def is_fresh(self, at_ns: int) -> bool:
        """Whether its quote is young enough to trade on."""
        return at_ns <= self.fresh_until_ns

    def side(self, *, buys: bool) -> Side:
        """The side where an order rests."""
        return self.bids if buys else self.asks

    def orders(self) -> list[Order]:
        """Every live order: the book, bids first, each side in order of priority; then those aside."""
        return [*self.bids.book, *self.asks.book, *sorted(self.aside.values(), key=by_priority)]

    def arm(self, order: Order) -> None:
        """From now on the market's price may fire the order's stop."""
        terms = order.terms
        assert terms is not None
        assert terms.stop_price is not None
        order.trigger = Trigger(order, terms.stop_price)
        self.stops.setdefault(terms.fired_by, Book()).side(buys=not order.buys).add(order.trigger)
        if terms.hwm is not None:
            self.trailing[order.id] = order

    def disarm(self, order: Order) -> None:
        """Its stop waits for nothing any more."""
        if order.trigger is not None and order.terms is not None:
            self.stops[order.terms.fired_by].side(buys=not order.buys).remove(order.trigger)
            self.trailing.pop(order.id, None)
            order.trigger = None

    def cage(self, at_ns: int, *, buys: bool) -> int:
        """The worst price the venue's cage lets in now; 0 where there is none.

        A buy is measured from the best ask, else the best bid, else the last trade, else the previous
        close; a sell the other way round. Source: SSE trading rules 3.3.13 (2023).
        """
        rules = self.rules
        if rules is None or not rules.cage_ppb:
            return 0
        if at_ns <= self.fresh_until_ns:
            cage = self._cage_of_buys if buys else self._cage_of_sells
            if cage:
                return cage
            near, far = (self.asks, self.bids) if buys else (self.bids, self.asks)
            if levels := near.shown or far.shown:
                cage = prices.distant(levels[0][0], rules.cage_ppb, rules.tick, rules.cage_ticks, above=buys)
                if buys:
                    self._cage_of_buys = cage
                else:
                    self._cage_of_sells = cage
                return cage
        base = self.base_price()
        if not base:
            return 0
        return prices.distant(base, rules.cage_ppb, rules.tick, rules.cage_ticks, above=buys)

    def looked_at(self, at_ns: int) -> dict[str, Any] | None:
        """Which quote is looked at, its best levels, and how old it is: for receipts."""
        now = self.quote
        if now is None:
            return None
        if self._looked_at is not None and self._looked_at_ns == at_ns:
            return self._looked_at
        if self._looked_at is None:
            self._looked_at = {
                "source": now.source,
                "seq": now.seq,
                "epoch": now.source_epoch,
                "source_seq": now.source_seq,
                "at": now.at_ns,
                "age_ms": 0,
                "age_ms_max": self.rules.quote_age_ns_max // NS_PER_MS if self.rules else 0,
                "made": now.made,
                "bid": list(now.bids[0]) if now.bids else None,
                "ask": list(now.asks[0]) if now.asks else None,
            }
        self._looked_at_ns = at_ns
        self._looked_at = self._looked_at.copy()  # earlier receipts keep theirs
        self._looked_at["age_ms"] = (at_ns - now.received_ns) // NS_PER_MS
        return self._looked_at

    def collar(self, base: int, *, buys: bool) -> int:
        """The worst price of an order without a limit that meets `base`."""
        assert self.rules is not None
        return prices.collar(self.rules, base, self.limits, buys=buys)

    def base_price(self) -> int:
        """What the day's prices are measured from when nobody asks the quote: the last trade, else the
        previous close; 0 when there is neither.
        """
        return self.last_price or (self.reference.previous_close if self.reference else 0)

    def lots_for(self, notional: int, price: int) -> int:
        """The most whole lots that `notional` minor units pay for at `price`, fees aside."""
        if self.rules is None or price <= 0:
            return 0
        return notional * self._round_by // (price * self._times) // self.rules.lot * self.rules.lot

    def worth(self, price: int, qty: int) -> int:
        """price x qty in minor units, rounded down: what a fill moves."""
        return price * qty * self._times // self._round_by

    def worth_at_most(self, price: int, qty: int) -> int:
        """price x qty in minor units, rounded up: what a reservation holds."""
        return -(-price * qty * self._times // self._round_by)

    def reservation(self, price: int, leaves: int, filled_cash: int, filled_qty: int) -> int:
        """Cash a buy holds back for what it may still take: worst price, and the fees on it.

        R = ceil(leaves x price) + F(filled + that) - F(filled), so that no fill can lack money.
        """
        hold = -(-price * leaves * self._times // self._round_by)
        total = self.buy_fees.total
        if not filled_cash:
            return hold + total(hold, filled_qty + leaves)
        asked = total(filled_cash + hold, filled_qty + leaves)
        return hold + asked - total(filled_cash, filled_qty)

    def hold_of(self, order: Order) -> int:
        """Cash that an open order holds back: `reservation` of a buy, in margin portfolios margin.hold."""
        if order.effect:
            return margin.hold_of(order)
        if not order.buys:
            return 0
        return self.reservation(order.price, order.leaves, order.filled_cash, order.filled_qty)

    def fees(self, effect: str, *, buys: bool) -> FeeLines:
        """The fee lines of a margin portfolio's order: what it must be able to pay."""
        found = self._fees.get((effect, buys, ""))
        if found is None:
            assert self.rules is not None
            found = fees.dearest_for(self.rules, "buy" if buys else "sell", effect)
            self._fees[effect, buys, ""] = found
        return found

    def fees_as(self, role: str, effect: str, *, buys: bool) -> FeeLines:
        """The fee lines of a fill where makers and takers pay differently. `effect`: "" as a cash order."""
        found = self._fees.get((effect, buys, role))
        if found is None:
            assert self.rules is not None
            done = effect or ("open" if buys else "close")
            found = fees.lines_for(self.rules, "buy" if buys else "sell", done, role)
            self._fees[effect, buys, role] = found
        return found

    @property
    def currency(self) -> str:
        return self.rules.currency if self.rules else ""

    def mark(self) -> int:
        """What a holding is worth now: the last trade, else the middle of the best quotes rounded down,
        else the one side there is, else the previous close; 0 when nothing is known.
        """
        if self.last_price:
            return self.last_price
        best = [side.shown[0][0] for side in (self.bids, self.asks) if side.shown]
        return sum(best) // len(best) if best else self.base_price()

    def margin_price(self) -> int:
        """The price that margin is asked of: a contract's last settlement price, a security's mark."""
        if self.rules is None or not self.rules.is_contract or self.reference is None:
            return self.mark()
        return self.reference.settlement or self.reference.previous_close or self.mark()
