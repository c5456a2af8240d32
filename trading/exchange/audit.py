"""What a batch must leave behind, asserted before it is written. Pure.

The engine keeps balances; here they are counted again from nothing but the rows that are about to be
written: what is held of an asset is what it was and the transfers since, what is held back is what the open
orders hold. Zero tolerance: a batch that does not add up is not written, and the life that made it ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from trading.engine.events import OrderRow
from trading.engine.invariants import Breach, of_orders
from trading.engine.state import State
from trading.exchange.batch import Batch

Holding = tuple[int, str]  # account or portfolio, and asset or symbol


class Audit:
    """Costs a few microseconds an order, however many orders and portfolios there are."""

    def __init__(self, state: State):
        self.state = state
        self._posted = {key: balance.posted for key, balance in state.balances.items() if balance.posted}
        self._holds: dict[str, tuple[int, int]] = {}  # order: cash and quantity held back
        self._cash: dict[int, int] = {}  # portfolio: held back by its open orders
        self._offered: dict[Holding, int] = {}
        for order in state.orders.values():
            self._hold(
                order.id, order.portfolio.id, order.market.symbol, order.reserved_cash, order.reserved_qty
            )

    def breaches(self, batch: Batch) -> list[Breach]:
        """What the batch would break; call it once for each batch, in order, with nothing applied beyond."""
        for row in batch.orders.values():
            self._follow(row)
        return [*self._ledger(batch), *self._held_back(batch), *of_orders(self.state, batch.orders)]

    def _follow(self, row: OrderRow) -> None:
        self._hold(row.id, row.portfolio, row.symbol, row.reserved_cash, row.reserved_qty)

    def _hold(self, order: str, portfolio: int, symbol: str, cash: int, qty: int) -> None:
        cash_before, qty_before = self._holds.get(order, (0, 0))
        if cash or qty:
            self._holds[order] = cash, qty
        else:
            self._holds.pop(order, None)
        if cash != cash_before:
            self._cash[portfolio] = self._cash.get(portfolio, 0) + cash - cash_before
        if qty != qty_before:
            key = portfolio, symbol
            self._offered[key] = self._offered.get(key, 0) + qty - qty_before

    def _ledger(self, batch: Batch) -> Iterator[Breach]:
        """I3: each balance is the fold of its transfers, and every account that was moved is written."""
        posted, balances = self._posted, batch.balances
        for _, row in batch.transfers:
            debit, credit = (row.debit, row.asset), (row.credit, row.asset)
            posted[debit] = posted.get(debit, 0) - row.amount
            posted[credit] = posted.get(credit, 0) + row.amount
            if debit not in balances or credit not in balances:
                facts = {"debit_account": row.debit, "credit_account": row.credit, "asset": row.asset}
                yield Breach("I3", f"transfer {row.n}", facts)
        for key, balance in balances.items():
            if posted.get(key, 0) != balance.posted:
                facts = {"asset": key[1], "posted": balance.posted, "folded": posted.get(key, 0)}
                yield Breach("I3", f"account {key[0]}", facts)

    def _held_back(self, batch: Batch) -> Iterator[Breach]:
        """I4, I4s: what is held back, of cash and of holdings, is what the open orders hold."""
        for number in {account for account, _ in batch.balances if account > 0}:
            reserved, orders = self.state.portfolios[number].cash.reserved, self._cash.get(number, 0)
            if reserved != orders:
                yield Breach("I4", f"portfolio {number}", {"reserved": reserved, "orders": orders})
        for key, row in batch.positions.items():
            if row.reserved != self._offered.get(key, 0):
                facts = {"reserved": row.reserved, "orders": self._offered.get(key, 0)}
                yield Breach("I4s", f"portfolio {key[0]} {key[1]}", facts)
