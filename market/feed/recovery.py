"""What a feed knows after a restart: the checkpoint, and the WAL from there on.

For state and bars the checkpoint is a shortcut: without it the same comes from reading the whole WAL.
For the source it is more: what only `Source.save` knows (the seeded market's chance) is nowhere else.
So the one before is kept too: when a torn tail takes what the newest one knew, the one before still
fits, and the WAL tells the rest.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import msgspec
import structlog

from market.feed import wal
from market.feed.bars import STORED, Bar, BarBuilder, Key, Series
from market.feed.state import WorldState
from market.ticks import Print, Quote

FILE = "checkpoint"
BEFORE = "checkpoint.before"
VERSION = 1

log = structlog.get_logger(__name__)


class StoredBar(msgspec.Struct, array_like=True):
    symbol: str
    interval: str
    bar: Bar


class Checkpoint(msgspec.Struct, array_like=True):
    """Everything up to the byte `offset` of `segment`."""

    version: int
    segment: str
    offset: int
    state: WorldState
    series: dict[str, Series]
    last: Quote | Print | None  # of the source
    source: bytes  # Source.save()
    unwritten: list[StoredBar]  # bars that the database did not have yet
    record: int = 0  # where the last record before `offset` begins


class Recovered:
    """State, bars and the source's last tick, as the WAL tells them."""

    def __init__(self, checkpoint: Checkpoint | None = None):
        self.state = checkpoint.state if checkpoint else WorldState()
        day = self.state.phase.market_day if self.state.phase else 0
        self.bars = BarBuilder(checkpoint.series if checkpoint else None, day)
        self.last = checkpoint.last if checkpoint else None
        self.heads: dict[tuple[str, bool], Quote | Print] = {}
        self.source = checkpoint.source if checkpoint else b""
        self.happened: list[bytes] = []  # to the source, since the checkpoint
        self.begun = checkpoint is not None
        self.cut = False  # a torn tail was cut: what the database heard of it must be said anew
        for stored in checkpoint.unwritten if checkpoint else ():
            self.bars.dirty[stored.symbol, stored.interval, stored.bar.start] = stored.bar

    def apply(self, written: wal.Written) -> None:
        self.begun = True
        if isinstance(written, wal.GapRecord):
            self.bars.gap(written.gap)
            return
        if isinstance(written, wal.SettledRecord):
            self.state.settled[written.symbol] = (written.market_day, written.price)
            return
        if isinstance(written, wal.SkippedRecord):
            self.state.day(written.symbol).join(written.trades)
            return
        if isinstance(written, wal.Filled):
            self.bars.fill(written.symbol, written.interval, written.bar)
            return
        if isinstance(written, wal.Happened):
            self.happened.append(written.event)
            return
        if isinstance(written, wal.Begin):
            self.bars.series.update(written.series)
            self.state.days.update(written.days)
            return
        for tick in written:
            self.state.apply(tick)
            self.bars.apply(tick)
            if isinstance(tick, Quote | Print):
                self.heads[tick.symbol, isinstance(tick, Print)] = tick
                if self.last is None or _place(tick) > _place(self.last):
                    self.last = tick


def _place(tick: Quote | Print) -> tuple[int, int]:
    return tick.source_epoch, tick.source_seq


def recover(folder: Path) -> Recovered:
    """Cut a torn tail, then read: from the newest checkpoint that fits on, or everything."""
    checkpoint, refused = _fitting(folder)
    segment, offset = (checkpoint.segment, checkpoint.offset) if checkpoint else ("", 0)
    damages = wal.recover(folder, segment, offset)
    recovered = Recovered(checkpoint)
    for written in wal.replay(folder, segment, offset):
        recovered.apply(written)
    recovered.cut = refused or any(damage.torn for damage in damages)
    if recovered.begun:
        log.info("feed_recovered", seq=recovered.state.seq, from_checkpoint=checkpoint is not None)
    return recovered


def recompute(folder: Path) -> Recovered:
    """The state and the bars that the whole WAL gives, whatever a checkpoint says."""
    recovered = Recovered()
    for written in wal.replay(folder):
        recovered.apply(written)
    return recovered


encode = msgspec.msgpack.Encoder().encode  # of a Checkpoint


def save(folder: Path, encoded: bytes) -> None:
    """Replace the checkpoint, and keep the one before; a kill leaves one of them."""
    fresh = folder / f"{FILE}.new"
    with fresh.open("wb") as file:
        file.write(zlib.crc32(encoded).to_bytes(4, "big") + encoded)
        file.flush()
        os.fsync(file.fileno())
    if (folder / FILE).is_file():
        os.replace(folder / FILE, folder / BEFORE)
    os.replace(fresh, folder / FILE)


def _fitting(folder: Path) -> tuple[Checkpoint | None, bool]:
    """The newest checkpoint that fits the WAL, and whether one did not: it is removed, it never will."""
    refused = False
    for name in (FILE, BEFORE):
        checkpoint = load(folder, name)
        if checkpoint is not None:
            return checkpoint, refused
        if (folder / name).is_file():
            refused = True
            (folder / name).unlink()
    return None, refused


def load(folder: Path, name: str = FILE) -> Checkpoint | None:
    """The checkpoint, or None when there is none that fits the WAL."""
    path = folder / name
    if not path.is_file():
        return None
    data = path.read_bytes()
    try:
        if zlib.crc32(data[4:]).to_bytes(4, "big") != data[:4]:
            raise ValueError("its checksum is wrong")
        found = msgspec.msgpack.decode(data[4:], type=Checkpoint)
        if found.version != VERSION:
            raise ValueError(f"it is of version {found.version}")
        if not _ends_there(folder / found.segment, found.record, found.offset):
            raise ValueError("the WAL is shorter than it says")
    except (ValueError, msgspec.MsgspecError) as error:
        log.warning("checkpoint_not_used", path=str(path), why=str(error))
        return None
    return found


def _ends_there(segment: Path, record: int, offset: int) -> bool:
    """Is the last record that a checkpoint knows still there, whole?"""
    if not segment.is_file() or segment.stat().st_size < offset:
        return False
    if not record:
        return True
    with wal.opened(segment) as data:
        return wal.record_end(data, record) == offset


def unwritten(dirty: dict[Key, Bar]) -> list[StoredBar]:
    return [
        StoredBar(symbol, interval, bar) for (symbol, interval, _), bar in dirty.items() if interval in STORED
    ]
