"""The load generator of `bench cost`: orders, or one page again and again. A line of JSON in, one out."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

from ops.load.orders_client import Caller, Run, drive


class Visitor(Caller):
    """Asks for the page that it has just seen."""

    def __init__(self, run: Run, number: int):
        super().__init__(run, number)
        headers = run.question["headers"][number % len(run.question["headers"])]
        lines = [f"GET {run.question['path']} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.head = ("\r\n".join(lines) + "\r\n\r\n").encode()

    def send(self) -> None:
        self.at = time.perf_counter()
        self.transport.write(self.head)


def ask(question: dict[str, Any]) -> dict[str, Any]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(drive(question, Caller if "orders" in question else Visitor))


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(ask(json.loads(line))), flush=True)
