"""Where a page's main thread spends its time, by Chromium's own trace.

A **task** is what the thread does without listening in between. It has two lengths: by the clock on the
wall, which is what a person feels, and by the thread's own clock, which other programs on a busy machine
do not lengthen. Format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
(trace events; `ts`, `dur` and `tdur` are µs).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

Event = dict[str, Any]
Report = dict[str, Any]

CATEGORIES: Final = [
    "-*",
    "devtools.timeline",
    "disabled-by-default-devtools.timeline",
    "v8",
    "blink.user_timing",
]
LONG_MS: Final = 50  # a task that lasts longer is felt
LARGEST: Final = 6  # contributors that are told
TASK: Final = "RunTask"
RUNS_SCRIPT: Final = {"FunctionCall", "EvaluateScript", "v8.evaluateModule", "v8.compileModule", "v8.compile"}
WORDS: Final = {
    "UpdateLayoutTree": "style",
    "Layout": "layout",
    "PrePaint": "paint",
    "Paint": "paint",
    "Layerize": "paint",
    "Commit": "paint",
    "MinorGC": "garbage",
    "MajorGC": "garbage",
    "ParseHTML": "parsing",
    "ParseAuthorStyleSheet": "parsing",
}


def told(events: Iterable[Event], marks: tuple[str, str]) -> Report:
    """What the page's main thread did before the first mark (`performance.mark`), and from it to the second.

    `largest` are the contributors to the second part, with the share of a core each took. Raises ValueError
    when a mark is not there.
    """
    seen = list(events)
    thread, first, last = _between(seen, marks)
    mine = [one for one in seen if (one["pid"], one["tid"]) == thread and one["ph"] == "X"]
    mine.sort(key=lambda one: (one["ts"], -one["dur"]))
    tasks = list(_outermost(mine))
    loading = [one for one in tasks if one["ts"] < first]
    moving = [one for one in tasks if first <= one["ts"] < last]
    spent = _spent([one for one in mine if first <= one["ts"] < last])
    return {
        **{f"loading_{name}": value for name, value in _lengths(loading).items()},
        **{f"moving_{name}": value for name, value in _lengths(moving).items()},
        "moving_busy_pct": round(100 * sum(map(_own, moving)) / max(1, last - first), 1),
        "moving_largest": ", ".join(
            f"{name} {100 * used / max(1, last - first):.1f} %" for name, used in spent.most_common(LARGEST)
        ),
    }


def _between(events: list[Event], marks: tuple[str, str]) -> tuple[tuple[int, int], int, int]:
    """The thread on which both marks were made, and when."""
    found = {
        one["name"]: one for one in events if "user_timing" in one.get("cat", "") and one["name"] in marks
    }
    missing = [mark for mark in marks if mark not in found]
    if missing:
        raise ValueError(f"the trace has no mark {missing[0]}")
    first, last = (found[mark] for mark in marks)
    return (first["pid"], first["tid"]), first["ts"], last["ts"]


def _outermost(ordered: list[Event]) -> Iterator[Event]:
    """Tasks that are not part of another one."""
    until = -1
    for one in ordered:
        if one["name"] == TASK and one["ts"] >= until:
            until = one["ts"] + one["dur"]
            yield one


def _own(event: Event) -> int:
    """µs of the thread's own clock; the wall's where Chromium did not look."""
    return int(event.get("tdur", event["dur"]))


def _lengths(tasks: list[Event]) -> dict[str, int]:
    wall, own = [one["dur"] / 1_000 for one in tasks], [_own(one) / 1_000 for one in tasks]
    return {
        "long_tasks": len([one for one in wall if one > LONG_MS]),
        "longest_task_ms": round(max(wall, default=0)),
        "long_tasks_cpu": len([one for one in own if one > LONG_MS]),
        "longest_task_cpu_ms": round(max(own, default=0)),
        "blocking_cpu_ms": round(sum(one - LONG_MS for one in own if one > LONG_MS)),
    }


def _spent(ordered: list[Event]) -> Counter[str]:
    """µs of the thread's own clock by contributor: what an event took without what is told within it."""
    used: Counter[str] = Counter()
    open_ones: list[tuple[int, str]] = []  # (end, contributor) of the events that hold the one looked at
    for one in ordered:
        while open_ones and open_ones[-1][0] <= one["ts"]:
            open_ones.pop()
        outer = open_ones[-1][1] if open_ones else ""
        name = _contributor(one) or outer or "other"
        used[name] += _own(one)
        if outer:
            used[outer] -= _own(one)
        open_ones.append((one["ts"] + one["dur"], name))
    return used


def _contributor(event: Event) -> str:
    """`layout`, `chart.js`, …; "" for an event that belongs to what holds it."""
    if event["name"] in RUNS_SCRIPT:
        data = (event.get("args") or {}).get("data") or {}
        file = urlsplit(data.get("url") or data.get("fileName") or "").path.rpartition("/")[2]
        return file or "script"
    return WORDS.get(event["name"], "")
