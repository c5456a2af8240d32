"""Keys that were used before are never taken for new ones."""

from __future__ import annotations

import pytest

from tests.exchange import street
from trading.exchange.client import ask_sync
from trading.exchange.known import KnownKeys
from trading.models import Command


def test_the_filter_forgets_no_key_and_seldom_takes_a_new_one_for_old():
    known = KnownKeys(0)
    used = [(n % 97, "new_order", f"key-{n}") for n in range(20_000)]
    known.load(used)
    known.complete = True
    assert all(map(known.may_have, used))
    strangers = [(n % 97, "new_order", f"other-{n}") for n in range(20_000)]
    assert sum(map(known.may_have, strangers)) < 200


def test_until_the_journal_was_read_every_key_counts_as_used():
    known = KnownKeys(10)
    assert known.may_have((1, "new_order", "never seen"))


@pytest.mark.django_db(transaction=True)
def test_a_key_of_a_former_life_gets_its_former_answer(world, feed):
    former = street.InThread(world)
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id, "of-old")
    first = ask_sync(world.number, order)
    former.stop()
    heir = street.InThread(world)
    street.wait_for(lambda: street.status(world)["keys_known"], "the journal's keys")
    again = ask_sync(world.number, order)
    assert (again.replayed, again.shown) == (True, first.shown)
    assert ask_sync(world.number, street.new_order(alice.id, "of-now")).replayed is False
    heir.stop()
    assert Command.objects.filter(kind="new_order").count() == 2
