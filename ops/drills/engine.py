"""`manage.py drill engine`: the engine against the naive one, over as many random commands as asked."""

from __future__ import annotations

import multiprocessing
import os
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from typing import Any

from ops.drills.crowd import Crowd
from ops.drills.duel import Differ, Duel, shortest
from ops.drills.margin_crowd import MarginCrowd
from simgame import children
from simgame.kernel import clock
from trading.exchange.version import engine_version
from trading.proof import progress

SEQUENCE = 1_000  # commands: long enough for every state, short enough to be shown when it fails
SEQUENCES_AT_ONCE = 20
HELP = """Random commands through the engine and through a second, naive one, compared after each.

  manage.py drill engine                                        100,000 commands, some seconds
  manage.py drill engine --commands 20000000 --processes 2      the long run
  manage.py drill engine --commands 5000000 --first 5000        the next 5,000,000 after the first

Commands come in sequences of 1,000, numbered from 0; number and --seed make a sequence, so any range can
be run apart, now or later, and a failing one be run again. Orders of every kind, replaces, cancels, stops,
legs, auctions, ticks, phases, day rolls, halts, freezes; in every second sequence also margin portfolios:
short sales, interest and borrow fees, contracts with their settlement, a foreign currency, margin calls,
forced reductions. Compared: each fill (order, price, quantity, cash, fee, in order), each order that
changed, each balance, each refusal; now and then everything open.

At the first difference it stops, leaves out of the sequence what it does not need to fail, and prints it.
Exit codes: 0 no difference, 2 wrong usage, 3 a difference."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--commands", type=int, default=100_000, metavar="N")
    parser.add_argument("--seed", default="1", help="any word or number")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first sequence")
    parser.add_argument("--processes", type=int, default=1, metavar="N")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """The report; `difference` is None when the engines agree."""
    seed, first = options["seed"], options["first"]
    sequences = -(-options["commands"] // SEQUENCE)
    began = clock.monotonic_s()
    done = {"commands": 0, "fills": 0}
    failed: tuple[int, Differ] | None = None
    with progress.bar("Engine against naive engine", sequences * SEQUENCE) as advance:
        for one in _duels(seed, range(first, first + sequences), options["processes"]):
            if isinstance(one, tuple):
                done["commands"] += one[0]
                done["fills"] += one[1]
                advance(one[0])
            else:
                failed = one.number, one
                break
    seconds = clock.monotonic_s() - began
    return {
        "drill": "engine",
        "engine": engine_version(),
        "seed": seed,
        "first": first,
        "next": first + sequences,
        **done,
        "seconds": round(seconds, 1),
        "rate": round(done["commands"] / max(seconds, 0.001)),
        "difference": _explain(seed, *failed) if failed else None,
    }


def crowd(seed: str, number: int) -> Crowd:
    """Every second sequence is that of the crowd on margin."""
    return (MarginCrowd if number % 2 else Crowd)(f"{seed}/{number}")


def fight(seed: str, numbers: range) -> tuple[int, int]:
    """Commands applied and fills made. Raises Differ, which then knows its `number`."""
    commands = fills = 0
    for number in numbers:
        duel = Duel()
        try:
            commands += duel.run(crowd(seed, number).commands(SEQUENCE))
        except Differ as error:
            raise Differ(error.place, error.command, error.what, number) from error.__cause__
        fills += duel.fills
    return commands, fills


def _duels(seed: str, numbers: range, processes: int) -> Iterator[tuple[int, int] | Differ]:
    parts = (numbers[at : at + SEQUENCES_AT_ONCE] for at in range(0, len(numbers), SEQUENCES_AT_ONCE))
    if processes == 1:
        yield from _in_this_process(seed, parts)
        return
    context, bond = multiprocessing.get_context("spawn"), (os.getpid(),)
    with ProcessPoolExecutor(processes, context, children.die_with_parent, bond) as pool:
        running: set[Future[tuple[int, int]]] = set()
        while running or parts:
            more = [pool.submit(fight, seed, part) for part in islice(parts, 2 * processes - len(running))]
            running |= set(more)
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for one in finished:
                try:
                    yield one.result()
                except Differ as error:
                    pool.shutdown(cancel_futures=True)
                    yield error
                    return


def _in_this_process(seed: str, parts: Iterable[range]) -> Iterator[tuple[int, int] | Differ]:
    for part in parts:
        try:
            yield fight(seed, part)
        except Differ as error:
            yield error
            return


def _explain(seed: str, number: int, error: Differ) -> dict[str, Any]:
    people = crowd(seed, number)
    told = list(people.commands(SEQUENCE))[: error.place]
    needed = shortest(told, len(people.opening()))
    try:
        Duel().run(needed)
        what = error.what
    except Differ as again:
        what = again.what
    return {
        "sequence": number,
        "place": error.place,
        "command": str(error.command),
        "what": error.what,
        "shortest": [str(command) for command, _, _ in needed],
        "shortest_what": what,
    }
