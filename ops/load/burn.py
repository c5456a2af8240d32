"""A yardstick for the machine: the four processes of an order, each burning its share of processor time.

Nothing of the game runs. A client, a web worker, an exchange and a database hand tokens round as `bench
orders` does orders (bites, batches and batches in flight are the exchange's); a token costs each of them
what an order was measured to cost (`cpu_us_per_ack` of `bench orders`), its own sockets included. It is a
model, not a bound: it has no feed and no quotes, and its bites are cruder. But what it spreads and leaves
idle comes from the machine and from four processes on its cores, not from what the game does.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import struct
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ops.load.bench import Report, Say, percentile, positive, positive_int, report
from trading.exchange.intake import REQUESTS_PER_BITE
from trading.exchange.loop import FOLLOWING_LEAST, IN_FLIGHT_MOST

HELP = """Tokens a second, p50 and p99 of four processes that only burn what an order costs each of them.

Give --us the `cpu_us_per_ack` of `bench orders` (web, exchange, database, client), and compare with its
p50 and p99. The report leads with the run of the lowest p99."""
WARM_S = 1.0
TOKEN = struct.Struct(">I")
PORTION = 16  # orders that the web worker sends on at once
FLUSH_S = 0.0005  # the database waits for its disk
TOKENS_MAX = 256
COMING, GOING = 0.6, 0.4  # of a process's share, before the database and after it
LOST_S = 10.0  # no token for so long: none will come


def tokens(text: str) -> int:
    """An argparse type: as many as fit into the buffers of all sockets, so that nobody waits to send."""
    number = positive_int(text)
    if number > TOKENS_MAX:
        raise ArgumentTypeError(f"expected at most {TOKENS_MAX}, got {text!r}")
    return number


def shares(text: str) -> list[float]:
    """An argparse type: four numbers of microseconds, with commas between."""
    parts = [positive(part) for part in text.split(",")]
    if len(parts) != 4:
        raise ArgumentTypeError(f"expected four numbers (web, exchange, database, client), got {text!r}")
    return parts


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--connections", type=tokens, default=256, help="tokens (256, not more)")
    parser.add_argument("--seconds", type=positive, default=8.0, help="of each run (8)")
    parser.add_argument("--runs", type=positive_int, default=3, help="one after another (3)")
    what = "µs of processor time an order: web,exchange,database,client (100,115,77,20)"
    parser.add_argument("--us", type=shares, default=[100.0, 115.0, 77.0, 20.0], help=what)


def run(options: dict[str, Any], say: Say) -> Report:
    began, runs = time.perf_counter(), []
    for number in range(options["runs"]):
        before = _processors()
        runs.append(_once(options["connections"], options["seconds"], [us / 1e6 for us in options["us"]]))
        runs[-1] |= _idle(before, _processors())
        say(f"run {number + 1}: " + ", ".join(f"{name} {value:,}" for name, value in runs[-1].items()))
    best = min(runs, key=lambda each: each["p99_ms"])
    ours = best | {"connections": options["connections"], "us": options["us"], "runs": runs}
    return report("burn", round(time.perf_counter() - began, 1), ours, {"name": "nobody"}, "tokens_per_s")


def table(result: Report) -> str:
    runs = result["ours"]["runs"]
    lines = ["".join(f"{name:>16}" for name in runs[0])]
    return "\n".join(lines + ["".join(f"{value:>16,}" for value in each.values()) for each in runs])


def _once(count: int, seconds: float, cost_s: list[float]) -> Report:
    web_s, exchange_s, database_s, client_s = cost_s
    to_web, to_exchange, to_database, answered, replied, told = (socket.socketpair() for _ in range(6))
    with (
        _process(_web, web_s, to_web[1], to_exchange[0], replied[1], told[0]),
        _process(_exchange, exchange_s, to_exchange[1], to_database[0], answered[1], replied[0]),
        _process(_database, database_s, to_database[1], answered[0]),
    ):
        times = _client(count, seconds, client_s, to_web[0], told[1])
    for each in (*to_web, *to_exchange, *to_database, *answered, *replied, *told):
        each.close()
    p50, p99 = (round((percentile(times, part) or 0.0) * 1e3, 2) for part in (0.5, 0.99))
    return {
        "tokens_per_s": round(len(times) / seconds),
        "p50_ms": p50,
        "p99_ms": p99,
        "p99_to_p50": round(p99 / p50, 2),
    }


@contextmanager
def _process(what: Any, *arguments: Any) -> Iterator[None]:
    child = multiprocessing.get_context("fork").Process(target=what, args=arguments, daemon=True)
    child.start()
    try:
        yield
    finally:
        child.kill()
        child.join()


class _Burner:
    """Processor time of this thread, up to what is due; what sockets took counts."""

    def __init__(self) -> None:
        self.due_s = time.thread_time()

    def burn(self, seconds: float) -> None:
        self.due_s += seconds
        while time.thread_time() < self.due_s:
            pass


def _tokens(line: socket.socket) -> list[bytes]:
    """What has come; at least one."""
    got = line.recv(TOKEN.size * 256)
    while len(got) % TOKEN.size:
        got += line.recv(TOKEN.size - len(got) % TOKEN.size)
    return [got[at : at + TOKEN.size] for at in range(0, len(got), TOKEN.size)]


def _web(
    cost_s: float,
    asked: socket.socket,
    exchange: socket.socket,
    replies: socket.socket,
    client: socket.socket,
) -> None:
    burn = _Burner().burn
    while True:
        ready, _, _ = select.select([asked, replies], [], [])
        if asked in ready:
            come = _tokens(asked)
            for first in range(0, len(come), PORTION):
                portion = come[first : first + PORTION]
                burn(cost_s * COMING * len(portion))
                exchange.sendall(b"".join(portion))
        if replies in ready:
            for token in _tokens(replies):
                burn(cost_s * GOING)
                client.sendall(token)


def _exchange(
    cost_s: float, orders: socket.socket, database: socket.socket, done: socket.socket, web: socket.socket
) -> None:
    burn = _Burner().burn
    waiting: list[bytes] = []
    batch: list[bytes] = []
    in_flight = 0
    while True:
        ready, _, _ = select.select([orders, done], [], [], 0 if waiting else None)
        if orders in ready:
            waiting += _tokens(orders)
        bite, waiting = waiting[:REQUESTS_PER_BITE], waiting[REQUESTS_PER_BITE:]
        burn(cost_s * COMING * len(bite))
        batch += bite
        if done in ready:
            committed = _batch(done)
            burn(cost_s * GOING * (len(committed) // TOKEN.size))
            web.sendall(committed)
            in_flight -= 1
        follows = in_flight < IN_FLIGHT_MOST and len(batch) >= FOLLOWING_LEAST
        if batch and (not in_flight or follows):
            database.sendall(TOKEN.pack(TOKEN.size * len(batch)) + b"".join(batch))
            batch, in_flight = [], in_flight + 1


def _database(cost_s: float, batches: socket.socket, done: socket.socket) -> None:
    burn = _Burner().burn
    while True:
        batch = _batch(batches)
        burn(cost_s * (len(batch) // TOKEN.size))
        time.sleep(FLUSH_S)
        done.sendall(TOKEN.pack(len(batch)) + batch)


def _batch(line: socket.socket) -> bytes:
    (size,) = TOKEN.unpack(line.recv(TOKEN.size, socket.MSG_WAITALL))
    return line.recv(size, socket.MSG_WAITALL)


def _client(
    count: int, seconds: float, cost_s: float, web: socket.socket, answers: socket.socket
) -> list[float]:
    """Seconds from sending a token to its return, of those that returned after the warm-up. Raises
    RuntimeError when none returns."""
    now, burn = time.perf_counter, _Burner().burn
    answers.settimeout(LOST_S)
    began, times = now(), []
    sent = [began] * count
    web.sendall(b"".join(map(TOKEN.pack, range(count))))
    try:
        while now() - began < WARM_S + seconds:
            for token in _tokens(answers):
                (number,) = TOKEN.unpack(token)
                here = now()
                if here - began > WARM_S:
                    times.append(here - sent[number])
                burn(cost_s)
                sent[number] = now()
                web.sendall(token)
    except TimeoutError:
        times = []
    if not times:
        raise RuntimeError(f"No token came round in {LOST_S:g} s: --us should be less, or --seconds more.")
    return times


def _processors() -> list[int]:
    """Linux only: ticks of all processors by state; elsewhere nothing."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return []
    return [int(each) for each in stat.read_text(encoding="ascii").splitlines()[0].split()[1:9]]


def _idle(before: list[int], after: list[int]) -> Report:
    """Per cent of all processors' time in which they had nothing to do, and which the host took (steal)."""
    spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
    if not sum(spent):
        return {}
    return {
        "idle_percent": round(100 * spent[3] / sum(spent)),
        "steal_percent": round(100 * spent[7] / sum(spent), 1),
    }
