"""What dies, hangs or wakes too late: nobody loses an order, nobody gets two."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
import weakref

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from simgame.kernel import collector, failpoints
from tests.exchange import street
from trading import invariants
from trading.engine.state import State
from trading.exchange import statements
from trading.exchange.client import ExchangeClient, ask_at, ask_sync, decode_replies, encode_requests
from trading.exchange.database import connect
from trading.exchange.framing import Deframer, frame
from trading.exchange.pipeline import Pipeline
from trading.exchange.wire import Request, Status
from trading.models import Command, ExchangeLease, Order

pytestmark = pytest.mark.django_db(transaction=True)


def insist(world, order):
    """As a good client does: the same request with the same key until the answer is certain."""

    def settled():
        reply = ask_sync(world.number, order, timeout_s=5.0)
        return reply if reply.outcome == "executed" else None

    return street.wait_for(settled, "a certain answer")


@pytest.fixture
def arm():
    """Arm a failpoint of this process (the exchange runs in a thread of it)."""

    def armed(name: str, action: str) -> None:
        failpoints.ARMED.update(failpoints.parse(f"{name}={action}"))

    yield armed
    failpoints.ARMED.clear()


@pytest.mark.parametrize(
    ("name", "stored_before_retry"),
    [
        (failpoints.FP1_BEFORE_BEGIN, False),
        (failpoints.FP2_BETWEEN_INSERTS, False),
        (failpoints.FP3_BEFORE_COMMIT, False),
        (failpoints.FP4_COMMIT_ANSWER, True),
        (failpoints.FP5_BEFORE_ACK, True),
        (failpoints.FP6_BEFORE_PUBLISH, True),
    ],
)
def test_a_fault_anywhere_in_the_batch_leaves_one_order(exchange, world, arm, name, stored_before_retry):
    alice = street.open_portfolio(world, "alice")
    epoch = ExchangeLease.objects.get(world=world).epoch
    order = street.new_order(alice.id, f"through-{name}")
    arm(name, "raise@1")
    first = ask_sync(world.number, order, timeout_s=10.0)
    if not stored_before_retry:
        assert first.outcome == "not_executed", first
        assert not Order.objects.exists()
    reply = insist(world, order)
    assert reply.replayed == (
        stored_before_retry and first.outcome != "executed" or first.outcome == "executed"
    )
    assert Order.objects.get().client_order_id == order.client_order_id
    assert ExchangeLease.objects.get(world=world).epoch > epoch
    assert invariants.reconcile(world).breaks == 0


def test_a_lost_commit_answer_is_found_out_not_guessed(exchange, world, arm):
    """Fault 4: the database committed, its answer never came, and alice is told the truth at once."""
    alice = street.open_portfolio(world, "alice")
    arm(failpoints.FP4_COMMIT_ANSWER, "raise@1")
    reply = ask_sync(world.number, street.new_order(alice.id, "lost"), timeout_s=10.0)
    assert (reply.outcome, reply.replayed) == ("executed", False)


@pytest.mark.parametrize("name", [failpoints.FP2_BETWEEN_INSERTS, failpoints.FP5_BEFORE_ACK])
def test_a_kill_in_the_batch_leaves_one_order(world, feed, child_env, name):
    with street.process(world, child_env, SIMGAME_FAILPOINTS=f"{name}=kill@2") as victim:
        alice = street.open_portfolio(world, "alice")
        order = street.new_order(alice.id, "through-a-kill")
        assert ask_sync(world.number, order, timeout_s=10.0).outcome == "unknown"
        assert victim.wait(street.PATIENCE_S) == -signal.SIGKILL
    assert Order.objects.exists() == (name == failpoints.FP5_BEFORE_ACK)
    heir = street.InThread(world)
    reply = ask_sync(world.number, order)
    assert (reply.outcome, reply.replayed) == ("executed", name == failpoints.FP5_BEFORE_ACK)
    heir.stop()
    assert Order.objects.count() == 1
    assert invariants.reconcile(world).breaks == 0


def test_a_leader_that_slept_through_a_takeover_writes_nothing(world, feed, child_env):
    with street.process(world, child_env) as sleeper:
        alice = street.open_portfolio(world, "alice")
        old_path = ExchangeLease.objects.get(world=world).address.removeprefix("unix:")
        os.kill(sleeper.pid, signal.SIGSTOP)
        late = street.new_order(alice.id, "to-the-sleeper")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as waiting:
            waiting.settimeout(street.PATIENCE_S)
            waiting.connect(old_path)
            waiting.sendall(frame(encode_requests([Request(1, late)])))  # the kernel keeps it
            heir = street.InThread(world)
            os.kill(sleeper.pid, signal.SIGCONT)
            assert sleeper.wait(street.PATIENCE_S) == 4
            heard = Deframer().feed(waiting.recv(65_536))
        assert all(reply.outcome == "not_executed" for body in heard for reply in decode_replies(body))
        assert not Order.objects.exists()
        assert ask_sync(world.number, late).outcome == "executed"
        heir.stop()
    assert invariants.reconcile(world).breaks == 0


def test_a_leader_that_sleeps_with_half_a_batch_sent_does_not_keep_the_world(world, feed):
    """Its transaction is open and holds the lease; nobody waits until it wakes."""
    former = street.InThread(world)
    alice = street.open_portfolio(world, "alice")
    former.stop()
    epoch = ExchangeLease.objects.get(world=world).epoch
    with connect("writer") as sleeper:
        half = Pipeline(sleeper).run([statements.BEGIN, statements.fence(world.number, epoch)])
        asyncio.run(half)  # the rest never comes
        successor = street.InThread(world)
        assert insist(world, street.new_order(alice.id, "awake")).outcome == "executed"
        successor.stop()
        assert sleeper.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE  # it never woke
        sleeper.close()


def test_of_two_exchanges_one_serves(exchange, world, child_env):
    alice = street.open_portfolio(world, "alice")
    with street.process(world, child_env):
        street.wait_for(lambda: exchange.exit_code == 4, "the first one to notice")
        insist(world, street.new_order(alice.id, "to-the-second"))  # it may still be recovering
    epochs = list(Command.objects.order_by("id").values_list("epoch", flat=True))
    assert epochs == sorted(epochs)


def test_the_database_ends_our_session_under_load(exchange, world):
    alice = street.open_portfolio(world, "alice")
    orders = [street.new_order(alice.id, f"load-{n}") for n in range(60)]
    done: list = []
    threads = [
        threading.Thread(target=lambda mine=orders[n::6]: done.extend(_insist_at(world, o) for o in mine))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for cut in range(3):
        street.wait_for(lambda wanted=10 * cut + 1: len(done) >= wanted, "progress")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'simgame exchange writer' AND datname = current_database()"
            )
    for thread in threads:
        thread.join()
    assert {reply.outcome for reply in done} == {"executed"}
    assert Order.objects.count() == 60
    assert invariants.reconcile(world).breaks == 0


def test_books_that_were_thrown_away_leave_the_memory(exchange, world):
    """They know themselves (an order its market, a market its orders) and were set aside when they were
    read: only the collector frees them, when the books are read anew."""
    alice = street.open_portfolio(world, "alice")
    insist(world, street.new_order(alice.id, "before"))
    loop = exchange.exchange._life.loop
    thrown_away = id(loop.applier.engine.state)
    loop.fail(RuntimeError("somebody doubts the books"))
    before = weakref.ref(loop)
    del loop
    insist(world, street.new_order(alice.id, "after"))
    street.wait_for(lambda: before() is None, "the life before to be over")
    collector.let_go()  # only to see them all
    now = exchange.exchange._life.loop.applier.engine.state
    kept = [each for each in gc.get_objects() if type(each) is State and each is not now]
    assert thrown_away not in map(id, kept)


class Cycle:
    """Only the collector frees it."""

    def __init__(self):
        self.itself = self


def test_the_exchange_has_the_collector_look_when_nobody_waits(exchange, world):
    alice = street.open_portfolio(world, "alice")
    cycles, kept = [], []

    def looked():
        """Among so much that is new, a cycle of before is gone. One of a busy moment may stay, unseen."""
        cycles.append(weakref.ref(Cycle()))
        kept.append([[number] for number in range(collector.NEW_WORTH_A_LOOK)])
        insist(world, street.new_order(alice.id, f"order-{len(cycles)}"))
        return any(cycle() is None for cycle in cycles)

    assert not gc.isenabled()
    street.wait_for(looked, "a look of the collector")
    exchange.stop()
    assert gc.isenabled()


def _insist_at(world, order):
    path = str(settings.RUN_DIR / f"exchange-{world.number}.sock")

    def settled():
        reply = ask_at(path, order, 5.0)
        return reply if reply.outcome == "executed" else None

    return street.wait_for(settled, "a certain answer")


def test_a_client_leaves_an_exchange_that_sleeps(world, feed):
    """A paused process keeps its connections: who waits for it in vain goes to the one that took over."""
    path = settings.RUN_DIR / f"exchange-{world.number}.sock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    ExchangeLease.objects.create(world=world, address=f"unix:{path}")

    async def ask_three_times() -> tuple[list[str], street.InThread]:
        client = ExchangeClient(world.number)
        heard = [(await client.ask(Status(), 0.2)).outcome]
        heir = await asyncio.to_thread(street.InThread, world)
        heard += [(await client.ask(Status(), 0.2)).outcome, (await client.ask(Status(), 10.0)).outcome]
        client.close()
        return heard, heir

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sleeper:
        sleeper.bind(str(path))
        sleeper.listen(8)
        heard, heir = asyncio.run(ask_three_times())
        heir.stop()
    assert heard == ["unknown", "unknown", "executed"]


def test_behind_a_rogue_lock_alice_hears_that_nothing_was_done(exchange, world):
    """Fault 19: nobody waits without end, and when the lock is gone the same request is executed once."""
    alice = street.open_portfolio(world, "alice")
    order = street.new_order(alice.id, "behind-a-lock")
    with connect("rogue") as rogue:
        rogue.execute("BEGIN")
        rogue.execute("LOCK TABLE trading_order IN ACCESS EXCLUSIVE MODE")
        told = ask_sync(world.number, order, timeout_s=10.0)
        rogue.execute("ROLLBACK")
    assert (told.outcome, told.code) == ("not_executed", "ENGINE_RECOVERING")
    assert not insist(world, order).replayed
    assert Order.objects.count() == 1
    assert invariants.reconcile(world).breaks == 0


@pytest.mark.parametrize(
    "text", ["nonsense", "fp1_before_begin=explode", "fp9=kill", "fp1_before_begin=kill@x"]
)
def test_a_wrong_failpoint_setting_says_what_would_be_right(text):
    with pytest.raises(SystemExit, match="fp1_before_begin"):
        failpoints.parse(text)
