"""The stage of `bench ingest`, in a process whose home is the bench's own: one line of JSON in, one out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from django.conf import settings

from market.feed.ingress import Policy
from ops.chaos.town import Lines, python, wait_for
from ops.load import ingest_clock
from ops.load.bench import Report
from ops.soak.ledger import amount
from ops.soak.place import Place, Speaker, say

FULL_S = 20.0  # at most, until a queue is full
LOOK_S = 0.1
STILL_S = 30.0  # nothing more comes: a feed that the machine gives little to may stand still for seconds


class Stage:
    def __init__(self, place: Place, asked: dict[str, Any]):
        self.place, self.asked = place, asked
        self.seconds: float = asked["seconds"]

    def run(self) -> dict[str, Report]:
        ours = self._of_the_feed()
        ours |= self._with(Policy.DROP_NEWEST) | self._with(Policy.DROP_OLDEST)
        self.place.town.stop("feed")
        say("the peer: JSON to Redis, the same messages")
        return {"ours": ours, "peer": self._of_the_peer()}

    def _of_the_feed(self) -> Report:
        place = self.place
        say(f"{self.asked['rate']:,.0f} messages a second, {self.asked['links']} downstreams")
        assert place.links is not None
        paced = self._paced(place.links, "feed")
        place.drain()
        place.wait_for_links()
        say("a burst")
        burst = self._burst()
        say("as many as it takes")
        peak = self._peak(place.links, "feed")
        place.drain()
        stages = ingest_clock.measure(place.home, place.symbols)
        stages["sockets, loop, Redis"] = round(peak["cpu_us_per_message"] - sum(stages.values()), 1)
        return {
            **paced,
            "peak_per_s": peak["per_s"],
            "peak_cpu_us": peak["cpu_us_per_message"],
            "burst": burst,
            "cpu_us_by_stage": stages,
        }

    def _paced(self, links: Speaker, name: str) -> Report:
        """Latencies and cost at the pace that was asked for."""
        place = self.place
        place.venue("go", rate=self.asked["rate"])
        time.sleep(1.0)
        links.say("begin")
        began, before, sent = time.monotonic(), place.usage(), place.venue("facts")["sent"]
        time.sleep(self.seconds)
        after, facts, said = place.usage(), links.say("facts"), place.venue("pause")
        seconds, count = time.monotonic() - began, max(1.0, facts["counted"] / self.asked["links"])
        cpu_s = after[name].cpu_s - before[name].cpu_s
        return {
            "rate": round((said["sent"] - sent) / seconds),
            "passed_on_per_s": round(count / seconds),
            **{
                f"{kind}_{part}": value
                for kind, parts in facts["latency"].items()
                for part, value in parts.items()
            },
            "cpu_us_per_message": round(cpu_s / count * 1e6, 1),
            "share_of_a_core": round(cpu_s / seconds, 3),
            "venue_late_ms": said["late_ms_max"],
            "downstreams": self.asked["links"],
        }

    def _peak(self, links: Speaker, name: str) -> Report:
        """The venue's socket is always full; how many reach every downstream."""
        place = self.place
        place.venue("flood")
        time.sleep(1.0)
        links.say("begin")
        before = place.usage()
        time.sleep(self.seconds)
        after, facts = place.usage(), links.say("facts")
        place.venue("pause")
        seconds = (facts["last_ns"] - facts["first_ns"]) / 1e9
        count = facts["counted"] / self.asked["links"]
        cpu_s = after[name].cpu_s - before[name].cpu_s
        return {"per_s": round(count / seconds), "cpu_us_per_message": round(cpu_s / count * 1e6, 1)}

    def _burst(self) -> Report:
        """With `block`: all of them arrive, however long it takes."""
        count = self.asked["burst"]

        def burst() -> None:
            self.place.venue("burst", count=count, rate=float(count))
            wait_for(lambda: not self.place.venue("facts")["bursting"], "the end of the burst")

        began = time.monotonic()
        counted = self._counted(burst)
        return {**counted, "seconds_until_all_are_in": round(time.monotonic() - began, 2)}

    def _with(self, policy: Policy) -> Report:
        """A feed that may drop is flooded until it does; every message is kept or counted as dropped."""
        place = self.place
        say(f"policy {policy}: a flood until the queue is full")
        place.town.stop("feed")
        place.start_feed(SIMGAME_FEED_POLICY=str(policy))
        return {str(policy): self._counted(self._flood_until_full)}

    def _flood_until_full(self) -> None:
        self.place.venue("flood")
        until = time.monotonic() + FULL_S
        while not self._dropped() and time.monotonic() < until:
            time.sleep(0.2)
        self.place.venue("pause")

    def _counted(self, speak: Callable[[], None]) -> Report:
        """Sent by the venue's numbers, kept by the log's, dropped by the feed's own counters."""
        place = self.place
        place.drain()
        place.wake()
        sent, kept, dropped = place.venue("facts")["sent"], place.ledger.count, self._dropped()
        missing, connections = amount(place.ledger.missing), place.venue("facts")["connections"]
        speak()

        def so_far() -> Report:
            place.read()
            return {
                "sent": place.venue("facts")["sent"] - sent,
                "kept": place.ledger.count - kept,
                "dropped": self._dropped() - dropped,
            }

        counts = self._settled(so_far)
        place.wake()
        return {
            **counts,
            "holes_in_the_log": amount(place.ledger.missing) - missing,
            "longest_queue": self._ingress().get("longest"),
            "reconnects": place.venue("facts")["connections"] - connections,
        }

    def _settled(self, so_far: Callable[[], Report]) -> Report:
        """What `so_far` says when each message is kept or dropped, or nothing has changed for STILL_S."""
        before, changed_s = so_far(), time.monotonic()
        while (now := so_far())["sent"] != now["kept"] + now["dropped"]:
            if now != before:
                before, changed_s = now, time.monotonic()
            elif time.monotonic() - changed_s > STILL_S:
                break
            time.sleep(LOOK_S)
        return now

    def _ingress(self) -> Report:
        return dict((self.place.status() or {}).get("ingress", {}))

    def _dropped(self) -> int:
        ingress = self._ingress()
        return int(ingress.get("dropped_newest", 0) + ingress.get("dropped_oldest", 0))

    def _of_the_peer(self) -> Report:
        place = self.place
        asked = {"url": settings.BINANCE_WS, "redis": settings.REDIS_URL, "links": self.asked["links"]}
        asked |= {"symbols": place.symbols, "stamps": str(place.home / "stamps")}
        readers = Speaker(
            Lines(place.town.start("peer_links", python("ops.load.ingest_peer", "links"))), asked
        )
        Speaker(Lines(place.town.start("peer", python("ops.load.ingest_peer", "feed"))), asked)
        wait_for(lambda: place.venue("facts")["sockets"] == 1, "the peer's subscription")
        paced = self._paced(readers, "peer")
        wait_for(lambda: not place.venue("facts")["waiting"], "the peer to read what was said")
        peak = self._peak(readers, "peer")
        return {"name": "json + redis publish", **paced, "peak_per_s": peak["per_s"],
                "peak_cpu_us": peak["cpu_us_per_message"]}  # fmt: skip


def main(asked: dict[str, Any]) -> None:
    with Place(Path(settings.HOME), say, links=asked["links"]) as place:
        found = Stage(place, asked).run()
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
