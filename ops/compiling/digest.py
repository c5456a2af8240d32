"""`python -m ops.compiling.digest --commands N`: what the exchange makes of random commands.

Prints one JSON object: `events`, a SHA-256 over every event and state hash of the engine; `rows`, one over
every parameter of every statement, every message and every answer; `compiled`; `per_s`, commands a second
through the engine. Whether it is the twin, `SIMGAME_ENGINE` decides.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import django
import msgspec

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "simgame.settings")
django.setup()

from ops.drills.crowd import Crowd  # noqa: E402  Django first: rows are made of its models, too
from ops.drills.margin_crowd import MarginCrowd  # noqa: E402
from simgame.kernel import compiled  # noqa: E402
from trading.engine.engine import Engine  # noqa: E402
from trading.exchange import idempotency, statements  # noqa: E402
from trading.exchange.applier import Applier, Head, Work  # noqa: E402
from trading.exchange.audit import Audit  # noqa: E402
from trading.exchange.intake import Arrival  # noqa: E402
from trading.exchange.streams import Streams  # noqa: E402
from trading.messages import Scale  # noqa: E402

SEQUENCE, BATCH = 1_000, 16
encode = msgspec.msgpack.Encoder().encode


class Scales(dict[str, Scale]):
    """Every symbol is a share: what corporate actions rename, too."""

    def __missing__(self, symbol: str) -> Scale:
        return Scale(symbol, f"uid-{symbol}", "CNY", 2, 0, 1, "us_equity")


def crowds(commands: int, seed: str) -> Iterator[Crowd]:
    """One for each 1,000 commands, every second of them with margin portfolios."""
    for number in range(-(-commands // SEQUENCE)):
        kind = MarginCrowd if number % 2 else Crowd
        yield kind(f"{seed}/{number}", name="{:08x}-0000-7000-8000-000000000000".format)


def events(commands: int, seed: str) -> tuple[str, float]:
    """What the engine answers, and the seconds that it took."""
    said, seconds = hashlib.sha256(), 0.0
    for crowd in crowds(commands, seed):
        engine, told = Engine(1), list(crowd.commands(SEQUENCE))
        began = perf_counter()
        answered = [engine.apply(*each) for each in told]
        seconds += perf_counter() - began
        said.update(encode(answered))
        said.update(engine.state_hash().encode())
        _dot()
    return said.hexdigest(), seconds


def rows(commands: int, seed: str) -> str:
    """What the exchange would write, publish and answer, in batches as under load."""
    said = hashlib.sha256()
    for crowd in crowds(commands, seed):
        engine = Engine(1)
        applier = Applier(engine, Streams(1, "twin", Scales(), {}), Head(0, 0), wall=lambda on=crowd: on.at)
        audit, work = Audit(engine.state), applier.new_work()
        for command, number, _ in crowd.commands(SEQUENCE):
            keyed = idempotency.key_of(command) is not None
            applier.apply(work, [Arrival(command, number, None) if keyed else command], {})
            if number % BATCH == 0:
                _tell(said, work, audit)
                work = applier.new_work()
        _tell(said, work, audit)
        _dot()
    return said.hexdigest()


def _tell(said: Any, work: Work, audit: Audit) -> None:
    """A batch into the digest. Raises AssertionError where it would break the books."""
    assert not (breaches := audit.breaches(work.batch)), breaches
    for statement in statements.of(work.batch, 1):
        said.update(encode([statement.name, statement.values, statement.rows]))
    said.update(encode([[each.message() for each in work.told], [reply for _, reply in work.answers]]))


def _dot() -> None:
    sys.stderr.write(".")
    sys.stderr.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, required=True)
    parser.add_argument("--seed", default="twins")
    asked = parser.parse_args()
    answered, seconds = events(asked.commands, asked.seed)
    made = {"events": answered, "rows": rows(asked.commands, asked.seed)}
    print(json.dumps(made | {"compiled": compiled.is_used(), "per_s": round(asked.commands / seconds)}))
