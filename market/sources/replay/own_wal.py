"""Our own write-ahead log as a recording: a folder of segments with the `world.json` the feed put there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from market import errors
from market.feed import wal
from market.rulebook import PhaseNow
from market.sources.base import PastBar
from market.sources.items import Item
from market.sources.replay.facts import RecordingFacts
from market.ticks import Print, Quote
from simgame.kernel.clock import NS_PER_S

WORLD_FILE = "world.json"


class WorldFile(msgspec.Struct):
    """What the ticks of a WAL mean: written by the feed beside its segments."""

    slug: str
    name: str
    currency: str
    timezone: str
    rulebook: str
    hours: str
    instruments: list[dict[str, Any]]


class WalReader:
    name = "wal"

    def recognises(self, path: Path) -> bool:
        folder = path if path.is_dir() else path.parent
        return (
            (path.is_dir() or path.suffix == ".wal")
            and (folder / WORLD_FILE).is_file()
            and bool(_segments(path))
        )

    def open(self, path: Path, options: dict[str, Any]) -> WalRecording:
        return WalRecording(path)


class WalRecording:
    """Played by the ticks' own world time; refreshed quotes (nothing new in them) are left out."""

    def __init__(self, path: Path):
        self.path = path
        folder = path if path.is_dir() else path.parent
        try:
            world = msgspec.json.decode((folder / WORLD_FILE).read_bytes(), type=WorldFile)
        except msgspec.MsgspecError as error:
            raise errors.RecordingUnknown(f"{folder / WORLD_FILE} cannot be read: {error}.") from error
        first = last = 0
        for at_ns, _ in self.play():
            first, last = first or at_ns, at_ns
        if not first:
            raise errors.RecordingUnknown(f"{path} holds no tick.")
        day = datetime.fromtimestamp(first // NS_PER_S, UTC)
        self.facts = RecordingFacts(
            format="wal",
            slug=f"replay-{world.slug.removeprefix('replay-')}-{day:%Y%m%dt%H%M}"[:64],
            name=f"{world.name}, replay of {day:%Y-%m-%d}"[:80],
            recording=str(path),
            currency=world.currency,
            timezone=world.timezone,
            rulebook=world.rulebook,
            start_ns=first,
            end_ns=last,
            instruments=world.instruments,
            options={"hours": world.hours},
        )

    def phase(self, at_ns: int) -> PhaseNow | None:
        return None

    def previous_closes(self) -> dict[str, int]:
        return {}

    def history(self) -> Iterable[PastBar]:
        return ()

    def play(self) -> Iterator[tuple[int, Item]]:
        played_ns = 0
        heads: dict[str, tuple[int, int]] = {}
        for segment in _segments(self.path):
            for found in wal.scan(segment):
                if not isinstance(found, wal.Record):
                    continue
                written = wal.decode(found.payload)
                for tick in written if isinstance(written, list) else ():
                    if isinstance(tick, Quote):
                        head = (tick.source_epoch, tick.source_seq)
                        if heads.get(tick.symbol) == head and tick.source_seq:
                            continue
                        heads[tick.symbol] = head
                    if isinstance(tick, Quote | Print):
                        played_ns = max(played_ns, tick.at_ns)
                        yield played_ns, tick


def _segments(path: Path) -> list[Path]:
    return wal.segments(path) if path.is_dir() else [path]
