"""Bench of recovery: the exchange is killed with -9 under open orders; how long until the next ack?

Kill, the supervisor's pause before a restart, the start of Python and Django, taking the lease over,
reading and checking the books, the feed's snapshot, and one order committed. The peer is the same exchange
without an open order, in the same run: what the books cost is the difference.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ops.load.bench import Report, Say, percentile, positive_int, report
from ops.load.orders_client import processor_s
from ops.load.processes import NOT_OURS, SETTINGS, manage, process, python, read, write
from simgame import embedded
from simgame.kernel import clock, ids
from simgame.supervisor import BACKOFF_S
from trading.engine.commands import NewOrder
from trading.exchange.client import ask_at

HELP = "From kill -9 of the exchange to its next ack, with many open orders."
ASK_S = 30.0
PATIENCE_S = 600.0
PAUSE_S = 0.005


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--orders", type=positive_int, default=100_000, help="open when it is killed")
    parser.add_argument("--kills", type=positive_int, default=3, help="of each measurement")
    parser.add_argument("--keep", action="store_true", help="leave the bench's home for a look")


def run(options: dict[str, Any], say: Say) -> Report:
    """Raises RuntimeError, with what the process said, when something does not start."""
    home = Path(tempfile.mkdtemp(prefix="simgame-bench-"))
    home.chmod(0o755)
    try:
        began = time.monotonic()
        ours, peer = _measure(home, options, say)
        return report("recovery", round(time.monotonic() - began, 1), ours, peer, "kill_to_ack_s")
    finally:
        if options["keep"]:
            say(f"the bench's home is {home}")
        else:
            embedded.Embedded(home).wipe()
            shutil.rmtree(home, ignore_errors=True)


def _measure(home: Path, options: dict[str, Any], say: Say) -> tuple[Report, Report]:
    clean = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    env_ = clean | SETTINGS | {"SIMGAME_HOME": str(home), "DJANGO_SETTINGS_MODULE": "simgame.settings"}
    with ExitStack() as stack:
        say("a private durable PostgreSQL, migrations, the seeded world")
        stage = stack.enter_context(python("ops.load.recovery_stage", [], env_))
        read(stage)
        stack.enter_context(process([manage(), "run_feed", "--world", "seeded"], env_))
        exchange = Exchange(stack, home, env_)
        write(stage, "open")
        order = read(stage)
        peer = exchange.kills(options["kills"], order)
        say(f"without open orders: {peer['kill_to_ack_s']} s")
        write(stage, f"fill {options['orders']}")
        say(f"{read(stage)['filled']:,} open orders")
        ours = exchange.kills(options["kills"], order)
        say(f"with them: {ours['kill_to_ack_s']} s")
    return {"orders": options["orders"], **ours}, {"name": "no open orders", "orders": 0, **peer}


class Exchange:
    """The process that is killed, and what is asked of it."""

    def __init__(self, stack: ExitStack, home: Path, env_: dict[str, str]):
        self.stack, self.env = stack, env_
        self.path = str(embedded.run_dir(home) / "exchange-1.sock")
        self.start()

    def start(self) -> None:
        command = [manage(), "run_exchange", "--world", "seeded"]
        self.process = self.stack.enter_context(process(command, self.env))

    def kills(self, count: int, order: dict[str, Any]) -> Report:
        times = []
        cpu_s = []
        for _ in range(count):
            times.append(self._kill(order))
            cpu_s.append(self._processor_s())
        return {
            "kill_to_ack_s": percentile(times, 0.5),
            "worst_s": max(times),
            "exchange_cpu_s": percentile(cpu_s, 0.5),
        }

    def _processor_s(self) -> float:
        """What the new process worked from its start to its first ack: tells on a busy machine too.

        Linux only; elsewhere 0.
        """
        return round(processor_s(self.process.pid), 2) if Path("/proc/self/stat").exists() else 0.0

    def _kill(self, order: dict[str, Any]) -> float:
        self._ask(order)
        began = time.monotonic()
        self.process.kill()
        self.process.wait()
        time.sleep(BACKOFF_S[0])
        self.start()
        self._ask(order)
        return round(time.monotonic() - began, 2)

    def _ask(self, order: dict[str, Any]) -> None:
        """One order, until it is acknowledged."""
        key = str(ids.uuid7())
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            until = clock.now_ns() + int(ASK_S) * clock.NS_PER_S
            wanted = NewOrder(order_id=key, client_order_id=f"probe-{key}"[:40], deadline_ns=until, **order)
            reply = ask_at(self.path, wanted, ASK_S)
            if reply.outcome == "executed":
                if reply.code:
                    raise RuntimeError(f"an order that should rest was rejected: {reply.code} {reply.detail}")
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"the exchange ended with {self.process.returncode}, see above")
            time.sleep(PAUSE_S)
        raise RuntimeError(f"no ack within {PATIENCE_S:g} s")
