"""`python -m ops.compiling.digest --commands N`: what the engine makes of random commands.

Prints one JSON object: `digest`, a SHA-256 over every event and state hash; `compiled`; `per_s`, commands
a second. Which engine it is, `SIMGAME_ENGINE` decides.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from time import perf_counter

import msgspec

from ops.compiling.parts import PACKAGE
from ops.drills.crowd import Crowd
from simgame.kernel import compiled
from trading.engine.engine import Engine

SEQUENCE = 1_000


def digest(commands: int, seed: str) -> tuple[str, float]:
    """Over sequences of 1,000 commands of the drill's crowd; and the seconds that the engine took."""
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, required=True)
    parser.add_argument("--seed", default="twins")
    asked = parser.parse_args()
    made, seconds = digest(asked.commands, asked.seed)
    per_s = round(asked.commands / seconds)
    print(json.dumps({"digest": made, "compiled": compiled.is_used(PACKAGE), "per_s": per_s}))
