"""Corporate actions from the announcement to the tables, over a day roll, a crash and a replay."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from market.models import CorporateAction, Instrument
from simgame.kernel import failpoints
from simgame.kernel.errors import Invalid
from tests.exchange import street
from trading import corporate, errors, invariants, proposals, rights
from trading.exchange.client import ask_sync
from trading.models import ActionEntry, AppliedAction, Balance, Command, Order, Portfolio, Position
from trading.proof.verify import replay_world

pytestmark = pytest.mark.django_db(transaction=True)
EX = date(2026, 11, 3)
NEXT_DAY = 20_261_103


def announce(world, key, kind, **facts):
    share = Instrument.objects.get(world=world, symbol=street.SHARES)
    return corporate.announce(world, by=None, key=key, instrument=share, kind=kind, ex_on=EX, **facts)


def applied(world, key, status="applied"):
    found = AppliedAction.objects.filter(world_id=world.number, key=key, status=status)
    return street.wait_for(found.exists, f"{key} to be {status}")


@pytest.fixture
def alice(exchange, world):
    """She holds 500 bought at 10.01, bids for 300 at 9.90 and offers 200 at 10.50, until canceled."""
    alice = street.open_portfolio(world, "alice").id
    ask_sync(world.number, street.new_order(alice, qty=500, limit_price=1001))
    for more in ({"qty": 300, "limit_price": 990}, {"side": "sell", "qty": 200, "limit_price": 1050}):
        ask_sync(world.number, street.new_order(alice, time_in_force="gtc", **more))
    return alice


def cash(portfolio):
    return Balance.objects.get(account=portfolio, asset="CNY").posted


def sound(world):
    report = invariants.reconcile(world)
    assert report.breaks == 0, report.found
    assert replay_world(world, verify=True).difference is None


def test_alice_gets_her_dividend_on_the_ex_date_and_once(alice, world, feed, exchange):
    announce(world, "div-1", "dividend", amount=Decimal("0.385"), record_on=date(2026, 11, 2))
    before = cash(alice)
    feed.begin(NEXT_DAY)
    applied(world, "div-1")
    assert cash(alice) - before == 192_50
    entry = ActionEntry.objects.get(key="div-1")
    assert (entry.portfolio_id, entry.cash, entry.realised) == (alice, 192_50, 192_50)
    assert Order.objects.get(portfolio=alice, side="buy", status="new").limit_price == 951
    feed.begin(NEXT_DAY + 1)
    street.wait_for(lambda: street.status(world)["tick_seq"] >= 12, "another day")
    assert cash(alice) - before == 192_50
    sound(world)


def test_a_split_restates_what_rests_and_a_restart_finds_it_so(alice, world, feed, exchange):
    announce(world, "split", "split", new=10, old=1)
    feed.begin(NEXT_DAY, price=100)
    applied(world, "split")
    bid, ask = Order.objects.filter(portfolio=alice, status="new").order_by("side")
    assert (bid.qty, bid.limit_price, ask.qty, ask.limit_price) == (3000, 99, 2000, 105)
    assert Position.objects.get(portfolio=alice).qty == 5000
    hashed = street.status(world, hashed=True)["state_hash"]
    exchange.stop()
    again = street.InThread(world)
    assert street.status(world, hashed=True)["state_hash"] == hashed
    feed.begin(NEXT_DAY + 1, price=100)
    street.wait_for(lambda: street.status(world)["tick_seq"] >= 15, "the next day")
    assert Command.objects.filter(kind="corporate_action").count() == 1
    again.stop()
    sound(world)


def test_a_dividend_that_is_paid_later_survives_the_restart_between(alice, world, feed, exchange):
    announce(world, "late", "dividend", amount=Decimal("1"), pay_on=date(2026, 11, 5))
    before = cash(alice)
    feed.begin(NEXT_DAY)
    applied(world, "late", "open")
    assert (cash(alice), Balance.objects.get(account=alice, asset="due.CNY.late").posted) == (before, 500_00)
    exchange.stop()
    again = street.InThread(world)
    feed.begin(20_261_105)
    applied(world, "late")
    assert cash(alice) == before + 500_00
    again.stop()
    sound(world)


@pytest.mark.parametrize("passing", [1, 2])
def test_an_exchange_that_dies_in_the_middle_applies_it_once(
    alice, world, feed, exchange, monkeypatch, passing
):
    announce(world, "bonus", "bonus", new=13, old=10)
    armed = failpoints.parse(f"{failpoints.FP12_CORPORATE_ACTION}=raise@{passing}")
    monkeypatch.setattr(failpoints, "ARMED", armed)
    feed.begin(NEXT_DAY)
    applied(world, "bonus")
    assert Position.objects.get(portfolio=alice).qty == 650
    assert Command.objects.filter(kind="corporate_action").count() == 1
    monkeypatch.setattr(failpoints, "ARMED", {})
    sound(world)


def test_a_wrong_split_is_reversed_by_two_people(alice, world, exchange, staff):
    before = (cash(alice), Position.objects.get(portfolio=alice).cost)
    corporate.apply(announce(world, "wrong", "split", new=10, old=1), by=None)
    carol, dave = staff
    payload = {"key": "wrong", "symbol": street.SHARES, "price": "10.00"}
    proposal = proposals.propose(world, "reverse_action", payload, "it was another company", by=carol)
    seen = proposals.preview(proposal)
    assert (seen.portfolios, seen.touched[0]["qty"]) == (1, "-4500")
    done = proposals.approve(proposal.pk, by=dave)
    assert done.status == "applied", done.result
    assert (cash(alice), Position.objects.get(portfolio=alice).cost) == before
    assert Position.objects.get(portfolio=alice).qty == 500
    assert AppliedAction.objects.get(key="wrong").status == "reversed"
    bid, ask = Order.objects.filter(portfolio=alice, status="new").order_by("side")
    assert (bid.qty, bid.limit_price, ask.qty, ask.limit_price) == (300, 990, 200, 1050)
    sound(world)


def test_an_announcement_must_make_sense(world):
    share = Instrument.objects.get(world=world, symbol=street.SHARES)
    for kind, facts in (
        ("dividend", {}),
        ("rights", {"new": 3, "old": 10}),
        ("rename", {}),
        ("split", {"new": 0}),
    ):
        with pytest.raises(Invalid):
            corporate.announce(
                world, by=None, key=f"x-{kind}", instrument=share, kind=kind, ex_on=EX, **facts
            )
    assert not CorporateAction.objects.exists()


def test_alice_sees_her_rights_and_uses_some(alice, world, feed, exchange):
    announce(world, "rights", "rights", new=3, old=10, price=Decimal("8"), last_on=date(2026, 11, 4))
    feed.begin(NEXT_DAY)
    applied(world, "rights", "open")
    portfolio = Portfolio.objects.select_related("game__world").get(id=alice)
    (row,) = rights.of(alice)
    assert (row["rights"], row["price"], row["last_on"]) == ("150", "8.00", "2026-11-04")
    before = cash(alice)
    assert rights.exercise(portfolio, "rights", "100", "k1")["rights"][0]["rights"] == "50"
    assert rights.exercise(portfolio, "rights", "100", "k1")["rights"][0]["rights"] == "50"  # one effect
    assert (cash(alice) - before, Position.objects.get(portfolio=alice).qty) == (-800_00, 600)
    for bad, refusal in (("51", errors.NoRights), ("x", Invalid), ("-1", Invalid)):
        with pytest.raises(refusal):
            rights.exercise(portfolio, "rights", bad)
    feed.begin(20_261_105)
    applied(world, "rights")
    assert rights.of(alice) == []
    assert cash(alice) - before > -800_00  # the other 50 were sold for what they were worth
    sound(world)
