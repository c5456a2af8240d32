"""The books as the rows tell them, folded again from nothing: what the tables would hold.

It trusts no number of the engine: balances come from transfers, orders from fills, positions from both.
"""

from __future__ import annotations

from typing import Any

from simgame.kernel.money import half_up
from trading.engine.accounts import CLEARING, MINT, system_account
from trading.engine.engine import Engine
from trading.engine.events import BalanceRow, Event, FillRow, OrderRow, PositionRow, TransferRow
from trading.engine.orders import OPEN, TERMINAL
from trading.engine.turn import INTEREST

PPB = 1_000_000_000
CURRENCIES = ("CNY", "USDT", "USD")


class Audit:
    def __init__(self) -> None:
        self.orders: dict[str, OrderRow] = {}
        self.versions: dict[str, int] = {}
        self.fills: dict[str, list[FillRow]] = {}
        self.balances: dict[tuple[int, str], BalanceRow] = {}
        self.positions: dict[tuple[int, str], PositionRow] = {}
        self.folded: dict[tuple[int, str], int] = {}
        self.granted: dict[int, int] = {}
        self.interest: dict[int, int] = {}
        self.receipts: dict[int, Any] = {}  # by fill; of one that takes another back, the other's
        self.fill_n = 0
        self.transfer_n = 0
        self.found: list[str] = []
        self.touched: set[str] = set()

    def expect(self, holds: bool, invariant: str, subject: Any) -> None:
        if not holds:
            self.found.append(f"{invariant}: {subject}")

    def follow(self, events: list[Event]) -> None:
        legs: dict[int, list[TransferRow]] = {}
        matches: dict[int, list[FillRow]] = {}
        self.touched = set()
        for event in events:
            if isinstance(event, OrderRow):
                self._order(event)
            elif isinstance(event, FillRow):
                self._fill(event)
                matches.setdefault(event.match, []).append(event)
            elif isinstance(event, TransferRow):
                self._transfer(event)
                legs.setdefault(event.fill, []).append(event)
            elif isinstance(event, BalanceRow):
                self.balances[event.account, event.asset] = event
            elif isinstance(event, PositionRow):
                self.positions[event.portfolio, event.symbol] = event
        for match in matches.values():
            self._match(match, legs)

    def _order(self, row: OrderRow) -> None:
        before = self.orders.get(row.id)
        self.touched.add(row.id)
        self.expect(before is None or before.status in OPEN, "I13 terminal states absorb", row)
        self.expect(row.version == (before.version if before else 0) + 1, "I13 versions are dense", row)
        if row.status in TERMINAL:
            self.expect(row.reserved_cash == row.reserved_qty == 0, "I5b released at the end", row)
            self.expect(row.closed_ns > 0, "closed", row)
        self.expect((row.status == "filled") == (row.filled_qty == row.qty), "I7 filled means all", row)
        if row.status in ("new", "rejected"):
            self.expect(row.filled_qty == 0, "I7 nothing filled yet", row)
        self.orders[row.id] = row

    def _fill(self, row: FillRow) -> None:
        self.fill_n += 1
        self.receipts[row.n] = self.receipts.get(row.reverses, row.receipt)
        self.expect(row.n == self.fill_n, "I14 fills are dense", row)
        self.expect(row.fee == sum(amount for _, amount in row.fees), "fee lines add up", row)
        if row.reverses:
            return  # ExecType H: the order keeps what it was told
        order = self.orders[row.order_id]
        limit = order.limit_price if order.limit_price is not None else row.receipt["collar"]
        within = row.price <= limit if row.side == "buy" else row.price >= limit
        self.expect(within, "I9 within the limit", row)
        for line in row.receipt["fees"]:
            asked = line["base"] * line["rate_ppb"] + line.get("qty", 0) * line.get("unit_ppb", 0)
            due = max(half_up(asked, PPB), line["least"]) if line["base"] else 0
            due = asked // PPB if "role" in line else due
            due = min(due, line.get("most", due))
            if row.side == "buy":
                self.expect(line["amount"] == due - line["charged"], "I4f receipt recomputes", line)
            self.expect(line["amount"] >= 0, "fees never shrink", line)
        if row.against == "market" and "auction" not in row.receipt:
            taken = sum(level["taken"] for level in row.receipt["levels"])
            printed = row.receipt.get("print")
            self.expect(row.qty <= printed["size"] if printed else row.qty == taken, "levels explain it", row)
        for level in row.receipt["levels"]:
            self.expect(0 < level["taken"] <= level["size"], "taken within shown", row)
        self.fills.setdefault(row.order_id, []).append(row)

    def _transfer(self, row: TransferRow) -> None:
        self.transfer_n += 1
        self.expect(row.n == self.transfer_n, "I14 transfers are dense", row)
        self.expect(row.amount > 0 and row.debit != row.credit, "I1 two accounts, some amount", row)
        for account, amount in ((row.debit, -row.amount), (row.credit, row.amount)):
            key = (account, row.asset)
            self.folded[key] = self.folded.get(key, 0) + amount
        if row.code == INTEREST:
            self.interest[row.debit] = self.interest.get(row.debit, 0) + row.amount
        mint = system_account(1, MINT)
        if row.debit == mint and row.asset in CURRENCIES:
            self.granted[row.credit] = self.granted.get(row.credit, 0) + row.amount
        if row.credit == mint and row.asset in CURRENCIES:
            self.granted[row.debit] = self.granted.get(row.debit, 0) - row.amount

    def _match(self, rows: list[FillRow], legs: dict[int, list[TransferRow]]) -> None:
        """I8: buyer pays cash and fee, seller gets cash less fee; I12: not with oneself."""
        first = rows[0]
        self.expect(len({row.portfolio for row in rows}) == len(rows), "I12 no self-trade", rows)
        self.expect(len(rows) == (2 if first.against == "player" else 1), "I8 two sides", rows)
        self.expect(len({(row.price, row.qty, row.cash) for row in rows}) == 1, "I8 one price", rows)
        for row in rows:
            moved = 0
            for leg in [*legs.get(first.n, []), *(legs.get(row.n, []) if row.n != first.n else [])]:
                if leg.asset in CURRENCIES:
                    moved += (leg.credit == row.portfolio) * leg.amount - (
                        leg.debit == row.portfolio
                    ) * leg.amount
            wanted = -(row.cash + row.fee) if row.side == "buy" else row.cash - row.fee
            told = self.receipts.get(row.reverses, row.receipt)  # taken back: what that was
            if told.get("contract"):  # nothing is paid for it: the result of a close, and the fee
                clearing = system_account(1, CLEARING)
                results = [leg for leg in legs.get(row.n, []) if clearing in (leg.debit, leg.credit)]
                wanted = sum(leg.amount if leg.credit == row.portfolio else -leg.amount for leg in results)
                wanted -= row.fee
                self.expect(not results or told["effect"] != "open", "opening pays nothing", row)
            self.expect(moved == wanted, "I8 legs", (row, moved, wanted))

    def breaches(self, engine: Engine) -> list[str]:
        """What the rows say against what the engine holds."""
        state = engine.state
        for key, balance in state.balances.items():
            self.expect(self.folded.get(key, 0) == balance.posted, "I3 projection", key)
            if balance.posted or balance.reserved or key in self.balances:
                self.expect(self.balances.get(key) == balance.row(), "rows tell the balance", key)
        for order_id in self.touched:
            self._folds(self.orders[order_id])
        open_ones = {row.id for row in self.orders.values() if row.status in OPEN}
        self.expect(open_ones == set(state.orders), "rows tell the open orders", open_ones)
        for portfolio in state.portfolios.values():
            realised = cost = 0
            for symbol, position in portfolio.positions.items():
                self.expect(
                    self.positions.get((portfolio.id, symbol)) == position.row(),
                    "rows tell the position",
                    symbol,
                )
                if position.market.currency not in ("", portfolio.currency):
                    continue  # bought and sold for other money
                realised += position.realised
                cost += 0 if position.is_contract else position.cost
            granted = self.granted.get(portfolio.id, 0) - self.interest.get(portfolio.id, 0)
            self.expect(
                portfolio.cash.posted == granted + realised - cost,
                "I6p cash = granted + realised - cost - interest",
                portfolio.id,
            )
        return self.found

    def _folds(self, order: OrderRow) -> None:
        """I7: an order is the fold of its fills."""
        filled = self.fills.get(order.id, [])
        self.expect(order.filled_qty == sum(f.qty for f in filled), "I7 qty", order)
        self.expect(order.filled_value == sum(f.qty * f.price for f in filled), "I7 value", order)
        self.expect(order.filled_cash == sum(f.cash for f in filled), "I7 cash", order)
        self.expect(order.fees == sum(f.fee for f in filled), "I7 fees", order)
