"""The load generator of `loadtest`: orders leave on a timetable, whatever the answers do.

One line of JSON in, one out. Latency counts from the moment at which an order was *meant* to leave, so
that a stall is charged to every order that it held up (coordinated omission). An order whose time has
come takes a free connection; when there is none it waits, and its clock runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections import Counter, deque
from typing import Any

import uvloop

from ops.load import flow
from ops.load.bench import percentile
from ops.load.followed import followed
from ops.load.orders_client import OK, complete, listening, milliseconds, watch

PARTS = {"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1.0}
PATIENCE_S = 10.0  # for the answers that are still out when the timetable ends
TURN_S = 0.001
MINUTE_S = 60.0
WORST_KEPT = 10


class Caller(asyncio.Protocol):
    """One keep-alive connection; it has at most one order out."""

    def __init__(self, run: Run, number: int):
        self.run = run
        self.buffer = b""
        self.meant = 0.0
        self.transport: Any = None
        headers = run.question["headers"][number % len(run.question["headers"])]
        lines = [f"POST {run.question['path']} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.head = ("\r\n".join(lines) + "\r\nContent-Length: ").encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.run.free.append(self)

    def send(self, meant: float, body: bytes) -> None:
        self.meant = meant
        self.transport.write(self.head + str(len(body)).encode() + b"\r\n\r\n" + body)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or not complete(self.buffer, end):
            return
        self.run.answered(self, int(self.buffer[9:12]), self.buffer[end + 4 :])
        self.buffer = b""

    def connection_lost(self, error: Exception | None) -> None:
        if not self.run.over:
            self.run.errors["connection lost"] += 1


class Run:
    def __init__(self, question: dict[str, Any]):
        self.question = question
        self.free: deque[Caller] = deque()
        self.late: deque[float] = deque()  # orders whose time has come, and no connection is free
        self.out = self.sent = 0
        self.began = 0.0
        self.times: list[array[float]] = []  # a minute each, by when an order was meant to leave
        self.worst: dict[int, float] = {}  # second of the run: its longest latency
        self.errors: Counter[str] = Counter()
        self.behind_s = 0.0  # how late the generator itself was at worst
        self.over = False
        self.settled = asyncio.Event()
        self.offers: list[flow.Offer] = []  # none: the question's own prices, buys only

    async def follow(self, rate: float, seconds: float) -> float:
        """Send by the timetable, wait for the answers. Seconds from the first order to the last answer."""
        began = self.began = time.perf_counter()
        due, count = 0, int(rate * seconds)
        while due < count:
            now = time.perf_counter()
            while due < count and began + due / rate <= now:
                self._order(began + due / rate, now)
                due += 1
            await asyncio.sleep(TURN_S)
        deadline = time.perf_counter() + PATIENCE_S
        while (self.out or self.late) and time.perf_counter() < deadline:
            await asyncio.sleep(TURN_S)
        if unanswered := self.out + len(self.late):
            self.errors["no answer"] += unanswered
        self.over = True
        return time.perf_counter() - began

    def _order(self, meant: float, now: float) -> None:
        self.behind_s = max(self.behind_s, now - meant)
        if self.free:
            self._send(self.free.popleft(), meant)
        else:
            self.late.append(meant)

    def _send(self, caller: Caller, meant: float) -> None:
        self.sent += 1
        self.out += 1
        caller.send(meant, flow.body(self.sent, self.offers, self.question))

    def answered(self, caller: Caller, status: int, body: bytes) -> None:
        self.out -= 1
        if status in OK:
            self._took(caller.meant - self.began, time.perf_counter() - caller.meant)
        else:
            self.errors[_code(status, body)] += 1
        if self.late:
            self._send(caller, self.late.popleft())
        else:
            self.free.append(caller)

    def _took(self, meant_s: float, took_s: float) -> None:
        minute, second = int(meant_s // MINUTE_S), int(meant_s)
        while len(self.times) <= minute:
            self.times.append(array("d"))
            if minute:
                print(f"  minute {minute} over, {self.sent:,} sent", file=sys.stderr, flush=True)
        self.times[minute].append(took_s)
        self.worst[second] = max(took_s, self.worst.get(second, 0.0))


def _code(status: int, body: bytes) -> str:
    try:
        return f"{status} {json.loads(body)['code']}"
    except (ValueError, KeyError, TypeError):
        return str(status)


async def drive(question: dict[str, Any]) -> dict[str, Any]:
    await listening(question["port"])
    run = Run(question)
    loop = asyncio.get_running_loop()
    for number in range(question["connections"]):
        await loop.create_connection(lambda n=number: Caller(run, n), "127.0.0.1", question["port"])
    async with followed(run):
        before, idle_before = watch(question), _idle_s()
        took_s = await run.follow(question["rate"], question["seconds"])
        after, idle_s = watch(question), _idle_s() - idle_before
    spent = {name: after[name] - before[name] for name in before}
    times = array("d", (took for minute in run.times for took in minute))
    answer = {"rate": question["rate"], "sent": run.sent, "acks": len(times)} | _parts(times)
    answer["minutes"] = [{"acks": len(minute)} | _parts(minute) for minute in run.times]
    worst = sorted(run.worst, key=run.worst.__getitem__, reverse=True)[:WORST_KEPT]
    answer["worst_seconds"] = [{"second": each, "max_ms": milliseconds(run.worst[each])} for each in worst]
    answer |= {"errors": dict(run.errors), "generator_behind_ms": milliseconds(run.behind_s)}
    answer["core_share"] = {name: round(seconds / took_s, 3) for name, seconds in spent.items()}
    answer["core_share"]["idle"] = round(idle_s / took_s, 3)
    return answer


def _parts(times: array[float]) -> dict[str, float | None]:
    return {name: milliseconds(percentile(times, part)) for name, part in PARTS.items()}


def _idle_s() -> float:
    """Seconds that the machine's cores had nothing to do, all cores together; 0 where it does not tell."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            return int(file.readline().split()[4]) / 100
    except OSError:
        return 0.0


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(drive(asked))), flush=True)
