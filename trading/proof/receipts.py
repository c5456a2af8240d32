"""Is each stored receipt what the stored ticks and rules make of it? To the last minor unit.

`Judge.fill` takes a stored fill as it stands in its table and yields everything about it that is not so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from market.rulebook.rules import FeeRule
from trading.engine.events import OrderRow
from trading.proof.evidence import Evidence, Facts, charged, charged_alone, lines_of
from trading.proof.naive import Resting

Wrong = tuple[str, Any, Any]  # what of it, stored, recomputed
Made = tuple[str, int, int]  # order, price, quantity
TAKEN = ("limit_price", "collar", "margin")  # rules of those who take
FEE_FACTS = ("name", "base", "charged", "rate_ppb", "least", "amount", "row")


class Judge:
    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.printed: list[Made] | None = None  # fills that the print, or the auction, must still make
        self.auctioned: dict[str, list[Made]] = {}

    def begin(self) -> None:
        """A command begins."""
        self.printed = None
        self.auctioned = {}

    def go_through_lines(self) -> None:
        """What the print makes, before anything that follows from it: stops that it fires come later."""
        tick = self.evidence.print
        if tick is not None and self.printed is None and self.evidence.can_fill(tick):
            self.printed = walk_print(self.evidence)

    def end(self) -> Iterator[Wrong]:
        """It ended: nothing is missing that the print or an auction had to make."""
        for due in (*(self.printed or ()), *(one for made in self.auctioned.values() for one in made)):
            yield "fill (order, price, quantity)", None, due

    def fill(self, row: Facts, worst: int) -> Iterator[Wrong]:
        """`worst`: the worst price that the order may trade at."""
        receipt, evidence = row["receipt"], self.evidence
        if evidence.rules.get(row["symbol"]) is None:
            yield "rules", row["symbol"], "no rules were told"
            return
        yield from self._seen(row, receipt)
        if "auction" in receipt:
            yield from self._by_auction(row, receipt["auction"])
        elif "print" in receipt:
            yield from self._by_print(row)
        elif receipt["rule"]["name"] == "resting_price":
            yield from self._by_quote(row)
        elif receipt["rule"]["name"] in TAKEN and row["id"] == row["match"]:
            yield from self._taken(row)
        elif receipt["rule"]["name"] in TAKEN:
            yield from self._given(row)
        if row["price"] > worst if row["side"] == "buy" else row["price"] < worst:
            yield "price", row["price"], f"no worse than {worst}"
        yield from self._money(row, receipt)

    def _seen(self, row: Facts, receipt: Facts) -> Iterator[Wrong]:
        """The quote and the print that it names are those that stood at that moment."""
        evidence = self.evidence
        yield from _same_facts("quote", receipt.get("quote"), evidence.quote_facts(row["symbol"]))
        quote = receipt.get("quote")
        if quote and quote["age_ms"] > quote["age_ms_max"]:
            yield "quote.age_ms", quote["age_ms"], f"at most {quote['age_ms_max']}"
        if "print" in receipt:
            yield from _same_facts("print", receipt["print"], evidence.print_facts())

    def _by_print(self, row: Facts) -> Iterator[Wrong]:
        """The whole print at once: its fills must come in the order, and in the sizes, of the lines."""
        due = self.printed.pop(0) if self.printed else None
        made = (row["order_id"], row["price"], row["qty"])
        yield from _same("order, price, quantity", made, due)

    def _by_auction(self, row: Facts, told: Facts) -> Iterator[Wrong]:
        evidence, symbol = self.evidence, row["symbol"]
        yield from _same("price", row["price"], told["price"])
        if symbol not in self.auctioned:
            self.auctioned[symbol] = walk_auction(evidence, symbol)
        due = self.auctioned[symbol].pop(0) if self.auctioned[symbol] else None
        yield from _same("order, price, quantity", (row["order_id"], row["price"], row["qty"]), due)

    def _by_quote(self, row: Facts) -> Iterator[Wrong]:
        """Displayed size of the other side that reached it, at its own price, in its turn."""
        evidence, buys = self.evidence, row["side"] == "buy"
        line = evidence.line(row["symbol"], buys)
        first = next((o for o in line if o.leaves), None)
        yield from _same("first in line", row["order_id"], first.id if first else None)
        if first is not None:
            yield from _same("price", row["price"], first.price)
        yield from self._levels(row, not buys)
        self._fold(row)

    def _taken(self, row: Facts) -> Iterator[Wrong]:
        """Best price first: nothing better was left, and what was there was that much."""
        evidence, receipt, buys = self.evidence, row["receipt"], row["side"] == "buy"
        level = receipt["levels"][0] if receipt["levels"] else {}
        yield from _same("levels.price", level.get("price"), row["price"])
        yield from _same("levels.taken", level.get("taken"), row["qty"])
        for price, size, whose in evidence.offers(row["symbol"], not buys):
            here = (price, "market" if whose is None else "player")
            yield from _same("best price, against", (row["price"], row["against"]), here)
            if whose is not None:
                yield from _same("levels.size", level.get("size"), whose.leaves)
            elif row["qty"] > size:
                yield "qty", row["qty"], f"{size} stood first in line"
            break
        if row["against"] == "market":
            yield from self._levels(row, not buys)

    def _given(self, row: Facts) -> Iterator[Wrong]:
        """The other side of a match of players: the one who rested, first in line, at its own price."""
        resting = self.evidence.orders.get(row["order_id"])
        if resting is None:
            yield "order", row["order_id"], "it stood in no book"
            return
        yield from _same("price", row["price"], resting.price)
        self._fold(row)

    def _levels(self, row: Facts, bids: bool) -> Iterator[Wrong]:
        """Displayed size that the fill used: as much as was left there, and now it is gone."""
        evidence, symbol = self.evidence, row["symbol"]
        levels = row["receipt"]["levels"]
        yield from _same("levels.taken", sum(level["taken"] for level in levels), row["qty"])
        for level in levels:
            price = level["price"]
            yield from _same("levels.size", level["size"], evidence.side(symbol, bids).left(price))
            if level["price"] > row["price"] if not bids else level["price"] < row["price"]:
                yield "levels.price", price, f"reaching {row['price']}"
            evidence.use(symbol, bids, price, level["taken"])

    def _fold(self, row: Facts) -> None:
        o = self.evidence.orders.get(row["order_id"])
        if o is not None:
            o.filled += row["qty"]

    def _money(self, row: Facts, receipt: Facts) -> Iterator[Wrong]:
        evidence, rules = self.evidence, self.evidence.rules[row["symbol"]]
        cash = evidence.worth(row["symbol"], row["price"], row["qty"])[0]
        yield from _same("cash", row["cash"], cash)
        was, had = evidence.sums.get(row["order_id"], (0, 0))
        worth, qty = was + cash, had + row["qty"]
        evidence.sums[row["order_id"]] = (worth, qty)
        buys = row["side"] == "buy"
        effect = receipt.get("effect") or ("open" if buys else "close")
        lines = lines_of(rules, row["side"], effect, _role(row))
        if any(line.role for line in rules.fees):
            worth, before = cash, [0] * len(lines)
            after = charged_alone(lines, cash, row["qty"])
        else:
            before, after = charged(lines, was, had, buys=buys), charged(lines, worth, qty, buys=buys)
        due = [_line(*each, worth) for each in zip(lines, before, after, strict=True)]
        stored = [{name: line.get(name) for name in FEE_FACTS} for line in receipt["fees"]]
        yield from _same("receipt.fees", stored, due)
        named = [[line.name, b - a] for line, a, b in zip(lines, before, after, strict=True)]
        yield from _same("fees", row["fees"], named)
        yield from _same("fee", row["fee"], sum(after) - sum(before))


def walk_print(evidence: Evidence) -> list[Made]:
    """(order, price, quantity) of each fill that the print makes; queues and orders move on."""
    tick = evidence.print
    assert tick is not None
    counted = _Counting(evidence)
    counted.printed(tick)
    return counted.made


def walk_auction(evidence: Evidence, symbol: str) -> list[Made]:
    """The same of an auction: those who waited, and those who came for it only."""
    waiting = [o for o in evidence.orders.values() if o.symbol == symbol and o.waits]
    for_it = [o for o in evidence.beside.values() if o.symbol == symbol and o.tif == evidence.only]
    counted = _Counting(evidence)
    counted.cross(symbol, sorted([*waiting, *for_it], key=lambda o: (o.seq, o.id)), evidence.only)
    return counted.made


class _Counting(Evidence):
    """The same orders and depth; fills are noted, and booked nowhere."""

    def __init__(self, evidence: Evidence) -> None:
        self.__dict__.update(evidence.__dict__)
        self.made: list[Made] = []

    def fill(self, o: Any, price: int, qty: int, role: str = "taker") -> None:
        self.made.append((o.id, price, qty))
        o.filled += qty


def order(row: Facts, sums: tuple[int, int], limits: tuple[int, int], tick: int) -> Iterator[Wrong]:
    """A stored order that has ended: its sums are those of its fills, its refusal follows from its facts.

    `sums`: cash and quantity of its fills; `limits`: of the day, when it ended.
    """
    yield from _same("filled_qty", row["filled_qty"], sums[1])
    yield from _same("filled_cash", row["filled_cash"], sums[0])
    if row["status"] == "rejected":
        yield from _refusal(row, limits, tick)


def rested(row: OrderRow, known: Resting | None, evidence: Evidence) -> Iterator[Wrong]:
    """An order that came to rest: nothing it could take was left, and its queue is what was displayed."""
    stands, receipt = evidence.orders.get(row.id), row.receipt
    if stands is None or stands.waits or receipt.get("rule", {}).get("name") != "limit_price":
        return
    if known is not None and known.seq == stands.seq and not known.waits:
        return  # it stood there before
    left = evidence.side(row.symbol, stands.buys).left(stands.price)
    yield from _same("queue_ahead", row.queue_ahead, left)
    other = evidence.side(row.symbol, not stands.buys)
    within = [p for p, _ in other.levels if (p <= stands.price if stands.buys else p >= stands.price)]
    over = [price for price in within if other.left(price)]
    if over:
        yield "rests", stands.price, f"{over} was still displayed"


def _refusal(row: Facts, limits: tuple[int, int], tick: int) -> Iterator[Wrong]:
    receipt, facts = row["receipt"], row["receipt"].get("facts", {})
    yield from _same("receipt.code", receipt.get("code"), row["reason"])
    price = facts.get("price", row["limit_price"])
    code, name = row["reason"], receipt["rule"]["name"]
    holds = True
    if code == "INSUFFICIENT_CASH" and "needed" in facts and "free" in facts:
        holds = facts["needed"] > facts["free"]
    elif code == "INSUFFICIENT_SELLABLE" and "sellable" in facts and "qty" in facts:
        holds = facts["qty"] > facts["sellable"]
    elif code == "PRICE_OUT_OF_BAND" and name == "band":
        low, high = limits
        yield from _same("band", (facts["limit_low"], facts["limit_high"]), limits)
        holds = price < low or price > high
    elif code == "STALE_ORDER" and "deadline" in facts:
        holds = facts["at"] > facts["deadline"]
    elif code == "BAD_TICK_SIZE" and tick:
        holds = price <= 0 or price % tick != 0
    if not holds:
        yield f"refusal {code}", facts, "its facts do not refuse it"


def _line(line: FeeRule, before: int, after: int, worth: int) -> Facts:
    values = (line.name, worth, before, line.rate_ppb, line.least, after - before, line.row)
    return dict(zip(FEE_FACTS, values, strict=True))


def _role(row: Facts) -> str:
    """Maker, if it rested when it was met: by a tick, or by the order that the match is named after."""
    receipt = row["receipt"]
    if "auction" in receipt or "close" in receipt:
        return "taker"
    rested = receipt["rule"]["name"] == "resting_price" or row["id"] != row["match"]
    return "maker" if rested else "taker"


def _same(what: str, stored: Any, due: Any) -> Iterator[Wrong]:
    if stored != due:
        yield what, stored, due


def _same_facts(what: str, stored: Facts | None, due: Facts | None) -> Iterator[Wrong]:
    for name in due or {}:
        if (stored or {}).get(name) != (due or {})[name]:
            yield f"{what}.{name}", (stored or {}).get(name), (due or {})[name]
    if due is None and stored is not None:
        yield what, stored, None
