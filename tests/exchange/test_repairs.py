"""Bob's bad tick: two people take it back, and everything adds up afterwards."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import DatabaseError

from accounts.models import AuditEntry, Player
from simgame.kernel.errors import Forbidden, Invalid
from tests.exchange import street
from trading import account_events, errors, invariants, proposals, queries, ranking, repairs
from trading.engine.commands import Adjust
from trading.exchange.client import ask_sync
from trading.exchange.wire import Status
from trading.models import Balance, Fill, Game, Portfolio, Position, Proposal, Rank, Transfer
from trading.proof.verify import replay_world

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bob(exchange, world, feed):
    """A bad tick shows 9.00 / 9.01; Bob buys 1,000 and sells 400 of them at the true 10.00 again."""
    bob = street.open_portfolio(world, "bob").id
    feed.quote(bid=900, ask=901)
    street.wait_for(lambda: ask_sync(world.number, Status()).result["tick_seq"] >= 6, "the bad tick")
    ask_sync(world.number, street.new_order(bob, qty=1000, limit_price=901))
    feed.quote()
    street.wait_for(lambda: ask_sync(world.number, Status()).result["tick_seq"] >= 7, "the good tick")
    ask_sync(world.number, street.new_order(bob, side="sell", qty=400, limit_price=1000))
    return bob


def bad_fill():
    return Fill.objects.get(side="buy")


def payload(**more):
    return {"fills": [bad_fill().pk], "price": "10.00", **more}


def sound(world):
    report = invariants.reconcile(world)
    assert report.breaks == 0, report.found
    assert replay_world(world, verify=True).difference is None


def test_the_ticks_name_the_fills_they_decided(bob, world):
    seq = bad_fill().receipt["quote"]["seq"]
    assert list(repairs.of_ticks(world, street.SHARES, seq, seq)) == [bad_fill()]
    assert not repairs.of_ticks(world, street.SHARES, seq + 100, seq + 200).exists()


def test_bobs_profit_is_busted_by_two_people(bob, world, staff):
    """He earned 0.99 a share on 400; at a fair 10.00 he would have earned nothing but the fees."""
    carol, dave = staff
    seen = proposals.preview(Proposal(world=world, kind="bust", payload=payload(), reason="a bad tick"))
    assert (seen.fills, seen.portfolios) == (1, 1)
    assert (seen.ranks[0]["equity"], seen.ranks[0]["equity_after"]) == ("1000387.00", "999993.00")
    proposal = proposals.propose(world, "bust", payload(), "a bad tick at 14:31", by=carol)
    assert proposals.approve(proposal.pk, by=dave).status == "applied"
    sell = Fill.objects.get(side="sell", reverses=None)
    position = Position.objects.get(portfolio=bob)
    assert (position.qty, position.cost) == (0, 0)
    cash = Balance.objects.get(account=bob, asset="CNY").posted
    assert cash == street.CASH + sell.cash - sell.fee - 400 * 1000
    assert position.realised == -sell.fee
    order = bad_fill().order
    assert (order.status, order.filled_qty) == ("filled", 1000)
    assert {row.code for row in Transfer.objects.filter(reverses__isnull=False)} == {5}
    sound(world)


def test_bob_is_told_in_plain_words_and_his_receipt_says_so(bob, world, staff):
    carol, dave = staff
    proposals.approve(proposals.propose(world, "bust", payload(), "a bad tick", by=carol).pk, by=dave)
    said = account_events.bodies(bob)[-1][1]["notices"][0]
    assert (said["code"], said["facts"]["settled_price"]) == ("TRADE_BUSTED", "10.00")
    assert "a bad tick" in said["text"] and "-600 shares" in said["text"]
    assert queries.desk_snapshot(bob)["notices"][0]["code"] == "TRADE_BUSTED"
    receipt = queries.receipt_of_fill(bob, bad_fill().pk)
    assert receipt["taken_back"]["reason"] == "a bad tick"
    whole = queries.receipt_of_order(bob, bad_fill().order_id)
    assert whole["fills"][0]["taken_back"]["reason"] == "a bad tick"


def test_the_standings_are_right_afterwards(bob, world, staff):
    street.open_portfolio(world, "alice")
    game = Game.objects.get(world=world)
    ranking.rank(game)
    carol, dave = staff
    proposals.approve(proposals.propose(world, "bust", payload(), "a bad tick", by=carol).pk, by=dave)
    ranks = {row.portfolio.player.username: row for row in Rank.objects.all()}
    assert (ranks["alice"].rank, ranks["bob"].rank) == (1, 2)
    assert ranks["bob"].fills == 1


def test_the_same_person_is_refused_by_us_and_by_the_database(bob, world, staff):
    carol, _ = staff
    proposal = proposals.propose(world, "bust", payload(), "a bad tick", by=carol)
    with pytest.raises(errors.TwoPersons):
        proposals.approve(proposal.pk, by=carol)
    with pytest.raises(IntegrityError, match="proposal_two_persons"), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(approved_by=carol, status="approved")
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(payload={"fills": []})
    assert Fill.objects.filter(reverses__isnull=False).count() == 0


def test_who_is_no_staff_proposes_and_approves_nothing(bob, world, staff):
    player = Portfolio.objects.get(id=bob).player
    with pytest.raises(Forbidden):
        proposals.propose(world, "bust", payload(), "I want it", by=player)
    helper = Player.objects.create(username="erin", is_staff=True)
    proposal = proposals.propose(world, "bust", payload(), "a bad tick", by=staff[0])
    with pytest.raises(Forbidden):
        proposals.approve(proposal.pk, by=helper)


def test_a_correction_is_taken_back_and_all_is_as_it_was(bob, world, staff):
    carol, dave = staff
    before = (Balance.objects.get(account=bob, asset="CNY").posted, position_of(bob))
    first = proposals.approve(proposals.propose(world, "bust", payload(), "a bad tick", by=carol).pk, by=dave)
    again = proposals.propose(world, "reinstate", {}, "the tick was good", by=dave, undoes=first)
    assert proposals.approve(again.pk, by=carol).status == "applied"
    assert (Balance.objects.get(account=bob, asset="CNY").posted, position_of(bob)) == before
    with pytest.raises(errors.AlreadyReversed):
        proposals.propose(world, "reinstate", {}, "once more", by=dave, undoes=first)
    sound(world)


def position_of(bob):
    row = Position.objects.get(portfolio=bob)
    return row.qty, row.cost, row.realised, row.day_cash, row.day_start_qty


def test_what_bob_cannot_pay_is_refused_with_a_list_until_the_house_pays(bob, world, staff, exchange):
    """He lost everything meanwhile: an operator took his cash and his shares."""
    carol, dave = staff
    cash = Balance.objects.get(account=bob, asset="CNY").posted
    ask_sync(world.number, Adjust(bob, street.SHARES, -600, "lost", "a1"))
    ask_sync(world.number, Adjust(bob, "CNY", -cash, "lost", "a2"))
    poor = proposals.propose(world, "bust", payload(), "a bad tick", by=carol)
    refused = proposals.approve(poor.pk, by=dave)
    assert (refused.status, refused.result["code"]) == ("approved", "REPAIR_SHORT")
    assert str(bob) in refused.result["facts"]["short"]
    proposals.withdraw(poor.pk, by=carol)
    rich = proposals.propose(world, "bust", payload(house_pays=True), "a bad tick", by=carol)
    assert proposals.approve(rich.pk, by=dave).status == "applied"
    assert Balance.objects.get(account=bob, asset="CNY").posted == 0
    sound(world)


def test_an_exchange_that_is_away_keeps_the_approval_and_applies_later(bob, world, staff, exchange):
    carol, dave = staff
    proposal = proposals.propose(world, "bust", payload(), "a bad tick", by=carol)
    exchange.stop()
    waiting = proposals.approve(proposal.pk, by=dave)
    assert (waiting.status, waiting.result["code"]) == ("approved", "ENGINE_RECOVERING")
    again = street.InThread(world)
    assert proposals.apply(proposal.pk, by=dave).status == "applied"
    with pytest.raises(errors.ProposalClosed):
        proposals.apply(proposal.pk, by=dave)
    again.stop()
    sound(world)


def test_nonsense_is_not_proposed(bob, world, staff):
    carol, _ = staff
    for bad, refusal in (
        ({"fills": [], "price": "10"}, errors.NothingToRepair),
        ({"fills": [123], "price": "10"}, errors.NothingToRepair),
        (payload(price="-1"), Invalid),
        (payload(price="abc"), Invalid),
    ):
        with pytest.raises(refusal):
            proposals.propose(world, "bust", bad, "why not", by=carol)
    with pytest.raises(Invalid):
        proposals.propose(world, "bust", payload(), "  ", by=carol)
    with pytest.raises(Invalid):
        proposals.propose(world, "gift", {}, "for me", by=carol)


def test_everything_is_written_down(bob, world, staff):
    carol, dave = staff
    proposals.approve(proposals.propose(world, "bust", payload(), "a bad tick", by=carol).pk, by=dave)
    rows = AuditEntry.objects.filter(action__startswith="proposal.").order_by("id")
    assert [(row.action, row.actor_id) for row in rows] == [
        ("proposal.propose", carol.pk), ("proposal.approve", dave.pk), ("proposal.apply", dave.pk),
    ]  # fmt: skip
