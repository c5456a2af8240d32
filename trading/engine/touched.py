"""One position that a correction touches: what moves, what it comes to, and how its player is told."""

from __future__ import annotations

from simgame.kernel.money import show, show_trimmed
from trading.engine.commands import Correct, Settlement
from trading.engine.events import Notice
from trading.engine.markets import Market
from trading.engine.state import Position
from trading.engine.turn import Turn


class Touched:
    """`qty` and `cash` are what moving back gives the portfolio, negative when it takes."""

    __slots__ = (
        "cash", "cash_before", "currency", "granted", "market", "may_owe", "missing", "paid", "position",
        "qty", "received", "settlement", "sold",
    )  # fmt: skip

    def __init__(
        self, position: Position, market: Market, settlement: Settlement, cash_before: int, *, may_owe: bool
    ) -> None:
        assert market.rules is not None
        self.may_owe = may_owe  # of this instrument: it may end below nothing
        self.position = position
        self.market = market
        self.settlement = settlement
        self.currency = market.rules.currency
        self.cash_before = cash_before
        self.granted = 0  # of `cash`, what the house had paid and gets back: no result of trading
        self.qty = self.cash = self.missing = self.paid = self.sold = self.received = 0

    @property
    def qty_change(self) -> int:
        return self.qty + self.missing - self.sold

    @property
    def cash_change(self) -> int:
        """Without what the house pays."""
        return self.cash + self.received

    def miss(self) -> None:
        """Shares to give back that are not there any more count as bought at the fair price.

        Where a short position may be: what was covered of one that is no more, as sold. Nothing is paid
        for a contract; what its days would have paid otherwise is.
        """
        one, held = self.settlement, self.position.held.posted
        self.missing = one.missing
        if not self.may_owe:
            self.missing = max(one.missing, -(held + self.qty), 0)
        elif one.cost is None and held * (held + self.qty) < 0:
            self.missing = -(held + self.qty)  # nobody has asked to be on the other side
        if self.position.is_contract:
            self.cash += one.result
            return
        worth = self.market.worth(one.price, abs(self.missing))
        self.paid = worth if self.missing > 0 else -worth
        self.cash -= self.paid

    def sell_back(self, lacks: int) -> int:
        """Of the shares that come back, so many are sold at the fair price that `lacks` is paid."""
        price, most = self.settlement.price, self.qty
        if most <= 0 or not self.market.worth(price, most):
            return 0
        low, high = 0, most
        while low < high:  # the fewest that bring enough
            middle = (low + high) // 2
            if self.market.worth(price, middle) >= lacks:
                high = middle
            else:
                low = middle + 1
        self.sold, self.received = low, self.market.worth(price, low)
        return self.received

    def refold(self) -> None:
        """Cost and result after everything has moved: cash = granted + realised - cost holds as before."""
        position, wanted = self.position, self.settlement.cost
        before = position.cost
        cost = before + self.settlement.cost_change if wanted is None else wanted
        after = position.held.posted
        if self.sold:
            cost -= cost * self.sold // (after + self.sold)
        if after > 0:
            position.cost = max(cost, 0)
        else:
            position.cost = min(cost, 0) if after else 0
        paid = 0 if position.is_contract else position.cost - before  # a contract costs nothing
        position.realised += self.cash_change - self.granted + paid

    def facts(self, house: int) -> dict[str, str]:
        """In decimals, for people."""
        rules = self.market.rules
        assert rules is not None
        found = {
            "symbol": self.position.symbol,
            "qty": show_trimmed(self.qty_change, rules.qty_exponent),
            "cash": show(self.cash_change + house, rules.cash_exponent),
        }
        if self.missing or self.sold:
            found["settled_qty"] = show_trimmed(abs(self.missing) or self.sold, rules.qty_exponent)
            found["settled_price"] = show(self.settlement.price, rules.price_exponent)
        if house:
            found["house"] = show(house, rules.cash_exponent)
        return found


WORDS = {
    "bust": (
        "TRADE_BUSTED",
        "Trades of yours in {symbol} were taken back ({reason}): {qty} shares, {cash} cash.",
    ),
    "reinstate": (
        "TRADE_REINSTATED",
        "Trades of yours in {symbol} count again ({reason}): {qty} shares, {cash} cash.",
    ),
    "action": (
        "ACTION_REVERSED",
        "A corporate action on {symbol} was taken back ({reason}): {qty} shares, {cash} cash.",
    ),
}
SETTLED = " {settled_qty} shares were settled at {settled_price}, the fair price, because they were gone."


def tell(turn: Turn, asked: Correct, touched: list[Touched], short: dict[int, int]) -> None:
    """A notice to everyone whose books it touched, with the amounts."""
    code, words = WORDS[asked.what]
    for each in touched:
        house = short.pop(each.position.portfolio, 0)
        facts = each.facts(house) | {"reason": asked.reason, "correction": asked.client_id}
        text = words.format(**facts) + (SETTLED.format(**facts) if "settled_qty" in facts else "")
        turn.events.append(Notice(each.position.portfolio, code, text, facts))
