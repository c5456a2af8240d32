"""The checker finds each corruption that somebody plants, and says so with exit code 3."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.utils import DatabaseError

from tests.exchange import street
from trading import invariants
from trading.exchange.client import ask_sync
from trading.models import Break, Order, Portfolio, Reconciliation

pytestmark = pytest.mark.django_db(transaction=True)

PLANTED = {
    "I1": "INSERT INTO trading_transfer (id, seq, code, debit_account, credit_account, asset, amount) "
    "SELECT max(id) + 1, 1, 1, 987654321, {bob}, 'CNY', 5 FROM trading_transfer",
    "I2": "UPDATE trading_balance SET posted = posted + 1 WHERE account = {alice} AND asset = 'CNY'",
    "I3": "UPDATE trading_transfer SET amount = amount + 1 WHERE id = (SELECT min(id) FROM trading_transfer)",
    "I4": "UPDATE trading_balance SET reserved = reserved + 1 WHERE account = {alice} AND asset = 'CNY'",
    "I4s": "UPDATE trading_order SET reserved_qty = 50 WHERE side = 'sell' AND status = 'new'",
    "I4h": "UPDATE trading_order SET reserved_cash = 1 WHERE status = 'held'",
    "I4l": "UPDATE trading_order SET status = 'new' WHERE status = 'held' AND terms ->> 'leg' = 'stop_loss'",
    "I5": "UPDATE trading_balance SET posted = reserved - 1 WHERE account = {bob} AND asset = 'CNY'",
    "I6": "UPDATE trading_fill SET qty = qty + 100 WHERE id = (SELECT min(id) FROM trading_fill)",
    "I6p": "UPDATE trading_position SET qty = qty + 1 WHERE portfolio_id = {alice}",
    "I7": "UPDATE trading_order SET filled_cash = filled_cash + 1 WHERE status = 'filled'",
    "I7o": "UPDATE trading_order SET fees = fees + 1 WHERE status = 'new'",
    "I8": "UPDATE trading_transfer SET amount = amount - 1 WHERE code = 2",
    "I8f": "UPDATE trading_fill SET fee = fee + 1",
    "I9": "UPDATE trading_fill SET price = 1100 WHERE side = 'buy'",
    "I11": "UPDATE trading_order SET limit_price = 1051, receipt = '{{}}' "
    "WHERE side = 'buy' AND status = 'new'",
    "I14": "DELETE FROM trading_command WHERE id = (SELECT min(id) + 1 FROM trading_command)",
    "I14s": "DELETE FROM trading_accountevent WHERE portfolio_id = {alice} AND seq = 2",
    "I14c": "DELETE FROM trading_accountevent WHERE portfolio_id = {alice} AND seq = 3",
    "I15": "UPDATE trading_order SET client_order_id = 'stranger' WHERE status = 'new' AND side = 'buy'",
    "I15l": "UPDATE trading_order SET client_order_id = 'leg-stranger', terms = NULL "
    "WHERE status = 'new' AND side = 'buy'",
    "I16": "UPDATE trading_command SET epoch = 99 WHERE id = (SELECT min(id) FROM trading_command)",
    "I17": "UPDATE trading_command SET at = at + interval '1 day' "
    "WHERE id = (SELECT min(id) FROM trading_command)",
}


@pytest.fixture
def traded(exchange, world):
    """Alice holds shares, offers them, and bids; Bob has cash."""
    alice, bob = (street.open_portfolio(world, name) for name in ("alice", "bob"))
    ask_sync(world.number, street.new_order(alice.id, limit_price=1001))
    ask_sync(world.number, street.new_order(alice.id, side="sell", limit_price=1050))
    ask_sync(world.number, street.new_order(alice.id, symbol=street.SHARES))
    ask_sync(world.number, street.new_order(bob.id))
    profit, loss = street.leg(limit_price=1080), street.leg(stop_price=950)
    legs = {"order_class": "bracket", "take_profit": profit, "stop_loss": loss}
    ask_sync(world.number, street.with_terms(bob.id, symbol=street.PENNY, limit_price=1001, **legs))
    return {"alice": alice.id, "bob": bob.id}


def plant(sql: str) -> None:
    """As a superuser who switches every guard off."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE trading_balance DROP CONSTRAINT IF EXISTS balance_available")
        cursor.execute("ALTER TABLE trading_order DROP CONSTRAINT IF EXISTS order_released")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql)
        assert cursor.rowcount
        cursor.execute("SET session_replication_role = DEFAULT")


