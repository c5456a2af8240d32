"""A batch that would break the books is not written; the life that made it ends, and the evidence stays."""

from __future__ import annotations

import pytest

from tests.exchange import planted, street
from trading.engine.events import BalanceRow, TransferRow
from trading.engine.state import State
from trading.exchange.audit import Audit
from trading.exchange.batch import Batch
from trading.exchange.client import ask_sync
from trading.invariants import reconcile
from trading.models import Break, Command, Portfolio

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def traded(exchange, world):
    return planted.trade(world)


def of_alice(running: street.InThread, number: int):
    """Her portfolio in the memory of the exchange."""
    return running.exchange._life.loop.applier.engine.state.portfolios[number]


def refused(world, portfolio: int) -> Break:
    """An order that the exchange cannot vouch for; then it has read its books anew."""
    before = Command.objects.count()
    epoch = street.status(world)["epoch"]
    reply = ask_sync(world.number, street.new_order(portfolio))
    assert (reply.outcome, reply.code) == ("not_executed", "ENGINE_RECOVERING")
    street.wait_for(lambda: street.status(world).get("epoch", 0) > epoch, "the next life")
    street.wait_until_serving(world)
    assert Command.objects.exclude(kind="recovered").count() <= before
    assert ask_sync(world.number, street.new_order(portfolio)).outcome == "executed"
    assert reconcile(world).breaks == 0
    return Break.objects.get()


def test_a_balance_without_its_transfer(traded, world, exchange):
    of_alice(exchange, traded["alice"]).cash.posted += 1
    row = refused(world, traded["alice"])
    assert (row.invariant, row.portfolios) == ("I3", [traded["alice"]])
    assert row.evidence["posted"] == row.evidence["folded"] + 1


def test_cash_held_back_for_no_order(traded, world, exchange):
    of_alice(exchange, traded["alice"]).cash.reserved += 1
    row = refused(world, traded["alice"])
    assert (row.invariant, row.subject) == ("I4", f"portfolio {traded['alice']}")


def test_shares_promised_to_no_order(traded, world, exchange):
    for position in of_alice(exchange, traded["alice"]).positions.values():
        position.held.reserved += 1
    before = street.status(world)["epoch"]
    ask_sync(world.number, street.new_order(traded["alice"], limit_price=1001))  # touches the position
    street.wait_for(lambda: street.status(world).get("epoch", 0) > before, "the next life")
    assert "I4s" in set(Break.objects.values_list("invariant", flat=True))


def test_a_transfer_that_leaves_its_accounts_as_they_were():
    """An account is moved, and its row is not written."""
    audit, batch = Audit(State(1)), Batch(1)
    batch.transfers.append((1, TransferRow(1, 1, -19, 7, "CNY", 500)))
    batch.balances[-19, "CNY"] = BalanceRow(-19, "CNY", -500, 0)
    found = audit.breaches(batch)
    assert [(each.invariant, each.subject) for each in found] == [("I3", "transfer 1")]


def test_whom_the_batch_named_is_frozen(traded, world, exchange):
    of_alice(exchange, traded["alice"]).cash.posted += 1
    row = refused(world, traded["alice"])  # it ends with a run of the checker
    assert (row.reconciliation.kind, bool(row.frozen_at)) == ("batch", True)
    assert Portfolio.objects.get(pk=traded["alice"]).status == "frozen"
    assert ask_sync(world.number, street.new_order(traded["alice"])).code == "ACCOUNT_FROZEN"
