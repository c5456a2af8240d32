"""The journal, folded through a fresh engine, makes exactly what is stored; and says where it does not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import TextField, Value

from market.models import World
from market.ticks import Print
from simgame.kernel import clock
from tests.exchange import street
from trading import account_events, queries
from trading.engine.commands import CancelAll, Freeze, Halt, ReplaceOrder
from trading.exchange.client import ask_sync
from trading.models import AccountEvent
from trading.proof.verify import Report, replay_world

pytestmark = pytest.mark.django_db(transaction=True)


def a_busy_morning(world: World, feed: street.Feed) -> tuple[int, int]:
    """Alice and Bob trade with the market and with each other; some of it rests at the end."""
    alice = street.open_portfolio(world, "alice").id
    bob = street.open_portfolio(world, "bob").id

    def ask(command: object) -> None:
        assert ask_sync(world.number, command).outcome == "executed"

    ask(street.new_order(alice, limit_price=1001, qty=300))
    feed.quote(bid=999, ask=1000, size=400)
    ask(street.new_order(alice, qty=200, limit_price=None, type="market", time_in_force="ioc"))
    resting = street.new_order(alice, limit_price=998, qty=500, time_in_force="gtc")
    ask(resting)
    ask(street.new_order(bob, limit_price=1002, qty=100, symbol=street.PENNY))
    ask(street.new_order(bob, limit_price=500_000, qty=100))  # outside of what he can pay: rejected
    ask(ReplaceOrder(alice, resting.order_id, "r1", 0, 700))
    now = clock.now_ns()
    feed.say(Print(street.SHARES, 998, 300, "sell", now, now, "test"))
    feed.say(Print(street.SHARES, 997, 100, "sell", now, now, "test"))
    ask(street.new_order(alice, side="sell", qty=200, limit_price=1010))
    ask(street.new_order(bob, qty=300, limit_price=1010))
    ask(Halt(street.PENNY, True, "news", "h1"))
    ask(Freeze(bob, True, "for the test", "f1"))
    return alice, bob


def verified(world: World) -> Report:
    return replay_world(world, verify=True)


def test_a_day_with_three_exchanges_replays_to_the_last_field(world: World, feed: street.Feed) -> None:
    for _ in range(2):
        first = street.InThread(world)
        if not street.Portfolio.objects.exists():
            alice, bob = a_busy_morning(world, feed)
        else:  # the displayed depth counts as untouched again: the replay must know
            ask_sync(world.number, Halt(street.PENNY, False, "", "h2"))
            ask_sync(world.number, Freeze(bob, False, "", "f2"))
            assert ask_sync(world.number, street.new_order(alice, limit_price=1000)).outcome == "executed"
        first.stop()
    second = street.InThread(world)
    try:
        ask_sync(world.number, CancelAll(alice, "all", 0))
        found = verified(world)
        assert found.difference is None, str(found.difference)
        assert found.state_hash == found.stored_hash == street.status(world, hashed=True)["state_hash"]
        assert found.recoveries == 3
        assert found.compared["fill"] >= 4
        assert found.compared["command"] == found.commands
    finally:
        second.stop()


PLANTED = [
    ("UPDATE trading_fill SET fee = fee + 1 WHERE id = (SELECT max(id) FROM trading_fill)", "fill", "fee"),
    ("UPDATE trading_fill SET receipt = jsonb_set(receipt::jsonb, '{quote,seq}', '1') WHERE id = "
     "(SELECT max(id) FROM trading_fill WHERE receipt::jsonb ? 'quote')", "fill", "receipt.quote.seq"),
    ("UPDATE trading_transfer SET amount = amount + 1 WHERE id = (SELECT max(id) FROM trading_transfer)",
     "transfer", "amount"),
    ("DELETE FROM trading_transfer WHERE id = (SELECT max(id) FROM trading_transfer)", "transfer", "row"),
    ("UPDATE trading_order SET filled_cash = filled_cash + 1 WHERE status = 'filled'", "order",
     "filled_cash"),
    ("UPDATE trading_order SET queue_ahead = 7 WHERE status = 'new'", "order", "queue_ahead"),
    ("UPDATE trading_balance SET posted = posted + 1 WHERE account > 0 AND asset = 'CNY'", "balance",
     "posted"),
    ("UPDATE trading_position SET cost = cost - 1", "position", "cost"),
    ("UPDATE trading_accountevent SET rows = jsonb_set(rows::jsonb, '{1}', '[]') WHERE seq = 3",
     "accountevent", "rows"),
    ("UPDATE trading_accountevent SET rows = jsonb_set(rows::jsonb, '{1,0,19}', '77') WHERE seq = 3",
     "accountevent", "rows[0].priority"),
    ("UPDATE trading_accountevent SET rows = '?' WHERE seq = 3", "accountevent", "rows"),
    ("UPDATE trading_command SET result = '{}' WHERE kind = 'new_order'", "command", "result.order"),
]  # fmt: skip


@contextmanager
def planted(sql: str) -> Iterator[None]:
    """The change, past the triggers that forbid it; afterwards the table is as it was."""
    table = re.search(r"trading_\w+", sql).group()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(f"CREATE TABLE kept AS SELECT * FROM {table}")
        cursor.execute(sql)
        assert cursor.rowcount, sql
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(f"INSERT INTO {table} SELECT * FROM kept")
        cursor.execute("DROP TABLE kept")
        cursor.execute("SET session_replication_role = DEFAULT")


def as_before_0085(world: World) -> None:
    """Every account event as older releases stored it: the message itself."""
    connection.cursor().execute("SET session_replication_role = replica")
    for portfolio in AccountEvent.objects.values_list("portfolio_id", flat=True).distinct():
        for seq, body in account_events.bodies(portfolio):
            mine = AccountEvent.objects.filter(portfolio_id=portfolio, seq=seq)
            mine.update(body=Value(json.dumps(body), TextField()), rows=None)
    connection.cursor().execute("SET session_replication_role = DEFAULT")


def test_events_of_an_older_release_are_told_and_verified_as_before(world, feed):
    """Alice updates in the middle of her game; what she was told before stays what it was."""
    running = street.InThread(world)
    alice, bob = a_busy_morning(world, feed)
    running.stop()
    told, notices = account_events.bodies(alice), queries.notices(bob)
    assert told[2][1]["orders"] and notices[0]["code"] == "FROZEN"
    as_before_0085(world)
    assert not AccountEvent.objects.exclude(rows=None).exists()
    assert account_events.bodies(alice) == told == queries.events_after(alice, 0, 1_000)
    assert queries.notices(bob) == notices
    running = street.InThread(world)
    assert ask_sync(world.number, street.new_order(alice, limit_price=1000)).outcome == "executed"
    running.stop()
    assert account_events.bodies(alice)[: len(told)] == told
    found = verified(world)
    assert found.difference is None, str(found.difference)
    assert found.compared["accountevent"] > len(told)
    bad = "UPDATE trading_accountevent SET body = jsonb_set(body::jsonb, '{orders}', '[]') WHERE seq = 3"
    with planted(bad):
        found = verified(world)
    assert (found.difference.table, found.difference.field) == ("accountevent", "body.orders")


def test_every_planted_difference_is_found_and_named(
    world: World, feed: street.Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    running = street.InThread(world)
    a_busy_morning(world, feed)
    alice = street.Portfolio.objects.order_by("id")[0].id
    assert ask_sync(world.number, street.new_order(alice, limit_price=900)).outcome == "executed"
    running.stop()
    for sql, table, field in PLANTED:
        with planted(sql):
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                call_command("replay_journal", "--verify", "--format", "json")
        assert ended.value.code == 3
        found = json.loads(capsys.readouterr().out)["worlds"][0]["difference"]
        assert (found["table"], found["field"]) == (table, field), (sql, found)
    assert verified(world).difference is None


def test_a_journal_of_before_says_that_it_cannot_be_replayed(world: World, feed: street.Feed) -> None:
    running = street.InThread(world)
    street.open_portfolio(world, "alice")
    running.stop()
    before = msgspec.json.encode(Freeze(1, True, "", "")).decode()
    with (
        planted(f"UPDATE trading_command SET payload = '{before}' WHERE kind = 'recovered'"),
        pytest.raises(CommandError, match="cannot be replayed"),
    ):
        call_command("replay_journal", "--verify")


def test_quotes_that_nobody_waits_for_give_way_to_newer_ones(world: World, feed: street.Feed) -> None:
    running = street.InThread(world)
    alice = street.open_portfolio(world, "alice").id
    for ask in range(1001, 1101):
        feed.quote(ask=ask)
        feed.quote(street.PENNY, ask=ask)
    street.wait_for(lambda: street.status(world)["tick_seq"] >= 205, "all quotes")
    resting = street.new_order(alice, limit_price=990)
    ask_sync(world.number, resting)
    for size in (500, 200, 800):
        feed.quote(bid=990, size=size)  # the queue before her order shrinks and stays short
    street.wait_for(lambda: street.status(world)["tick_seq"] >= 208, "the last quotes")
    ask_sync(world.number, ReplaceOrder(alice, resting.order_id, "r", 0, 50_000))
    running.stop()
    found = verified(world)
    assert found.difference is None, str(found.difference)
    assert found.heard < 20