@pytest.fixture
def constraints_return(transactional_db):
    yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE trading_balance, trading_order CASCADE")
        cursor.execute(
            "ALTER TABLE trading_balance ADD CONSTRAINT balance_available "
            "CHECK (account < 0 OR posted >= reserved)"
        )
        cursor.execute(
            "ALTER TABLE trading_order ADD CONSTRAINT order_released CHECK (status NOT IN "
            "('filled','canceled','rejected','expired') OR (reserved_cash = 0 AND reserved_qty = 0))"
        )


@pytest.mark.parametrize("invariant", PLANTED)
def test_it_finds_what_was_planted(traded, world, constraints_return, invariant):
    assert invariants.reconcile(world).breaks == 0
    plant(PLANTED[invariant].format(**traded))
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", "--world", world.slug, "--format", "json", stdout=said)
    assert ended.value.code == 3
    report = json.loads(said.getvalue())
    found = {each["invariant"] for each in report["worlds"][0]["found"]}
    assert invariant in found
    assert invariant in set(Break.objects.values_list("invariant", flat=True))


def test_every_invariant_is_planted_or_cannot_be():
    """I3b needs reversals, I12 a match of two players, I14h is the cheap form of I14."""
    assert {query.name for query in invariants.QUERIES} - set(PLANTED) == {"I3b", "I12", "I14h"}


def test_alice_is_frozen_when_her_books_are_in_doubt(traded, world, constraints_return):
    plant(PLANTED["I6p"].format(**traded))
    report = invariants.reconcile(world)
    assert report.frozen == [traded["alice"]]
    street.wait_for(lambda: Portfolio.objects.get(id=traded["alice"]).status == "frozen", "the freeze")
    assert ask_sync(world.number, street.new_order(traded["alice"])).code == "ACCOUNT_FROZEN"
    assert ask_sync(world.number, street.new_order(traded["bob"])).code == ""


def test_the_command_ends_with_zero_when_the_books_hold(traded, world):
    said = StringIO()
    call_command("reconcile", "--world", world.slug, stdout=said)
    assert "the books hold" in said.getvalue()
    assert Reconciliation.objects.latest("id").breaks == 0


def test_an_unknown_world_is_a_usage_error(transactional_db):
    with pytest.raises(Exception, match="no world") as refused:
        call_command("reconcile", "--world", "nowhere")
    assert refused.value.returncode == 2


@pytest.mark.parametrize("table", ["transfer", "fill", "command", "accountevent"])
def test_nobody_changes_history(traded, table):
    for sql in (f"DELETE FROM trading_{table}", f"UPDATE trading_{table} SET seq = seq"):
        if table == "command":
            sql = sql.replace("seq = seq", "kind = kind")
        with pytest.raises(DatabaseError, match="refused"), connection.cursor() as cursor:
            cursor.execute(sql)


def test_an_exchange_that_finds_a_break_only_cancels(traded, world, exchange, constraints_return):
    exchange.stop()
    plant(PLANTED["I4"].format(**traded))
    doubtful = street.InThread(world)
    state = street.status(world)
    assert (state["state"], "I4" in state["why"]) == ("quarantined", True)
    assert ask_sync(world.number, street.new_order(traded["bob"])).code == "QUARANTINED"
    order = Order.objects.get(portfolio=traded["bob"], symbol=street.SHARES)
    assert ask_sync(world.number, street.cancel(traded["bob"], str(order.id))).outcome == "executed"
    doubtful.stop()
