"""One world's journal replayed and, when asked, held against the database, all in one snapshot."""

from __future__ import annotations

from typing import Any

import msgspec

from market.models import World
from simgame.kernel import clock
from trading.exchange import ticks
from trading.exchange.streams import Streams
from trading.exchange.version import engine_version
from trading.proof import journal, progress
from trading.proof.compare import Comparison, Difference, stored_hash
from trading.proof.journal import Connection
from trading.proof.replay import Astray, Replay


class Report(msgspec.Struct):
    """What a replay found. `state_hash` is the replay's, `stored_hash` the one of the database's rows."""

    world: str
    head: int  # of the journal
    last: int  # the last command replayed
    commands: int = 0
    heard: int = 0
    recoveries: int = 0
    engine: str = ""
    engines: dict[str, int] = {}  # versions that decided → from which command on
    state_hash: str = ""
    stored_hash: str = ""  # empty when the replay does not reach the head, or nothing was to be verified
    compared: dict[str, int] = {}
    difference: Difference | None = None
    seconds: float = 0.0

    @property
    def other_engines(self) -> list[str]:
        return [each for each in self.engines if each != self.engine]

    def as_dict(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)


def replay_world(world: World, *, first: int = 1, last: int = 0, verify: bool = False) -> Report:
    """`last` 0: to the head. Raises UnreadableJournal, NotReplayable."""
    began = clock.monotonic_s()
    scales = ticks.Rules(world)
    scales.of(0)
    with journal.snapshot() as connection:
        head = journal.head(connection, world.number)
        report = Report(world.slug, head, min(last or head, head), engine=engine_version())
        replay = Replay(world.number, Streams(world.number, world.stream_epoch, scales.scales, {}))
        try:
            report.difference = _follow(connection, replay, report, first, verify=verify)
        except Astray as astray:
            what = Difference(
                astray.seq, "engine", str(astray.seq), str(astray), astray.stored, astray.replayed
            )
            report.difference = what
    report.commands, report.heard, report.recoveries = replay.seq, replay.heard, replay.recoveries
    report.engines = replay.engines
    report.seconds = round(clock.monotonic_s() - began, 3)
    return report


def _follow(
    connection: Connection, replay: Replay, report: Report, first: int, *, verify: bool
) -> Difference | None:
    comparison = Comparison(connection, replay.world, replay.streams.body, first=first)
    report.compared = comparison.compared
    said = journal.read(connection, replay.world, report.last)
    with progress.bar(f"Replaying {report.world}", report.last) as advance:
        for chunk in replay.chunks(said):
            if verify and (difference := comparison.chunk(chunk)):
                return difference
            advance(len(chunk.stored))
    report.state_hash = replay.state_hash()
    if not verify or report.last < report.head:
        return None
    if difference := comparison.end(replay):
        return difference
    report.stored_hash = stored_hash(connection, replay)
    if report.stored_hash != report.state_hash:
        hashes = report.stored_hash, report.state_hash
        return Difference(replay.seq, "state", "all", "hash", *hashes)
    return None
