"""The load generator of `bench orders`: keep-alive connections, each sends when it was answered.

One line of JSON in (where, how many, how long), one out (what came back). Raw HTTP on a raw event loop,
so that the generator costs as little of the machine as it can.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import uvloop

from ops.load import flow
from ops.load.bench import percentile
from ops.load.followed import followed

WARM_S = 3.0  # prepared statements are planned; and every player is answered once, however long it takes
CONNECT_S = 120.0
OK = frozenset((200, 201))


class Run:
    """What all connections share."""

    def __init__(self, question: dict[str, Any]):
        self.question = question
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []
        self.counting = self.over = False
        self.sent = 0
        self.offers: list[flow.Offer] = []  # none: the question's own prices, buys only
        self.unanswered = question["connections"]  # connections that have not had an answer yet
        self.broken = 0
        self.first_refusal = ""


class Caller(asyncio.Protocol):
    def __init__(self, run: Run, number: int):
        self.run = run
        self.was_answered = False
        self.at = 0.0
        self.buffer = b""
        self.transport: Any = None
        headers = run.question["headers"][number % len(run.question["headers"])]
        lines = [f"POST {run.question['path']} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.head = ("\r\n".join(lines) + "\r\nContent-Length: ").encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        run = self.run
        run.sent += 1
        body = flow.body(run.sent, run.offers, run.question)
        self.at = time.perf_counter()
        self.transport.write(self.head + str(len(body)).encode() + b"\r\n\r\n" + body)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0 or not complete(self.buffer, end):
            return
        self.answered(int(self.buffer[9:12]), self.buffer[end + 4 :])
        self.buffer = b""
        if not self.run.over:
            self.send()

    def answered(self, status: int, body: bytes) -> None:
        run = self.run
        run.unanswered -= not self.was_answered
        self.was_answered = True
        if run.counting:
            run.statuses[status] += 1
            if status in OK:
                run.times.append(time.perf_counter() - self.at)
            elif not run.first_refusal:
                run.first_refusal = body[:300].decode(errors="replace")

    def connection_lost(self, error: Exception | None) -> None:
        if not self.run.over:
            self.run.broken += 1


def complete(answer: bytes, end: int) -> bool:
    """Is the whole body there? `end` is where the headers end."""
    head = answer[:end].lower()
    place = head.find(b"content-length:")
    if place < 0:  # chunked
        return answer.endswith(b"0\r\n\r\n")
    return len(answer) >= end + 4 + int(head[place + 15 :].split(b"\r\n", 1)[0])


def processor_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def family_s(pid: int) -> float:
    """Processor time of a process's children so far, of those that ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    living = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return ended + sum(processor_s(int(each)) for each in living)


def watch(question: dict[str, Any]) -> dict[str, float]:
    """Linux only: elsewhere the report does without. `watched`: processes; `families`: parents."""
    if not Path("/proc/self/stat").exists():
        return {}
    spent = {name: processor_s(pid) for name, pid in question.get("watched", {}).items()}
    spent |= {name: family_s(pid) for name, pid in question.get("families", {}).items()}
    return spent | {"client": processor_s(os.getpid())}


async def listening(port: int) -> None:
    deadline = time.monotonic() + CONNECT_S
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"nothing listens on port {port}") from None
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def drive(question: dict[str, Any], caller: type[Caller] = Caller) -> dict[str, Any]:
    run = Run(question)
    await listening(question["port"])
    loop = asyncio.get_running_loop()
    async with followed(run):
        for number in range(question["connections"]):
            await loop.create_connection(lambda n=number: caller(run, n), "127.0.0.1", question["port"])
        await asyncio.sleep(question.get("warm_s", WARM_S))
        while run.unanswered and not run.broken:
            await asyncio.sleep(0.05)
        run.counting = True
        before = watch(question)
        began = time.perf_counter()
        await asyncio.sleep(question["seconds"])
        run.counting, run.over = False, True
        seconds = time.perf_counter() - began
        after = watch(question)
    acks = len(run.times)
    answer = {
        "acks_per_s": round(acks / seconds),
        "p50_ms": milliseconds(percentile(run.times, 0.5)),
        "p99_ms": milliseconds(percentile(run.times, 0.99)),
        "p999_ms": milliseconds(percentile(run.times, 0.999)),
        "errors": sum(run.statuses.values()) - acks + run.broken,
    }
    if acks:
        answer["cpu_us_per_ack"] = {name: round((after[name] - before[name]) / acks * 1e6) for name in before}
    return answer | ({"first_refusal": run.first_refusal} if run.first_refusal else {})


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(drive(asked))), flush=True)
