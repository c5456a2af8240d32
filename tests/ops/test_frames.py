"""The judge of `drill frames`: a true desk passes, each planted lie is found; the drill, shortly."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from ops.drills.frames_judge import Books, Judge, Kind, Seen, core, folded
from simgame import env

TOPIC = "portfolio:7"
ORDER = {"id": "o1", "version": 1, "status": "new"}
EMPTY = {"orders": [], "fills": [], "positions": [], "balances": [], "portfolio": {"status": "active"}}
EVENTS: dict[int, dict[str, Any]] = {
    1: {"balances": [{"asset": "CNY", "posted": "10.00"}]},
    2: {"orders": [ORDER], "balances": [{"asset": "CNY", "posted": "10.00", "reserved": "4.00"}]},
    3: {
        "orders": [{**ORDER, "version": 2, "status": "filled"}],
        "fills": [{"id": "5", "order_id": "o1"}],
        "positions": [{"symbol": "ALB", "qty": "100"}],
        "balances": [{"asset": "CNY", "posted": "6.00"}],
    },
    4: {"balances": [{"asset": "CNY", "posted": "5.00"}]},
}


def tables(version: int) -> dict[str, Any]:
    state = core(EMPTY)
    for seq in range(1, version + 1):
        state = folded(state, EVENTS[seq])
    return state


def books(**more: Any) -> Books:
    return Books("e1", {0: tables(0), 2: tables(2), 4: tables(4)} | more.get("tables", {}), EVENTS)


def message(offset: int, data: Any = None, epoch: str = "e1", topic: str = TOPIC) -> Seen:
    return Seen(topic, epoch, offset, "message", EVENTS[offset] if data is None else data)


def snapshot(version: int, kind: Kind = "snapshot", offset: int | None = None) -> Seen:
    state = tables(version)
    rows = {name: list(state[name].values()) for name in ("orders", "fills", "positions", "balances")}
    return Seen(
        TOPIC, "e1", version if offset is None else offset, kind, rows | {"portfolio": {"status": "active"}}
    )


def found(*seen: Seen, judge: Judge | None = None) -> list[str]:
    judge = judge or Judge({7: books()})
    judge.read("alice", seen)
    return [one.what for one in judge.found]


def test_a_true_desk_passes() -> None:
    assert found(snapshot(0), message(1), message(2), message(3), snapshot(4, "poll")) == []
    assert found(snapshot(2), snapshot(2, "poll"), message(3), message(4)) == []


def test_what_nobody_speaks_for_may_be_said_again_otherwise() -> None:
    judge = Judge({}, nobody="w.0")
    rows = [message(0, {"last": last}, "w.0", "quote:w:ALB") for last in ("1.00", "1.01")]
    assert found(rows[0], message(3, {"last": "1.02"}, "f1", "quote:w:ALB"), rows[1], judge=judge) == []


LIES: dict[str, tuple[list[Seen], list[str]]] = {
    "a message is left out": ([snapshot(2), message(4)], ["false"]),
    "a message tells less than happened": ([snapshot(2), message(3, {**EVENTS[3], "fills": []})], ["false"]),
    "a snapshot is older than its number": ([snapshot(1, offset=2)], ["false"]),
    "a version that never was": ([snapshot(4), message(5, {"balances": []})], ["false"]),
    "another life of the world": ([snapshot(2), message(3, epoch="e0")], ["false"]),
    "a poll goes back": ([snapshot(3), snapshot(2, "poll")], ["back"]),
    "an epoch returns": (
        [message(1, {"a": 1}, epoch, "quote:w:ALB") for epoch in ("f1", "f2", "f1")],
        ["back"],
    ),
    "one position, two contents": (
        [
            message(9, {"last": "1.00"}, topic="quote:w:ALB"),
            message(9, {"last": "1.01"}, topic="quote:w:ALB"),
        ],
        ["two"],
    ),
    "one row of the board, two contents": (
        [
            message(n, {"ALB": {"seq": 5, "last": last}}, topic="board:w")
            for n, last in ((1, "1.00"), (2, "1.01"))
        ],
        ["two"],
    ),
    "a trade told twice, otherwise": (
        [
            message(n, {"trades": [{"seq": 5, "qty": qty}]}, topic="trades:w:ALB")
            for n, qty in ((1, "1"), (2, "2"))
        ],
        ["two"],
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_planted_lie_is_found(lie: str) -> None:
    seen, what = LIES[lie]
    assert found(*seen) == what


def test_tables_that_changed_without_a_message_are_found() -> None:
    silent = folded(tables(3), {"balances": [{"asset": "CNY", "posted": "99.00"}]})
    assert books(tables={3: silent}).torn() == [3]
    assert books().torn() == []


@pytest.mark.slow
def test_nobody_is_shown_what_never_was() -> None:
    """A quarter of a minute; five in docs/performance.md."""
    words = ["drill", "frames", "--minutes", "0.25", "--format", "json"]
    done = subprocess.run(
        [sys.executable, str(env.BASE_DIR / "manage.py"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
    report = json.loads(done.stdout)
    assert report["seen"]["states"] > 10
    assert report["faults"]["sockets cut"] >= 1
