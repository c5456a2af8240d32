"""What staff see and press: commands and admin pages of repairs, actions and halts."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from market.models import CorporateAction, Instrument
from tests.exchange import street
from tests.exchange.test_repairs import bad_fill, bob  # noqa: F401  the fixture
from trading import account_events
from trading.exchange.client import ask_sync
from trading.models import AppliedAction, Fill, Position, Proposal

pytestmark = pytest.mark.django_db(transaction=True)


def say(*words):
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def answer(*words):
    return json.loads(say(*words, "--format", "json"))


def refused(code, *words):
    with pytest.raises(CommandError) as told:
        call_command(*words)
    assert told.value.returncode == code
    return str(told.value)


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def test_two_people_repair_by_command(bob, world, staff):  # noqa: F811
    seq = bad_fill().receipt["quote"]["seq"]
    ticks = ["--world", world.slug, "--symbol", street.SHARES, "--ticks", f"{seq}-{seq}", "--fair", "10.00"]
    seen = answer("repair", "preview", *ticks)
    assert (seen["fills"], seen["touched"][0]["player"]) == (1, "bob")
    made = answer("repair", "propose", *ticks, "--as", "carol", "--reason", "a bad tick")
    assert "TWO_PERSONS" in refused(
        1, "repair", "approve", str(made["id"]), "--world", world.slug, "--as", "carol"
    )
    done = answer("repair", "approve", str(made["id"]), "--world", world.slug, "--as", "dave")
    assert (done["status"], done["result"]["portfolios"]) == ("applied", 1)
    assert "bust" in say("repair", "list", "--world", world.slug)
    assert Fill.objects.filter(reverses=bad_fill().pk).exists()


def test_wrong_words_are_answered_in_words(bob, world, staff):  # noqa: F811
    of = ["--world", world.slug]
    assert "--as" in refused(2, "repair", "approve", "1", *of)
    assert "number" in refused(2, "repair", "approve", *of, "--as", "carol")
    assert "--symbol" in refused(2, "repair", "preview", *of, "--ticks", "1-2", "--fair", "1")
    assert "whole numbers" in refused(2, "repair", "preview", *of, "--fills", "x", "--fair", "1")
    assert "NOTHING_TO_REPAIR" in refused(1, "repair", "preview", *of, "--fills", "5", "--fair", "1")
    assert "UNKNOWN_ACTION" in refused(1, "corporate_action", "preview", *of, "--key", "none")
    assert "amount" in refused(
        1, "corporate_action", "add", *of, "--key", "a", "--symbol", street.SHARES, "--kind", "dividend",
        "--amount", "abc", "--ex-on", "2026-11-30",
    )  # fmt: skip
    assert "halt" not in say("repair", "list", *of)
    assert "INVALID" in refused(1, "halt", street.SHARES, *of)


def test_an_action_is_announced_previewed_and_applied_by_command(bob, world, tmp_path):  # noqa: F811
    of = ["--world", world.slug]
    file = tmp_path / "actions.csv"
    file.write_text(
        "key,symbol,kind,amount,ratio,ex_on\n"
        f"div-1,{street.SHARES},dividend,0.5,,2027-01-04\n"
        f"split-1,{street.SHARES},split,,2:1,2027-01-05\n"
    )
    assert answer("corporate_action", "add", *of, "--csv", str(file)) == {"announced": 2, "known": 0}
    assert answer("corporate_action", "add", *of, "--csv", str(file)) == {"announced": 0, "known": 2}
    seen = answer("corporate_action", "preview", *of, "--key", "div-1")
    assert seen["touched"][0]["cash"] == "300.00"
    assert Position.objects.get(portfolio=bob).realised > 0 and not AppliedAction.objects.exists()
    assert answer("corporate_action", "apply", *of, "--key", "div-1")["portfolios"] == 1
    assert "ACTION_APPLIED" in refused(1, "corporate_action", "apply", *of, "--key", "div-1")
    rows = {row["key"]: row["status"] for row in answer("corporate_action", "list", *of)}
    assert rows == {"div-1": "applied", "split-1": "announced"}
    file.write_text(f"key,symbol,kind,ratio,ex_on\nbad,{street.SHARES},split,ten to one,2027-01-04\n")
    assert "Line 2: ratio" in refused(1, "corporate_action", "add", *of, "--csv", str(file))
    assert CorporateAction.objects.count() == 2


def test_a_halt_says_why_to_who_has_orders_and_to_who_comes(bob, world):  # noqa: F811
    ask_sync(world.number, street.new_order(bob, limit_price=990))
    say("halt", street.SHARES, "--world", world.slug, "--reason", "a wrong price")
    row = Instrument.objects.get(world=world, symbol=street.SHARES)
    assert (row.halted, row.halt_reason) == (True, "a wrong price")
    told = account_events.bodies(bob)[-1][1]["notices"]
    assert told[0]["text"] == f"Trading in {street.SHARES} is halted: a wrong price"
    reply = ask_sync(world.number, street.new_order(bob, limit_price=990))
    assert (reply.code, "a wrong price" in reply.detail) == ("HALTED", True)
    say("halt", street.SHARES, "--world", world.slug, "--resume")
    assert ask_sync(world.number, street.new_order(bob, limit_price=990)).code == ""


def test_the_admin_previews_proposes_and_lets_another_approve(bob, world, staff):  # noqa: F811
    carol, dave = map(signed_in, staff)
    asked = {
        "world": world.pk, "kind": "bust", "fills": str(bad_fill().pk), "price": "10.00",
        "reason": "a bad tick",
    }  # fmt: skip
    page = carol.post("/admin/trading/proposal/add/", {**asked, "preview": "1"}).content.decode()
    assert "What would happen now" in page and "bob" in page and "1000387.00" in page
    assert not Proposal.objects.exists()
    carol.post("/admin/trading/proposal/add/", {**asked, "propose": "1"})
    at = f"/admin/trading/proposal/{Proposal.objects.get().pk}/change/"
    mine = carol.get(at).content.decode()
    assert "another person must approve it" in mine and 'name="approve"' not in mine
    carol.post(at, {"approve": "1"})
    assert Proposal.objects.get().status == "proposed"
    assert 'name="approve"' in dave.get(at).content.decode()
    dave.post(at, {"approve": "1"})
    assert Proposal.objects.get().status == "applied"
    assert "Propose to take it back" in dave.get(at).content.decode()
    wrong = carol.post("/admin/trading/proposal/add/", {**asked, "preview": "1"}).content.decode()
    assert "ALREADY_REVERSED" in wrong
    assert dave.get("/admin/trading/proposal/").status_code == 200


def test_the_admin_shows_what_an_action_would_do_and_applies_it(bob, world, staff):  # noqa: F811
    carol = signed_in(staff[0])
    share = Instrument.objects.get(world=world, symbol=street.SHARES)
    said = {
        "world": world.pk, "key": "div", "instrument": share.pk, "kind": "dividend", "amount": "0.5",
        "new": 1, "old": 1, "ex_on": "2027-01-04", "unused": "sell",
    }  # fmt: skip
    answer = carol.post("/admin/market/corporateaction/add/", said)
    assert answer.status_code == 302, answer.content.decode()
    row = CorporateAction.objects.get()
    page = carol.get(f"/admin/market/corporateaction/{row.pk}/change/").content.decode()
    assert "What would happen now" in page and "300.00" in page
    carol.post("/admin/market/corporateaction/", {"action": "apply_now", "_selected_action": [row.pk]})
    assert AppliedAction.objects.get(key="div").status == "applied"
    after = carol.get(f"/admin/market/corporateaction/{row.pk}/change/").content.decode()
    assert "Propose to reverse it" in after


def test_the_admin_halts_with_a_reason(bob, world, staff):  # noqa: F811
    carol = signed_in(staff[0])
    share = Instrument.objects.get(world=world, symbol=street.SHARES)
    chosen = {"action": "halt", "_selected_action": [share.pk]}
    assert "Reason, for the players" in carol.post("/admin/trading/listing/", chosen).content.decode()
    carol.post("/admin/trading/listing/", {**chosen, "reason": "a wrong price"})
    share.refresh_from_db()
    assert (share.halted, share.halt_reason) == (True, "a wrong price")
