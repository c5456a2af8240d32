"""The write-ahead log: every tick stands here before anybody sees it.

A segment is a file of one wall hour, `20261102T09.wal`: the 8 bytes MAGIC, then records of

    4 bytes length (big-endian) · 4 bytes CRC-32 of the payload · payload

where the payload is msgpack: a list of ticks (the very bytes that went out), or a map: a `Gap`
(messages that a source knows it missed), a `Skipped` (trades that a replay passed over), a `Begin`
(what a world had before its first tick) or a `Happened` (what happened to a seeded market, before it
did). A record is written with one call, so a killed process leaves at most one torn record, at the end;
`recover` cuts it. After a day a segment is compressed (`20261102T09.wal.gz`): readers do not notice.
"""

from __future__ import annotations

import gzip
import mmap
import os
import shutil
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO

import msgspec
import structlog

from market.feed.bars import Bar, Series
from market.feed.state import Day
from market.sources.items import Gap
from market.ticks import Tick, decode_many
from simgame.kernel.clock import NS_PER_S

MAGIC = b"SGWAL\x00\x01\n"
HEAD_BYTES = 8
RECORD_BYTES_MAX = 16 * 1024 * 1024
RESYNC_BYTES_MAX = 1024 * 1024  # how far behind a broken record we look for the next sound one
COMPRESSED = ".gz"
COPY_BYTES = 1024 * 1024
Bytes = bytes | mmap.mmap  # an hour of a busy market is some gigabytes: it is mapped, never read whole

log = structlog.get_logger(__name__)


class Fsync(StrEnum):
    ALWAYS = "always"  # before every publish
    INTERVAL = "interval"  # every second: a power cut may lose one, a killed process nothing
    NEVER = "never"


class GapRecord(msgspec.Struct, frozen=True, tag="gap"):
    gap: Gap


class SettledRecord(msgspec.Struct, frozen=True, tag="settled"):
    """A venue's own settlement price, scaled."""

    symbol: str
    market_day: int
    price: int


class SkippedRecord(msgspec.Struct, frozen=True, tag="skipped"):
    """What an instrument traded on the running market day while the world was taken forward."""

    symbol: str
    trades: Day


