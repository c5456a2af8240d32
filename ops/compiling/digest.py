"""`python -m ops.compiling.digest --commands N [--twin FOLDER]`: what the engine makes of random commands.

Prints one JSON object: `digest`, a SHA-256 over every event and state hash; `per_s`, commands a second.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from time import perf_counter

import msgspec

import trading.engine
from ops.compiling.build import PACKAGE, SOURCES
from simgame.kernel import compiled

SEQUENCE = 1_000


def digest(commands: int, seed: str) -> tuple[str, float]:
    """Over sequences of 1,000 commands of the drill's crowd."""
    from ops.drills.crowd import Crowd  # noqa: PLC0415  after the twin is in place
    from trading.engine.engine import Engine  # noqa: PLC0415

    said, seconds = hashlib.sha256(), 0.0
    encode = msgspec.msgpack.Encoder().encode
    for number in range(-(-commands // SEQUENCE)):
        engine, told = Engine(1), list(Crowd(f"{seed}/{number}").commands(SEQUENCE))
        began = perf_counter()
        events = [engine.apply(*each) for each in told]
        seconds += perf_counter() - began
        said.update(encode(events))
        said.update(engine.state_hash().encode())
        sys.stderr.write(".")
        sys.stderr.flush()
    return said.hexdigest(), seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, required=True)
    parser.add_argument("--seed", default="twins")
    parser.add_argument("--twin", type=Path)
    asked = parser.parse_args()
    if asked.twin is not None:
        compiled.use(PACKAGE, asked.twin)
        trading.engine.__path__ = [str(asked.twin.joinpath(*PACKAGE.split("."))), str(SOURCES)]
    said, seconds = digest(asked.commands, asked.seed)
    decided = str(sys.modules[f"{PACKAGE}.matching"].__file__)
    per_s = round(asked.commands / seconds)
    print(json.dumps({"digest": said, "compiled": not decided.endswith(".py"), "per_s": per_s}))


if __name__ == "__main__":
    main()
