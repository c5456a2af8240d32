"""The checker finds each corruption that somebody plants, and says so with exit code 3."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command

from tests.exchange import planted, street
from trading import invariants, tasks
from trading.exchange.client import ask_sync
from trading.invariants import queries, windows
from trading.models import Break, Order, Portfolio, Reconciliation

pytestmark = pytest.mark.django_db(transaction=True)

# A corruption breaks its own invariant, and these with it.
COMPANIONS = {
    "I1": {"I3"},
    "I2": {"I3"},
    "I3f": {"I7"},
    "I3t": {"I6"},
    "I4h": {"I4"},
    "I4l": {"I4s"},
    "I5": {"I2", "I3"},
    "I6": {"I7", "I8"},
    "I7o": {"I7"},
    "I8": {"I3"},
    "I8f": {"I7"},
    "I8m": {"I8f"},  # the fee that is called interest was not paid as a fee
    "I9": {"I7"},
    "I12": {"I8"},
    "I14": {"I14e", "I14h"},
    "I14c": {"I14s"},
    "I14e": {"I14c"},
    "I14h": {"I14", "I14e", "I15"},
    "I14s": {"I14c"},
}


@pytest.fixture
def traded(exchange, world):
    return planted.trade(world)


def by_the_whole(found_by, number):
    return {found.invariant for found in invariants.find(found_by, number)}


def in_pieces(found_by, number):
    """Two commands and one portfolio at a time."""
    upto = windows.heads(found_by, number)
    both = queries.Span(queries.beginning(number), upto)
    pieces = {
        "window": list(windows.windows(found_by, both.after, upto, 2)),
        "portfolios": list(windows.chunks(windows.everybody(found_by, number), both, 1)),
        "state": [both],
        "whole": [both],
    }
    return {
        found.invariant
        for scope, spans in pieces.items()
        for span in spans
        for found in queries.find(found_by, number, queries.of_scope(scope), span)
    }


def test_each_corruption_fires_its_invariant_however_the_books_are_cut(traded, world):
    fired = {}
    for invariant in planted.CORRUPTIONS:
        with planted.superuser() as connection:
            assert by_the_whole(connection, world.number) == set()
            for table, constraint in planted.CONSTRAINTS.items():
                connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
            planted.plant(connection, invariant, traded)
            fired[invariant] = by_the_whole(connection, world.number)
            assert in_pieces(connection, world.number) == fired[invariant]
    assert fired == {
        invariant: {invariant} | COMPANIONS.get(invariant, set()) for invariant in planted.CORRUPTIONS
    }


def test_every_invariant_is_planted():
    assert {query.name for query in invariants.QUERIES} == set(planted.CORRUPTIONS)


def test_the_command_tells_what_it_found_and_ends_with_three(traded, world):
    planted.commit("I6p", traded)
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", "--world", world.slug, "--format", "json", stdout=said)
    assert ended.value.code == 3
    report = json.loads(said.getvalue())["worlds"][0]
    assert [found["invariant"] for found in report["found"]] == ["I6p"]
    row = Break.objects.get()
    assert (row.invariant, row.portfolios, row.state) == ("I6p", [traded["alice"]], "open")
    assert row.evidence["qty"] == row.evidence["posted"] + 1
    assert "trading_position" in row.query
    assert row.seq == report["until"] == Reconciliation.objects.get().until_seq
    assert len(row.digest) == 64


def test_alice_is_frozen_when_her_books_are_in_doubt(traded, world):
    planted.commit("I6p", traded)
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


def test_an_incremental_run_looks_at_what_changed_since_the_last_one(traded, world):
    whole = invariants.reconcile(world)
    assert whole.coverage == {"portfolios": 100.0, "orders": 100.0, "cash": 100.0}
    ask_sync(world.number, street.new_order(traded["bob"], limit_price=1001))
    said = StringIO()
    call_command("reconcile", "--incremental", "--format", "json", stdout=said)
    report = json.loads(said.getvalue())["worlds"][0]
    assert (report["since"], report["until"]) == (whole.until, whole.until + 1)
    assert report["coverage"]["portfolios"] == 50.0  # Bob, not Alice
    assert 0 < report["coverage"]["cash"] < 100
    planted.commit("I6t", traded)  # Alice, in the past: the next full run finds it
    assert invariants.reconcile(world, kind="incremental", since=whole.until).breaks == 0
    assert invariants.reconcile(world).breaks > 0


def test_the_nightly_run_happens_once_a_day(traded, world):
    for _ in range(2):
        tasks.reconcile_books()
    row = Reconciliation.objects.get()
    assert (row.kind, row.breaks, row.coverage["orders"]) == ("nightly", 0, 100.0)
    # One that was broken off is taken up again.
    Reconciliation.objects.update(finished_at=None)
    assert len(invariants.nightly(row.business_date)) == 1
    assert Reconciliation.objects.get().finished_at
    assert invariants.nightly(date(2020, 1, 1))[0].kind == "nightly"


def test_an_exchange_that_finds_a_break_only_cancels(traded, world, exchange):
    exchange.stop()
    planted.commit("I4", traded)
    doubtful = street.InThread(world)
    state = street.status(world)
    assert (state["state"], "I4" in state["why"]) == ("quarantined", True)
    assert ask_sync(world.number, street.new_order(traded["bob"])).code == "QUARANTINED"
    order = Order.objects.get(portfolio=traded["bob"], symbol=street.SHARES)
    assert ask_sync(world.number, street.cancel(traded["bob"], str(order.id))).outcome == "executed"
    doubtful.stop()