class Filled(msgspec.Struct, frozen=True, tag="filled"):
    """A bar over a gap, made whole from the venue's own history (`backfill`)."""

    symbol: str
    interval: str
    bar: Bar


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The first record of a world: bars that were forming, and the running day, before its first tick."""

    series: dict[str, Series]
    days: dict[str, Day]


class Happened(msgspec.Struct, frozen=True, tag="happened"):
    """What happened to a source that makes its own market, written before it does (Source.log_to)."""

    event: bytes


class Damage(msgspec.Struct, frozen=True):
    """Bytes that are no record. `torn`: at the very end, as a killed writer leaves them."""

    segment: str
    offset: int
    length: int
    torn: bool


class Record(msgspec.Struct, frozen=True, gc=False):
    segment: str
    offset: int  # of its first byte
    end: int
    payload: bytes


encode = msgspec.msgpack.Encoder().encode  # of a record that is no list of ticks
_decode_map = msgspec.msgpack.Decoder(
    GapRecord | SettledRecord | SkippedRecord | Filled | Begin | Happened
).decode
Written = list[Tick] | GapRecord | SettledRecord | SkippedRecord | Filled | Begin | Happened


def decode(payload: bytes) -> Written:
    """What a record holds. Raises msgspec.DecodeError for what no feed of this version wrote."""
    if payload[0] & 0xF0 == 0x80:
        return _decode_map(payload)
    return decode_many(payload)


def record_of(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + zlib.crc32(payload).to_bytes(4, "big") + payload


def segments(folder: Path) -> list[Path]:
    """Oldest first. Of one that was being compressed when the feed was killed: the whole original."""
    by_name = {name_of(path): path for path in sorted(folder.glob(f"*.wal{COMPRESSED}"))}
    by_name.update((path.name, path) for path in folder.glob("*.wal"))
    return [by_name[name] for name in sorted(by_name)]


def name_of(path: Path) -> str:
    """Of a segment, compressed or not."""
    return path.name.removesuffix(COMPRESSED)


@contextmanager
def opened(path: Path) -> Iterator[Bytes]:
    """The bytes of a segment as they are now."""
    with path.open("rb") if path.suffix != COMPRESSED else tempfile.TemporaryFile() as file:
        if path.suffix == COMPRESSED:
            _unpack(path, file)
        size = os.fstat(file.fileno()).st_size
        if not size:
            yield b""
            return
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            yield data


def _unpack(path: Path, file: IO[bytes]) -> None:
    try:
        with gzip.open(path, "rb") as packed:
            shutil.copyfileobj(packed, file, COPY_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        log.error("wal_damaged", path=str(path), why=str(error))  # what came before it is read
    file.flush()


def scan(path: Path, start: int = 0) -> Iterator[Record | Damage]:
    """Every record of a segment in order, and the damage between them. Reads what is there now."""
    with opened(path) as data:
        yield from _scanned(data, name_of(path), start)


def _scanned(data: Bytes, name: str, start: int) -> Iterator[Record | Damage]:
    if start == 0:
        if data[: len(MAGIC)] != MAGIC:
            yield Damage(name, 0, len(data), torn=MAGIC.startswith(data[: len(MAGIC)]))
            return
        start = len(MAGIC)
    position = start
    while position < len(data):
        end = record_end(data, position)
        if end:
            yield Record(name, position, end, data[position + HEAD_BYTES : end])
            position = end
            continue
        sound = _next_sound(data, position + 1)
        yield Damage(name, position, (sound or len(data)) - position, torn=sound is None)
        if sound is None:
            return
        position = sound


def record_end(data: Bytes, position: int) -> int:
    """Where the record at `position` ends; 0 when there is no sound one."""
    length = int.from_bytes(data[position : position + 4], "big")
    begin = position + HEAD_BYTES
    end = begin + length
    if not 0 < length <= RECORD_BYTES_MAX or end > len(data):
        return 0
    sound = zlib.crc32(data[begin:end]) == int.from_bytes(data[position + 4 : begin], "big")
    return end if sound else 0


def _next_sound(data: Bytes, position: int) -> int | None:
    for candidate in range(position, min(position + RESYNC_BYTES_MAX, len(data) - HEAD_BYTES)):
        if data[candidate] == 0 and record_end(data, candidate):  # no length reaches 2**24
            return candidate
    return None


def replay(folder: Path, segment: str = "", offset: int = 0) -> Iterator[Written]:
    """Everything written, in order, from a place in a segment on (default: from the first one).

    Damaged bytes are logged and stepped over.
    """
    for path in segments(folder):
        if name_of(path) < segment:
            continue
        for found in scan(path, offset if name_of(path) == segment else 0):
            if isinstance(found, Record):
                yield decode(found.payload)
            elif not found.torn:
                log.error("wal_damaged", path=str(path), offset=found.offset, bytes=found.length)


def recover(folder: Path, segment: str = "", offset: int = 0) -> list[Damage]:
    """Cut the torn tail of the newest segment; report all damage found there. Nothing else changes.

    What stands before `offset` of `segment` is known to be sound, and not read.
    """
    damages: list[Damage] = []
    for path in segments(folder)[-1:]:
        start = offset if path.name == segment else 0
        damages = [found for found in scan(path, start) if isinstance(found, Damage)]
        for damage in damages:
            if damage.torn and path.suffix != COMPRESSED:
                os.truncate(path, damage.offset)
                log.warning("wal_torn_tail_cut", path=str(path), at=damage.offset, bytes=damage.length)
            else:
                log.error("wal_damaged", path=str(path), offset=damage.offset, bytes=damage.length)
    return damages


class Wal:
    """The writer. Exactly one per world (the feed holds a lock on the folder)."""

    def __init__(self, folder: Path, fsync: Fsync = Fsync.INTERVAL):
        self.folder = folder
        self.fsync = fsync
        self.bytes_written = 0
        self.segment = ""
        self.offset = 0
        self.record = 0  # where the last record begins
        self._hour = -1
        self._file = -1
        self._closing = threading.Lock()  # `sync` runs in another thread
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, payload: bytes, wall_ns: int) -> None:
        """Write one record; on return it survives a kill -9 of this process."""
        hour = wall_ns // (3_600 * NS_PER_S)
        if hour != self._hour:
            self._open(hour)
        self.record = self.offset
        self._write(record_of(payload))
        if self.fsync is Fsync.ALWAYS:
            os.fdatasync(self._file)

    def sync(self) -> None:
        """What was appended before survives a power cut too (any thread)."""
        with self._closing:
            if self._file >= 0 and self.fsync is not Fsync.NEVER:
                os.fdatasync(self._file)

    def sync_if_due(self) -> None:
        """What the policy `interval` does each second (any thread)."""
        if self.fsync is Fsync.INTERVAL:
            self.sync()

    def close(self) -> None:
        self.sync()
        with self._closing:
            if self._file >= 0:
                os.close(self._file)
            self._file, self._hour = -1, -1

    def prune(self, keep_hours: int, wall_ns: int) -> int:
        """Remove segments older than that; how many went."""
        oldest = _segment_name(wall_ns // (3_600 * NS_PER_S) - keep_hours)
        old = [path for path in segments(self.folder) if name_of(path) < min(oldest, self.segment or oldest)]
        for path in old:
            path.unlink()
        return len(old)

    def compress(self, after_hours: int, wall_ns: int) -> int:
        """Pack segments older than that, one file at a time; how many. Slow: any other thread's work."""
        oldest = _segment_name(wall_ns // (3_600 * NS_PER_S) - after_hours)
        packed = 0
        for path in segments(self.folder):
            if path.suffix == COMPRESSED or path.name >= min(oldest, self.segment or oldest):
                continue
            fresh = path.with_name(f"{path.name}{COMPRESSED}.new")
            with path.open("rb") as file, fresh.open("wb") as target:
                with gzip.GzipFile(fileobj=target, mode="wb") as packing:
                    shutil.copyfileobj(file, packing, COPY_BYTES)
                target.flush()
                os.fsync(target.fileno())
            os.replace(fresh, path.with_name(f"{path.name}{COMPRESSED}"))
            path.unlink()
            packed += 1
        return packed

    def _open(self, hour: int) -> None:
        self.close()
        newest = segments(self.folder)[-1:]
        # A wall clock that was set back must not put new records in front of old ones.
        name = max(_segment_name(hour), name_of(newest[0]) if newest else "")
        path = self.folder / name
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.segment, self.offset, self._hour = name, os.fstat(self._file).st_size, hour
        if not self.offset:
            self._write(MAGIC)

    def _write(self, data: bytes) -> None:
        written = os.write(self._file, data)
        if written != len(data):  # a full disk: never leave half a record in the middle
            os.ftruncate(self._file, self.offset)
            raise OSError(f"only {written} of {len(data)} bytes fitted into {self.folder / self.segment}")
        self.offset += written
        self.bytes_written += written


def _segment_name(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * 3_600, UTC):%Y%m%dT%H}.wal"
