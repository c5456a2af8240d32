"""`manage.py chaos exchange`: a private town under load, one fault after another, a judgement after each."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import psycopg
import structlog
from django.core.management import call_command
from django.db import connections

from accounts import keys
from accounts.models import Player
from market import worlds
from market.models import World
from ops.chaos import recording, schedule
from ops.chaos.faults import FAULTS, FENCED
from ops.chaos.judge import Finding, Judge
from ops.chaos.town import InVain, Lines, Process, Town, left, python, wait_for
from ops.load.bench import machine, percentile
from simgame.embedded import Embedded, ServiceFailed
from simgame.kernel.clock import NS_PER_MS
from trading import games
from trading.exchange.client import ask_sync
from trading.exchange.wire import Status

ACKS_AFTER = 25  # a cycle is judged when so many orders were acked after the fault
GAVE_UP = 1  # exit code of a process that its supervisor starts again
WATCHERS = 2  # players that read their private stream
RECORDING = "market.csv"
log = structlog.get_logger(__name__)


class Drill:
    """One run. `options`: cycles, seed, rate, players, faults (names)."""

    def __init__(self, home: Path, options: dict[str, Any], out: TextIO = sys.stderr):
        self.home, self.options, self.out = home, options, out
        self.players: int = options["players"]
        self.findings: list[dict[str, Any]] = []
        self.cycles: list[dict[str, Any]] = []
        self.fenced = self.gave_up = 0
        self.interrupted = False
        self.town: Town
        self.judge: Judge
        self.load: Lines
        self.world: World

    def run(self) -> dict[str, Any]:
        """The report. Whatever happens, nothing of the town is left running afterwards."""
        began = time.monotonic()
        with ExitStack() as stack:
            services = stack.enter_context(Embedded(self.home, durable=True))
            self.town = Town(self.home, dict(os.environ), services)
            stack.callback(self.town.close)
            stack.callback(connections.close_all)
            self._prepare()
            try:
                for step in schedule.steps(
                    self.options["cycles"], self.options["seed"], self.options["faults"]
                ):
                    self._cycle(step)
                self._end()
            except KeyboardInterrupt:
                self._say("stopped; this is what was seen until then")
        return self._report(time.monotonic() - began)

    def interrupt(self, *_: Any) -> None:
        """A signal handler: the drill ends as soon as it may, also where a library swallows the exception."""
        self.interrupted = True
        raise KeyboardInterrupt

    # --- what faults use -----------------------------------------------------------------------------

    def wait_for_acks(self, since_ns: int, count: int) -> None:
        """Requests that were sent after that moment and executed. Raises InVain."""
        wait_for(lambda: self._acks(since_ns) >= count, f"{count} acks")

    def acks_between(self, low_ns: int, high_ns: int) -> int:
        self.judge.read()
        return sum(low_ns < sent and answered < high_ns for sent, answered in self.judge.acks_ns)

    def expect_fenced(self, former: Process) -> None:
        """An exchange that was taken over leaves by itself, with its own exit code. Raises InVain."""
        code = left(former, "the exchange that was taken over")
        self.town.retired = [process for process in self.town.retired if process is not former]
        if code != FENCED:
            raise InVain(f"the exchange that was taken over left with {code}, not {FENCED}")
        self.fenced += 1

    def heal_database(self) -> None:
        self.town.heal()
        connections.close_all()
        connections["default"].close_pool()  # ours knew the server that is gone

    @property
    def symbols(self) -> list[str]:
        return list(self.world.instruments.order_by("symbol").values_list("symbol", flat=True))

    # --- the run -------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._say("a private durable PostgreSQL, a market with short days, players")
        call_command("migrate", verbosity=0, skip_checks=True)
        path = self.home / RECORDING
        recording.write(path, self.options["seed"])
        self.world = worlds.ensure(f"replay:{path}")
        self.town.world = self.world.slug
        for name in ("feed", "exchange", "web"):
            self.town.start(name)
        wait_for(lambda: ask_sync(self.world.number, Status()).result.get("tick_seq"), "a serving exchange")
        season = games.ensure_season(self.world)
        players = [self._player(number, season) for number in range(self.players)]
        folder = self.home / "acks"
        folder.mkdir()
        portfolios = [player["portfolio"] for player in players]
        self.judge = Judge(self.world, folder, portfolios, portfolios[:WATCHERS])
        self.load = Lines(self.town.start("load", python("ops.chaos.load", folder)))
        asked = {name: self.options[name] for name in ("rate", "seed")}
        asked |= {"port": self.town.port, "world": self.world.slug, "players": players, "watchers": WATCHERS}
        self.load.tell(json.dumps(asked))
        self.load.expect("ready")
        began = time.monotonic_ns()
        self.load.tell("go")
        self.wait_for_acks(began, ACKS_AFTER)

    def _player(self, number: int, season: Any) -> dict[str, Any]:
        player = Player.objects.create(username=f"player{number}")
        portfolio = games.join(player, season)
        if portfolio.status != "active":
            raise InVain(f"the exchange did not open the books of player {number}")
        key, secret = keys.make(player.id, portfolio.id)
        headers = {"APCA-API-KEY-ID": key.key_id, "APCA-API-SECRET-KEY": secret}
        return {"portfolio": portfolio.id, "headers": headers}

    def _cycle(self, step: schedule.Step) -> None:
        """Inject, wait until it trades again, pause the load, judge, go on."""
        self._show(step, "…")
        facts: dict[str, Any] = {"cycle": step.cycle, "fault": step.fault}
        try:
            since = FAULTS[step.fault].inject(self, step.chance)
            self.wait_for_acks(since, ACKS_AFTER)
            facts["first_ack_ms"] = round((self.judge.first_ack_ns(since) - since) / NS_PER_MS)
            self._heal_processes()
        except (InVain, ServiceFailed, psycopg.Error, OSError) as error:
            self._found(step, [Finding("vain", f"{type(error).__name__}: {error}")])
            self._begin_anew()
        self._pause()
        try:
            self._found(step, self.judge.judge())
        except (InVain, psycopg.Error, OSError) as error:
            self._found(step, [Finding("vain", f"judging: {error}", {"trace": traceback.format_exc()})])
        self.load.tell("go")
        self.cycles.append(facts)
        self._show(step, f"{facts.get('first_ack_ms', '-')} ms")

    def _pause(self) -> None:
        self.load.tell("pause")
        self.load.expect("paused")

    def _heal_processes(self) -> None:
        """Whoever left without being asked is a finding; then it is started again."""
        for name in ("feed", "exchange", "web", "load"):
            code = self.town.running[name].poll()
            if code is not None:
                raise InVain(f"{name} left with {code}: {self.town.last_words(name)}")

    def _begin_anew(self) -> None:
        """After a finding the drill goes on with fresh processes."""
        for process in self.town.retired:
            process.kill()
        self.heal_database()
        for name in ("feed", "exchange", "web"):
            self.town.kill(name)
            self.town.start(name)
        began = time.monotonic_ns()
        self.wait_for_acks(began, 1)

    def _end(self) -> None:
        self._pause()
        self._found(None, self.judge.judge() + self.judge.judge_everything())
        self.load.tell("stop")
        self.load.expect("stopped")
        for name in ("exchange", "web", "feed"):
            code = self.town.stop(name)
            if code not in (0, -15):
                self._found(None, [Finding("vain", f"{name} left with {code} when it was asked to stop")])

    def _found(self, step: schedule.Step | None, findings: list[Finding]) -> None:
        if self.interrupted:  # what broke, broke because of that
            raise KeyboardInterrupt
        for finding in findings:
            at = {"cycle": step.cycle, "fault": step.fault} if step else {"cycle": 0, "fault": "end"}
            self.findings.append(at | asdict(finding))
            self._say(f"FINDING in cycle {at['cycle']} ({at['fault']}): {finding.kind}: {finding.what}")
        if findings:
            text = json.dumps(self.findings, indent=1, default=str)
            (self.home / "findings.json").write_text(text, encoding="utf-8")

    def _acks(self, since_ns: int) -> int:
        if self.load.process.poll() is not None:
            raise InVain(f"the load ended: {self.town.last_words('load')}")
        for name in ("exchange", "feed", "web"):
            if self.town.running[name].poll() == GAVE_UP:
                self.gave_up += 1
                self.town.restart(name)
        self.judge.read()
        return self.judge.acks_since(since_ns)

    # --- words ---------------------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        print(f"\r\x1b[K{line}" if self.out.isatty() else line, file=self.out, flush=True)

    def _show(self, step: schedule.Step, word: str) -> None:
        total, width = self.options["cycles"], 24
        bar = "█" * (step.cycle * width // total)
        acked = self.judge.counts["acked"]
        line = f"{bar:·<{width}} {step.cycle}/{total} {step.fault:<22} {word:>9}"
        line += f"  {acked:,} acks, {len(self.findings)} findings"
        if self.out.isatty():
            print(f"\r\x1b[K{line}", end="", file=self.out, flush=True)
        elif word != "…":
            print(line, file=self.out, flush=True)

    def _report(self, seconds: float) -> dict[str, Any]:
        counts = self.judge.counts
        by_kind = Counter(finding["kind"] for finding in self.findings)
        return {
            "drill": "exchange",
            "seed": self.options["seed"],
            "cycles": len(self.cycles),
            "interrupted": self.interrupted,
            "seconds": round(seconds, 1),
            "machine": machine(),
            "wishes": counts["acked"] + counts["refused"],
            "acked": counts["acked"],
            "asked_again": counts["asked_again"],
            "statuses": dict(sorted(self.judge.statuses.items())),
            **{kind: by_kind[kind] for kind in ("lost", "changed", "doubled", "lied")},
            "unanswered": counts["unanswered"],
            "fenced": self.fenced,
            "gave_up": self.gave_up,
            "hashes_equal": counts["hashes"] - by_kind["hash"],
            "replays": counts["replays"] - by_kind["replay"],
            "commands_replayed": counts["replayed"],
            "pushed": counts["pushed"],
            "reads": counts["reads"],
            "first_ack_ms": self._recovery(),
            "findings": self.findings,
        }

    def _recovery(self) -> dict[str, dict[str, Any]]:
        """Per fault: how often, and from its end to the first ack, in milliseconds."""
        found: dict[str, dict[str, Any]] = {}
        for name in dict.fromkeys(cycle["fault"] for cycle in self.cycles):
            times = [c["first_ack_ms"] for c in self.cycles if c["fault"] == name and "first_ack_ms" in c]
            found[name] = {
                "cycles": sum(cycle["fault"] == name for cycle in self.cycles),
                "p50": percentile(times, 0.5),
                "max": max(times, default=None),
            }
        return found


def remove(home: Path) -> None:
    Embedded(home).wipe()
    shutil.rmtree(home, ignore_errors=True)
