"""What `bench pages` reads out of Chromium's trace and Lighthouse's report."""

from __future__ import annotations

from typing import Any

import pytest

from ops.load import page_audit, page_trace

MARKS = ("first", "last")
MS = 1_000  # µs


def event(name: str, ts: int, dur: int, own: int, thread: int = 7, **data: str) -> page_trace.Event:
    """`own`: ms of the thread's own clock."""
    told = {"name": name, "ts": ts * MS, "dur": dur * MS, "tdur": own * MS}
    return {**told, "ph": "X", "cat": "devtools.timeline", "pid": 1, "tid": thread, "args": {"data": data}}


def mark(name: str, ts: int) -> page_trace.Event:
    return {**event(name, ts, 0, 0), "ph": "I", "cat": "blink.user_timing"}


TICKS = [
    event("RunTask", 10, 40, 40),
    mark("first", 100),
    event("RunTask", 110, 90, 30),  # 90 ms by the wall: the machine was busy with others for 60 of them
    event("FunctionCall", 112, 60, 20, url="http://game/static/bundle/desk-A1.js"),
    event("Layout", 120, 10, 5),
    event("Paint", 180, 10, 4),
    event("RunTask", 110, 500, 500, thread=8),  # another thread's
    mark("last", 300),
]


def test_a_busy_machine_lengthens_a_task_by_the_wall_and_not_by_its_own_clock() -> None:
    told = page_trace.told(TICKS, MARKS)
    assert (told["moving_long_tasks"], told["moving_longest_task_ms"]) == (1, 90)
    assert (told["moving_long_tasks_cpu"], told["moving_longest_task_cpu_ms"]) == (0, 30)
    assert (told["loading_long_tasks"], told["loading_longest_task_ms"]) == (0, 40)
    assert told["moving_busy_pct"] == 15.0


def test_time_is_charged_to_whom_it_was_spent_in() -> None:
    """The script's call took 20 ms, of which it made the browser lay out for 5."""
    largest = page_trace.told(TICKS, MARKS)["moving_largest"]
    assert largest == "desk-A1.js 7.5 %, other 3.0 %, layout 2.5 %, paint 2.0 %"


def test_a_trace_that_ended_too_soon_is_refused() -> None:
    with pytest.raises(ValueError, match="the trace has no mark last"):
        page_trace.told(TICKS[:-1], MARKS)


def report(performance: float, blocking_ms: float) -> dict[str, Any]:
    audits: dict[str, Any] = {
        name: {"score": 1.0, "numericValue": 100.0, "scoreDisplayMode": "numeric"}
        for name in page_audit.FIGURES
    }
    audits["total-blocking-time"] |= {"score": 0.5, "numericValue": blocking_ms}
    work = {"details": {"items": [{"groupLabel": "Style & Layout", "duration": 30.0}]}}
    audits["mainthread-work-breakdown"] = {"score": 1, "scoreDisplayMode": "numeric", **work}
    refs = [{"id": "total-blocking-time", "weight": 30}, {"id": "speed-index", "weight": 10}]
    scores = {"performance": performance, "accessibility": 1.0, "best-practices": 1.0}
    categories = {name: {"score": score, "auditRefs": refs} for name, score in scores.items()}
    return {"audits": audits, "categories": categories}


def test_one_slow_visit_of_three_does_not_make_the_figure() -> None:
    told = page_audit.told([report(0.3, 900.0), report(0.96, 80.0), report(0.94, 90.0)])
    assert (told["performance"], told["performances"], told["blocking_ms"]) == (94, "30 96 94", 90)
    assert told["lost"] == "blocking 15"
    assert told["main_thread"] == "Style & Layout 30 ms"
