"""The days of a calibration as pieces that processes live side by side; the same figures with any number."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from ctypes import c_long
from typing import Any, Final, NamedTuple

from market.calibration import days
from market.calibration.days import END_MINUTES, PHASES, Daily, Whole

LOOK_S: Final = 0.5  # between two looks at how far they are
Shown = Callable[[int, int], None]  # minutes lived so far, of how many
_WHOLE_MINUTES: Final = sum(-(-(ends - begins) // 60) for _, begins, ends in PHASES)


class Wanted(NamedTuple):
    """ends: so many days of which the last `lived_s` seconds are lived; 0: one whole day."""

    seed: int
    ends: int
    lived_s: int
    instruments: int

    @property
    def minutes(self) -> int:
        return self.ends * END_MINUTES if self.ends else _WHOLE_MINUTES


class Lived(NamedTuple):
    rows: list[Daily]
    whole: Whole


def live(wanted: Sequence[Wanted], processes: int, shown: Shown) -> list[Lived]:
    """Each piece as it came out, in the order of `wanted`."""
    whole, done = sum(piece.minutes for piece in wanted), 0

    def more(minutes: int) -> None:
        nonlocal done
        done += minutes
        shown(done, whole)

    if processes == 1:
        return [_one(piece, more) for piece in wanted]
    counter = multiprocessing.get_context("spawn").Value(c_long, 0)
    pool = _pool(processes, counter)
    try:
        longest_first = sorted(wanted, key=lambda piece: -piece.minutes)
        futures = {piece: pool.submit(_in_a_process, piece) for piece in longest_first}
        _watch(list(futures.values()), counter, whole, shown)
        return [futures[piece].result() for piece in wanted]
    except BaseException:  # Ctrl-C too: nobody waits for pieces that are no longer wanted
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(processes: int, counter: Any) -> ProcessPoolExecutor:
    spawned = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(processes, spawned, initializer=_share, initargs=(counter,))


def _watch(futures: list[Future[Lived]], counter: Any, whole: int, shown: Shown) -> None:
    waiting: set[Future[Lived]] = set(futures)
    while waiting:
        waiting = wait(waiting, timeout=LOOK_S).not_done
        shown(min(counter.value, whole), whole)


def _one(piece: Wanted, progress: days.Progress) -> Lived:
    market = days.market_of(piece.seed, piece.instruments)
    if piece.ends:
        return Lived(days.ends_of_days(market, piece.ends, piece.lived_s, progress), Whole())
    return Lived([], days.whole_day(market, progress))


_shared: list[Any] = []  # in a process of the pool: the counter of all


def _share(counter: Any) -> None:
    _shared.append(counter)


def _in_a_process(piece: Wanted) -> Lived:
    return _one(piece, _count)


def _count(minutes: int) -> None:
    with _shared[0].get_lock():
        _shared[0].value += minutes
