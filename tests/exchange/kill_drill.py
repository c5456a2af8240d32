"""Players trade and the exchange is killed under them, again and again; then every ack is looked up.

    python -m tests.exchange.kill_drill --cycles 4      (prints one JSON object; exit 1 when an ack lied)

It runs on its own SIMGAME_HOME with a durable PostgreSQL. The ack log lies outside the system: intent
and answer of each request are written and fsynced around the call (oracle O1, invariant I23).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command
from django.db import connection

from simgame import env
from simgame.embedded import Embedded

PLAYERS = 8
ACKS_PER_CYCLE = 120


class AckLog:
    """One player's diary: what they sent, what they were told."""

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, **entry: Any) -> None:
        os.write(self._file, json.dumps(entry).encode() + b"\n")
        os.fsync(self._file)


class Player(threading.Thread):
    """Sends orders one after another and asks again, with the same key, until the answer is certain."""

    def __init__(self, number: int, portfolio: int, path: str, folder: Path, over: threading.Event):
        super().__init__()
        self.number, self.portfolio, self.path, self.over = number, portfolio, path, over
        self.log = AckLog(folder / f"player-{number}.log")
        self.chance = random.Random(number)
        self.acks = 0

    def run(self) -> None:
        count = 0
        while not self.over.is_set():
            count += 1
            self._send(self._next(f"p{self.number}-{count}"))

    def _next(self, key: str) -> Any:
        price, side = self.chance.choice([(1001, "buy"), (905, "buy"), (920, "buy"), (1000, "sell")])
        return street.new_order(self.portfolio, key, side=side, limit_price=price)

    def _send(self, order: Any) -> None:
        self.log.write(intent=order.client_order_id)
        while True:
            reply = ask_at(self.path, order, 5.0)
            if reply.outcome == "executed":
                self.log.write(acked=order.client_order_id, result=reply.result)
                self.acks += 1
                return
            self.over.wait(0.02)


def judge(logs: list[Path], world: Any) -> dict[str, int]:
    """Compare what players were told with what the database holds."""
    told = {}
    for path in logs:
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if "acked" in entry:
                told[entry["acked"]] = entry["result"]
    rows = list(Command.objects.filter(kind="new_order").values_list("client_id", "result"))
    stored = dict(rows)
    orders = Order.objects.count()
    return {
        "acked": len(told),
        "lost": sum(key not in stored for key in told),
        "changed": sum(key in stored and stored[key] != result for key, result in told.items()),
        "doubled": len(rows) - len(stored) + max(0, orders - len(stored)),
        "breaks": invariants.reconcile(world).breaks,
    }


def drill(cycles: int, services: Embedded) -> dict[str, int]:
    world = street.make_world()
    feed = street.Feed(world)
    child = street.start_process(world, dict(os.environ))
    street.wait_until_serving(world)
    folder = Path(os.environ["SIMGAME_HOME"]) / "acks"
    folder.mkdir()
    over = threading.Event()
    path = str(Path(settings.RUN_DIR) / f"exchange-{world.number}.sock")
    portfolios = [street.open_portfolio(world, f"player{n}").id for n in range(PLAYERS)]
    players = [Player(n, portfolio, path, folder, over) for n, portfolio in enumerate(portfolios)]
    for player in players:
        player.start()

    def more_acks(wanted: int) -> None:
        before = sum(player.acks for player in players)
        street.wait_for(lambda: sum(player.acks for player in players) >= before + wanted, "acks", 60.0)

    for cycle in range(cycles):
        more_acks(ACKS_PER_CYCLE + cycle)
        street.end(child)
        child = street.start_process(world, dict(os.environ))
    more_acks(ACKS_PER_CYCLE)
    os.kill(services.pids()["PostgreSQL"], 9)
    services.start()
    connection.close()  # ours knew the server that is dead
    connection.close_pool()
    more_acks(ACKS_PER_CYCLE)
    over.set()
    for player in players:
        player.join()
    child.terminate()
    clean = child.wait(street.PATIENCE_S)
    feed.close()
    return judge(sorted(folder.iterdir()), world) | {"kills": cycles + 1, "exit": clean}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=4)
    cycles = parser.parse_args().cycles
    report = drill(cycles, services)
    print(json.dumps(report))
    return 1 if report["lost"] or report["changed"] or report["doubled"] or report["breaks"] else 0


if __name__ == "__main__":
    with Embedded(env.home(), durable=True) as services:
        django.setup()
        call_command("migrate", verbosity=0, skip_checks=True)
        from django.conf import settings

        from tests.exchange import street
        from trading import invariants
        from trading.exchange.client import ask_at
        from trading.models import Command, Order

        sys.exit(main())
