"""The write-ahead log survives being cut anywhere, and says where it is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.feed import recovery, wal
from market.feed.bars import BarBuilder
from market.feed.state import WorldState
from market.sources.items import Gap
from market.ticks import PhaseTick, Print, Quote, encode

HOUR = 3_600 * 10**9
NOW = 497_000 * HOUR


def trade(seq: int, price: int = 100) -> Print:
    return Print("ALB", price, 10, "buy", NOW + seq, NOW, "test", 0, seq, False, seq)


def write(folder: Path, count: int, *, first: int = 1) -> Path:
    log = wal.Wal(folder)
    for seq in range(first, first + count):
        log.append(encode([trade(seq)]), NOW)
    log.close()
    return folder / log.segment


def segment_of(folder: Path) -> Path:
    (segment,) = wal.segments(folder)
    return segment


def seqs(folder: Path) -> list[int]:
    return [tick.seq for written in wal.replay(folder) if isinstance(written, list) for tick in written]


def test_what_was_written_is_read_again_in_order(tmp_path):
    write(tmp_path, 20)
    assert seqs(tmp_path) == list(range(1, 21))


def test_each_hour_has_its_segment_and_old_ones_are_removed(tmp_path):
    log = wal.Wal(tmp_path)
    for hour in range(5):
        log.append(encode([trade(hour + 1)]), NOW + hour * HOUR)
    assert [path.name for path in wal.segments(tmp_path)] == [
        wal._segment_name(NOW // HOUR + n) for n in range(5)
    ]
    assert log.prune(keep_hours=2, wall_ns=NOW + 4 * HOUR) == 2
    log.close()
    assert seqs(tmp_path) == [3, 4, 5]


def test_a_wall_clock_set_back_does_not_put_new_records_before_old_ones(tmp_path):
    write(tmp_path, 3)
    log = wal.Wal(tmp_path)
    log.append(encode([trade(4)]), NOW - 5 * HOUR)
    log.close()
    assert seqs(tmp_path) == [1, 2, 3, 4]


def test_it_recovers_from_a_tear_at_every_byte_of_the_last_record(tmp_path):
    whole = write(tmp_path, 4).read_bytes()
    last = len(wal.record_of(encode([trade(4)])))
    for missing in range(1, last + 1):
        path = wal.segments(tmp_path)[0]
        path.write_bytes(whole[: len(whole) - missing])
        damages = wal.recover(tmp_path)
        assert [damage.torn for damage in damages] == ([True] if missing < last else [])
        assert seqs(tmp_path) == [1, 2, 3]
        write(tmp_path, 1, first=4)  # and goes on where the sound part ended
        assert seqs(tmp_path) == [1, 2, 3, 4]


def test_it_cuts_zeros_that_a_power_cut_left(tmp_path):
    path = write(tmp_path, 2)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert [damage.torn for damage in wal.recover(tmp_path)] == [True]
    assert seqs(tmp_path) == [1, 2]


def test_a_torn_header_is_written_anew(tmp_path):
    (tmp_path / wal._segment_name(NOW // HOUR)).write_bytes(wal.MAGIC[:3])
    wal.recover(tmp_path)
    write(tmp_path, 2)
    assert seqs(tmp_path) == [1, 2]


@pytest.mark.parametrize("place", ["length", "checksum", "payload"])
def test_a_broken_middle_is_reported_and_kept_and_the_rest_is_read(tmp_path, place):
    path = write(tmp_path, 5)
    data = bytearray(path.read_bytes())
    size = len(wal.record_of(encode([trade(1)])))
    offset = len(wal.MAGIC) + 2 * size + {"length": 3, "checksum": 5, "payload": 12}[place]
    data[offset] ^= 0xFF
    path.write_bytes(data)
    damages = wal.recover(tmp_path)
    assert [(damage.torn, damage.length) for damage in damages] == [(False, size)]
    assert path.read_bytes() == bytes(data)
    assert seqs(tmp_path) == [1, 2, 4, 5]


def test_a_full_disk_leaves_no_half_record(tmp_path, monkeypatch):
    write(tmp_path, 1)
    log = wal.Wal(tmp_path)
    log.append(encode([trade(2)]), NOW)
    real = wal.os.write
    monkeypatch.setattr(wal.os, "write", lambda file, data: real(file, data[:5]))
    with pytest.raises(OSError, match="only 5 of"):
        log.append(encode([trade(3)]), NOW)
    monkeypatch.undo()
    log.append(encode([trade(4)]), NOW)
    log.close()
    assert seqs(tmp_path) == [1, 2, 4]


def history() -> list[bytes]:
    phase = PhaseTick(20261102, "continuous", "closed", 0, NOW, NOW, seq=1)
    records = [encode([phase])]
    for seq in range(2, 300):
        if seq == 150:
            records.append(wal.encode(wal.GapRecord(Gap("test", "ALB", NOW))))
        tick: Print | Quote = Print(
            "ALB", 100 + seq % 37, seq, "buy", NOW + seq * 10**9, NOW, "t", 1, seq, False, seq
        )
        if seq % 3 == 0:
            tick = Quote("ALB", ((99, seq),), ((200, 1),), NOW + seq * 10**9, NOW, "t", 1, seq, False, seq)
        records.append(encode([tick]))
    return records


def write_all(folder: Path, records: list[bytes], checkpoint_after: int | None) -> None:
    log = wal.Wal(folder)
    lived = recovery.Recovered()
    for number, record in enumerate(records):
        log.append(record, NOW)
        lived.apply(wal.decode(record))
        if number == checkpoint_after:
            recovery.save(
                folder,
                recovery.encode(
                    recovery.Checkpoint(
                        recovery.VERSION,
                        log.segment,
                        log.offset,
                        lived.state,
                        lived.bars.series,
                        lived.last,
                        b"saved",
                        recovery.unwritten(lived.bars.dirty),
                        log.record,
                    )
                ),
            )
            lived.bars.take_dirty()
    log.close()


def facts(recovered: recovery.Recovered) -> tuple[WorldState, dict, object]:
    return recovered.state, recovered.bars.series, recovered.last


@pytest.mark.parametrize("checkpoint_after", [None, 0, 100, 151, 298])
def test_state_and_bars_after_a_restart_equal_those_of_the_whole_wal(tmp_path, checkpoint_after):
    write_all(tmp_path, history(), checkpoint_after)
    recovered, whole = recovery.recover(tmp_path), recovery.recompute(tmp_path)
    assert facts(recovered) == facts(whole)
    assert recovered.state.seq == 299
    assert recovered.source == (b"saved" if checkpoint_after is not None else b"")
    assert all(whole.bars.dirty[key] == bar for key, bar in recovered.bars.dirty.items())
    assert ("ALB", "1m", recovered.bars.series["ALB"].forming["1m"].start) in recovered.bars.dirty


def test_a_torn_tail_costs_the_last_record_and_never_the_checkpoint(tmp_path):
    """The feed wrote its checkpoint behind the last record; the power cut took part of that record."""
    records, lived = history(), tmp_path / "lived"
    write_all(lived, records[:200], 100)
    write_all(lived, records[200:], len(records) - 201)
    whole, last = segment_of(lived).read_bytes(), len(wal.record_of(records[-1]))
    harms = [whole[:-missing] for missing in range(1, last + 1)]
    harms += [whole[:-missing] + bytes(missing) for missing in range(1, last)]  # written, but not its bytes
    for number, harmed in enumerate(harms):
        folder = tmp_path / str(number)
        shutil.copytree(lived, folder)
        segment_of(folder).write_bytes(harmed)
        recovered = recovery.recover(folder)
        assert recovered.source == b"saved"
        assert recovered.cut
        assert facts(recovered) == facts(recovery.recompute(folder))
        assert recovered.state.seq == 298


def test_segments_are_compressed_after_a_day_and_read_as_before(tmp_path):
    log = wal.Wal(tmp_path)
    for hour in range(30):
        log.append(encode([trade(hour + 1)]), NOW + hour * HOUR)
    assert log.compress(after_hours=24, wall_ns=NOW + 29 * HOUR) == 5
    names = [path.name for path in wal.segments(tmp_path)]
    assert [name.endswith(".wal.gz") for name in names] == [True] * 5 + [False] * 25
    assert seqs(tmp_path) == list(range(1, 31))
    place = wal.name_of(wal.segments(tmp_path)[3])
    assert next(tick.seq for ticks in wal.replay(tmp_path, place) for tick in ticks) == 4
    packed = wal.segments(tmp_path)[0]
    (tmp_path / wal.name_of(packed)).write_bytes(b"")  # killed between packing and removing: one of them
    assert len(wal.segments(tmp_path)) == 30
    (tmp_path / wal.name_of(packed)).unlink()
    packed.write_bytes(packed.read_bytes()[:-12])  # the disk lost its end
    assert seqs(tmp_path)[-29:] == list(range(2, 31))
    assert log.prune(keep_hours=10, wall_ns=NOW + 29 * HOUR) == 19
    log.close()
    assert seqs(tmp_path) == list(range(20, 31))


@pytest.mark.parametrize("harm", ["garbage", "cut", "beyond"])
def test_a_checkpoint_that_does_not_fit_is_not_used(tmp_path, harm):
    write_all(tmp_path, history(), 100)
    path = tmp_path / recovery.FILE
    if harm == "garbage":
        path.write_bytes(b"\x00" * 40)
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    else:  # the WAL lost more than the checkpoint knows of
        segment = wal.segments(tmp_path)[0]
        segment.write_bytes(segment.read_bytes()[:2_000])
    assert recovery.load(tmp_path) is None
    assert facts(recovery.recover(tmp_path)) == facts(recovery.recompute(tmp_path))


def test_bars_over_a_gap_are_partial(tmp_path):
    bars = BarBuilder()
    bars.apply(PhaseTick(20261102, "continuous", "closed", 0, NOW, NOW))
    minute = 60 * 10**9
    for at, price in ((0, 100), (1, 105), (2, 95)):
        bars.apply(Print("ALB", price, 1, "", NOW + at * 10**9, NOW, "t"))
    bars.gap(Gap("t", "ALB", NOW + minute))
    bars.apply(Print("ALB", 101, 1, "", NOW + minute, NOW, "t"))
    bars.apply(Print("ALB", 102, 1, "", NOW + 2 * minute, NOW, "t"))
    start = NOW // 10**9
    minutes = {key[2] - start: bar for key, bar in bars.dirty.items() if key[1] == "1m"}
    assert [(at, bar.partial) for at, bar in sorted(minutes.items())] == [(0, True), (60, True), (120, False)]
    first = minutes[0]
    assert (first.open, first.high, first.low, first.close, first.volume) == (100, 105, 95, 95, 3)
    assert (first.turnover, first.prints) == (300, 3)
    assert bars.series["ALB"].forming["1d"].partial


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4 * 60 * 1_000), st.integers(1, 200), st.integers(1, 9), st.booleans()),
        max_size=60,
    )
)
def test_bars_are_the_same_however_the_prints_are_spread(prints):
    """Beside the builder: what a person would do with pencil and paper, per minute."""
    bars = BarBuilder()
    sums: dict[int, list[tuple[int, int]]] = {}
    for at_ms, price, size, gap in sorted(prints, key=lambda one: one[0]):
        if gap:
            bars.gap(Gap("t", "", NOW))
        tick = Print("ALB", price, size, "", NOW + at_ms * 10**6, NOW, "t")
        bars.apply(tick)
        sums.setdefault((NOW // 10**9 + at_ms // 1_000) // 60 * 60, []).append((price, size))
    minutes = {start: bar for (_, interval, start), bar in bars.dirty.items() if interval == "1m"}
    assert minutes.keys() == sums.keys()
    for start, bar in minutes.items():
        told = [price for price, _ in sums[start]]
        assert (bar.open, bar.high, bar.low, bar.close) == (told[0], max(told), min(told), told[-1])
        assert bar.volume == sum(size for _, size in sums[start])
        assert bar.prints == len(told)
