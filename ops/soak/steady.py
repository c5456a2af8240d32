"""`manage.py soak`: a steady stream for as long as it is told, counted message by message."""

from __future__ import annotations

import time

from ops.soak.drill import Drill
from ops.soak.ledger import amount
from ops.soak.place import Facts, Place

LOOK_S = 1.0
QUEUE_MAX = 5_000  # waiting in the feed at a checkpoint: a second of the stream


class Steady(Drill):
    name = "steady"

    def settle(self) -> Place:
        return Place(self.home, self.say, links=self.options["links"])

    def work(self) -> None:
        place, rate = self.place, self.options["rate"]
        self.before = place.usage()
        self.wall = time.monotonic()
        if place.links:
            place.links.say("begin")
        place.venue("go", rate=rate)
        end = time.monotonic() + self.options["for"]
        while time.monotonic() < end:
            time.sleep(LOOK_S)
            place.read()
            self.checkpoint()

    def look(self) -> Facts:
        place = self.place
        sent, status, usage = place.venue("facts"), place.status(), place.usage()
        seconds = time.monotonic() - self.wall
        self.spent = {name: one.cpu_s - self.before[name].cpu_s for name, one in usage.items()}
        self.seconds = seconds
        ingress = status["ingress"] if status else {}
        self._judge_queue(ingress.get("waiting"), sent)
        latency = place.links.say("facts")["latency"]["end_to_end"] if place.links else {}
        return {
            "sent": sent["sent"],
            "kept": place.ledger.count,
            "behind": sent["sent"]
            - place.ledger.count
            + len(place.symbols),  # one quote each before the first
            "waiting": ingress.get("waiting"),
            "longest": ingress.get("longest"),
            "socket_bytes": sent["waiting"],
            "late_ms": sent["late_ms_max"],
            **{f"{name}_cpu": round(cpu / seconds, 3) for name, cpu in self.spent.items()},
            "feed_mb": round(usage["feed"].rss_mb, 1),
            "wal_mb": round(place.tail.bytes / 1e6),
            "p99_ms": latency.get("p99_ms"),
        }

    def _judge_queue(self, waiting: int | None, sent: Facts) -> None:
        if waiting is None:
            self.found("silent", "the feed did not answer")
        elif waiting > QUEUE_MAX:
            self.found("queue", f"{waiting} messages were waiting in the feed")
        if sent["cut_slow"]:
            self.found("slow", "the venue cut the feed off: it did not read")

    def judge(self) -> None:
        place = self.place
        place.venue("pause")
        place.drain()
        heads = place.venue("facts")["heads"]
        links = place.wait_for_links()
        absent, ledger = place.ledger.absent(heads), place.ledger
        self.expect_none("lost", amount(absent), "messages of the venue are not in the log")
        self.expect_none("doubled", len(ledger.doubled), "messages are in the log twice")
        self.expect_none("seq", len(ledger.seq_breaks), "jumps in the feed's own numbers")
        self.expect_none("gaps", len(ledger.gaps), "gaps were told, and nothing was missing")
        for number, link in enumerate(links["links"] if links else ()):
            self.expect_none("downstream", link["missing"] + link["doubled"], f"wrong at downstream {number}")
        self.judge_bars()
        status = place.status() or {}
        self.facts = {
            "sent": amount({s: [(ledger.firsts[s], last)] for s, last in ledger.heads.items()})
            + amount(absent),
            "kept": ledger.count,
            "lost": amount(absent),
            "doubled": len(ledger.doubled),
            "bars": len(ledger.bars),
            "cpu_of_a_core": {name: round(cpu / self.seconds, 3) for name, cpu in self.spent.items()},
            "cpu_us_per_message": round(self.spent["feed"] / max(1, ledger.count) * 1e6, 1),
            "rss_mb": [c["feed_mb"] for c in self.checkpoints[:: max(1, len(self.checkpoints) // 12)]],
            "longest_queue": status.get("ingress", {}).get("longest"),
            "latency": links["latency"] if links else None,
        }
