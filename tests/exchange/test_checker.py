"""The checker beside the exchange: it finds, stops and keeps evidence; people explain and release."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.exchange import planted, street
from trading.exchange.client import ask_sync
from trading.invariants import breaks, watch
from trading.models import Break, CheckerState, Order, Portfolio, Reconciliation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def traded(exchange, world):
    return planted.trade(world)


@pytest.fixture
def checker(world, monkeypatch) -> Iterator[watch.Checker]:
    monkeypatch.setattr(watch, "BUDGET_S", 60.0)  # a whole round in each pass, also on a busy machine
    checker = watch.Checker(world)
    yield checker
    checker.close()


def invariants_of(found) -> set[str]:
    return {each.invariant for each in found}


def status_of(portfolio: int) -> str:
    return Portfolio.objects.get(pk=portfolio).status


def test_it_finds_what_nothing_touches_while_it_watches(traded, world):
    """The promise of ten seconds: `manage.py drill checker` measures it."""
    stopping = threading.Event()
    watching = threading.Thread(target=watch.watch, args=(stopping, world))
    watching.start()
    try:
        street.wait_for(lambda: CheckerState.objects.filter(passes__gt=0), "the first pass")
        assert not Break.objects.exists()
        planted.commit("I6t", traded)
        row = street.wait_for(Break.objects.first, "the break")
        street.wait_for(lambda: status_of(traded["alice"]) == "frozen", "the freeze")
    finally:
        stopping.set()
        watching.join()
    assert (row.invariant, row.portfolios, row.reconciliation.kind) == (
        "I6t",
        [traded["alice"]],
        "continuous",
    )
    assert ask_sync(world.number, street.new_order(traded["alice"])).code == "ACCOUNT_FROZEN"
    assert ask_sync(world.number, street.new_order(traded["bob"])).code == ""
    state = CheckerState.objects.get()
    assert state.coverage == {"portfolios": 100.0, "orders": 100.0, "cash": 100.0}


def test_a_break_is_one_row_however_often_it_is_seen(traded, checker):
    assert checker.look() == []
    planted.commit("I13", traded)
    for _ in range(3):
        assert invariants_of(checker.look()) == {"I13"}
    row, run = Break.objects.get(), Reconciliation.objects.get()
    assert row.seen_at > row.found_at
    assert row.frozen_at
    assert (run.breaks, CheckerState.objects.get().open_breaks) == (1, 1)


def test_it_goes_round_everything_in_small_steps(traded, checker, monkeypatch):
    monkeypatch.setattr(watch, "BUDGET_S", 0.0)  # one step a pass
    planted.commit("I3", traded)  # the last step finds it
    passes = 0
    while "I3" not in invariants_of(checker.look()):
        passes += 1
        assert CheckerState.objects.get().round_at is None
        assert passes < 10
    assert passes == 3  # state, journal, portfolios; then the ledger
    assert CheckerState.objects.get().coverage["cash"] == 100.0


def test_the_world_serves_cancels_only_when_its_own_books_are_in_doubt(traded, world, checker):
    planted.commit("I16", traded)
    assert invariants_of(checker.look()) == {"I16"}
    assert street.status(world)["state"] == "quarantined"
    assert ask_sync(world.number, street.new_order(traded["bob"])).code == "QUARANTINED"
    bid = Order.objects.get(portfolio=traded["bob"], symbol=street.SHARES)
    assert ask_sync(world.number, street.cancel(traded["bob"], str(bid.id))).outcome == "executed"
    assert [status_of(traded[name]) for name in ("alice", "bob")] == ["active", "active"]


def test_nothing_is_filled_on_books_in_doubt(traded, world, feed, checker):
    planted.commit("I16", traded)
    checker.look()
    seen = street.status(world)["tick_seq"]
    feed.quote(bid=1060, ask=1061)  # Alice's offer at 10.50 would be sold
    resting = Order.objects.get(portfolio=traded["alice"], side="sell")
    assert ask_sync(world.number, street.cancel(traded["alice"], str(resting.id))).outcome == "executed"
    assert street.status(world)["tick_seq"] == seen


def test_an_exchange_that_starts_knows_of_open_breaks(traded, world, exchange, checker):
    planted.commit("I16", traded)
    checker.look()
    exchange.stop()
    again = street.InThread(world)
    try:
        assert street.status(world)["state"] == "quarantined"
    finally:
        again.stop()


def test_what_is_explained_is_released_and_not_frozen_again(traded, world, checker):
    planted.commit("I13", traded)
    checker.look()
    row = Break.objects.get()
    with pytest.raises(ValueError, match="Say what it was"):
        breaks.explain(row, "carol", "  ")
    assert status_of(traded["alice"]) == "frozen"
    assert breaks.explain(row, "carol", "A drill.") == "1 portfolios are active again."
    checker.look()
    row.refresh_from_db()
    assert (row.state, row.explained_by, row.explanation) == ("explained", "carol", "A drill.")
    assert status_of(traded["alice"]) == "active"
    assert ask_sync(world.number, street.new_order(traded["alice"])).code == ""


def test_other_evidence_of_the_same_is_a_new_break(traded, checker):
    planted.commit("I13", traded)
    checker.look()
    breaks.explain(Break.objects.get(), "carol", "A drill.")
    with planted.superuser() as connection:
        connection.execute(
            "UPDATE trading_order SET version = 7 WHERE closed_at IS NULL AND status = 'filled'"
        )
        connection.commit()
    checker.look()
    assert list(Break.objects.order_by("id").values_list("state", flat=True)) == ["explained", "open"]
    assert status_of(traded["alice"]) == "frozen"


def test_the_last_explanation_of_the_world_makes_it_trade_again(traded, world, checker):
    planted.commit("I16", traded)
    checker.look()
    said = breaks.explain(Break.objects.get(), "carol", "The epoch was planted.")
    assert said == "The exchange reads its books anew."
    street.wait_for(lambda: street.status(world).get("state") == "serving", "the exchange")
    checker.look()
    street.wait_until_serving(world)
    assert ask_sync(world.number, street.new_order(traded["bob"])).code == ""


def test_a_portfolio_is_frozen_later_when_no_exchange_runs(traded, world, exchange, checker):
    exchange.stop()
    planted.commit("I13", traded)
    checker.look()
    assert Break.objects.get().frozen_at is None
    again = street.InThread(world)
    try:
        checker.look()
        assert Break.objects.get().frozen_at
        assert status_of(traded["alice"]) == "frozen"
    finally:
        again.stop()


def test_a_database_that_goes_away_is_looked_at_again(traded, checker):
    checker.look()
    with planted.superuser() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'simgame exchange checker' AND datname = current_database()"
        )
    assert checker.look() == []
    assert checker.passes == 1
    checker.look()
    assert checker.passes == 2


def test_ready_and_metrics_say_so(traded, world, checker, client):
    planted.commit("I13", traded)
    checker.look()
    said = client.get("/readyz").json()["checks"]["books"]
    assert said == "street: 1 open breaks of the books (admin: Breaks)"
    figures = client.get("/metrics").content.decode()
    assert 'simgame_checker_open_breaks{world="street"} 1.0' in figures
    assert 'simgame_checker_coverage_cash{world="street"} 100.0' in figures


def test_an_operator_explains_in_the_admin(traded, world, checker, admin_client):
    planted.commit("I13", traded)
    checker.look()
    page = f"/admin/trading/break/{Break.objects.get().pk}/change/"
    assert b"portfolio_id" in admin_client.get(page).content  # the evidence
    assert b"This field is required" in admin_client.post(page, {"explanation": ""}).content
    assert status_of(traded["alice"]) == "frozen"
    done = admin_client.post(page, {"explanation": "A drill.", "state": "open", "seq": 0}, follow=True)
    assert "portfolios are active again" in done.content.decode()
    row = Break.objects.get()
    assert (row.state, row.explained_by, row.seq > 0) == ("explained", "admin", True)
    assert status_of(traded["alice"]) == "active"
