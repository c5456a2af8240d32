"""Where an order's processor time goes: the exchange's own code, one batch after another in one process.

Called by the stage of `bench orders` when the exchange has stopped: it takes the world over, reads the
books, and sends orders of the bench's portfolios through decode, refuse, match, rows, database and ack,
with the clock of the thread (and of the database's process) around each.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, cast

import msgspec

from market.models import World
from market.ticks import PhaseTick, Quote, Reference
from simgame.kernel import clock, ids
from trading.engine import risk
from trading.engine.commands import NewOrder, SetRules
from trading.engine.draft import draft_of
from trading.engine.engine import Engine
from trading.exchange import recovery, statements, ticks
from trading.exchange.applier import Applier, Work
from trading.exchange.database import connect
from trading.exchange.intake import Arrival
from trading.exchange.lease import Lease
from trading.exchange.server import decode_requests, encode_replies
from trading.exchange.streams import Streams
from trading.exchange.wire import Request
from trading.exchange.writer import Fate, Writer
from trading.gateway import parse

BATCH, BATCHES, WARM = 64, 60, 10
DEPTH = 10**9
PRICE, HIGH, LOW = 1_000, 1_010, 950
STAGES = ("decode", "refuse", "match", "rows", "database", "ack")


class Stages:
    def __init__(self, world: World):
        connection = connect("writer")
        lease = Lease.acquire(connection, world.number, "bench", "unix:/nowhere")
        books = recovery.read(connection, world.number)
        rules = ticks.Rules(world)
        of_the_day = rules.of(books.market_day)
        engine = recovery.engine_of(books, world.number, (), rules.halted)
        streams = Streams(world.number, world.stream_epoch, rules.scales, books.stream_heads)
        self.applier = Applier(engine, streams, books.head)
        self.writer = Writer(lease, connection)
        self.scales = rules.scales
        self.symbols = [each.symbol for each in of_the_day if each.tradable][:8]
        self.portfolios = sorted(engine.state.portfolios)
        self.day, self.database = books.market_day, connection.info.backend_pid
        self.spent = dict.fromkeys(STAGES, 0.0)
        self._begin([SetRules(each) for each in of_the_day])

    def _begin(self, first: list[Any]) -> None:
        now = clock.now_ns()
        first.append(PhaseTick(self.day, "continuous", "", 0, now, now))
        first += [Reference(each, self.day, PRICE, 0, 0, now, now, "bench") for each in self.symbols]
        self._ready(first)

    def _ready(self, heard: list[Any]) -> Work:
        work = self.applier.new_work()
        self.applier.apply(work, heard, {})
        return work

    async def run(self) -> dict[str, int]:
        """Microseconds per order and stage."""
        for number in range(WARM + BATCHES):
            if number == WARM:
                self.spent = dict.fromkeys(STAGES, 0.0)
            await self._batch(number)
        self.writer.close()
        return {name: round(seconds / (BATCH * BATCHES) * 1e6) for name, seconds in self.spent.items()}

    async def _batch(self, number: int) -> None:
        bodies = [_body(self.symbols[n % len(self.symbols)], number, n) for n in range(BATCH)]
        work = self._ready([_quote(symbol) for symbol in self.symbols])
        began = time.thread_time()
        orders = [
            self._read(body, self.portfolios[n % len(self.portfolios)]) for n, body in enumerate(bodies)
        ]
        frame = msgspec.msgpack.encode([Request(n, order) for n, order in enumerate(orders)])
        arrivals = [Arrival(request.body, request.n, None) for request in decode_requests(frame)]
        decoded = time.thread_time()
        state, at_ns = self.applier.engine.state, self.applier.now()
        for order in orders:
            risk.refuse_new(state, order, draft_of(state, order), at_ns)
        refused = time.thread_time()
        matching = self._match(work, arrivals)
        applied = time.thread_time()
        list(statements.of(work.batch, self.writer.lease.epoch))
        rows = time.thread_time()
        before = _processor_s(self.database)
        assert await self.writer.write(work.batch) is Fate.COMMITTED
        written = time.thread_time()
        encode_replies([reply for _, reply in work.answers])
        sent = time.thread_time()
        spent = self.spent
        spent["decode"] += decoded - began
        spent["refuse"] += refused - decoded
        spent["match"] += matching - (refused - decoded)
        spent["rows"] += applied - refused - matching + rows - applied
        spent["database"] += (
            _processor_s(self.database) - before + max(written - rows - (rows - applied), 0.0)
        )
        spent["ack"] += sent - written

    def _read(self, body: bytes, portfolio: int) -> NewOrder:
        found = parse.order_body(body)
        wanted = parse.wanted(found, self.scales[found.symbol])
        order_id = ids.uuid7_text()
        deadline = clock.now_ns() + 10 * clock.NS_PER_S
        return NewOrder(
            portfolio, order_id, wanted.client_order_id or order_id, wanted.symbol, wanted.side, wanted.type,
            wanted.time_in_force, wanted.qty, wanted.limit_price, deadline,
        )  # fmt: skip

    def _match(self, work: Work, arrivals: list[Any]) -> float:
        """Seconds inside the engine; the rest of applying makes rows."""
        engine = self.applier.engine
        timed = Timed(engine)
        self.applier.engine = cast("Engine", timed)
        try:
            self.applier.apply(work, arrivals, {})
        finally:
            self.applier.engine = engine
        return timed.inside


class Timed:
    """An engine whose `apply` is timed. The compiled one's methods cannot be replaced."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.inside = 0.0  # seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def apply(self, *asked: Any) -> Any:
        began = time.thread_time()
        events = self.engine.apply(*asked)
        self.inside += time.thread_time() - began
        return events


def _quote(symbol: str) -> Quote:
    now = clock.now_ns()
    return Quote(symbol, ((PRICE - 1, DEPTH),), ((PRICE, DEPTH),), now, now, "bench", seq=now)


def _body(symbol: str, batch: int, n: int) -> bytes:
    """Every second one can fill."""
    price = HIGH if n % 2 else LOW
    order = {"symbol": symbol, "qty": "100", "side": "buy", "type": "limit", "time_in_force": "day"}
    return json.dumps(
        order | {"limit_price": f"{price / 100:.2f}", "client_order_id": f"stage{batch}-{n}"}
    ).encode()


def _processor_s(pid: int) -> float:
    """Processor time of a process so far, to the nanosecond; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except OSError:
        return 0.0


def measure(world: World) -> dict[str, int]:
    return asyncio.run(Stages(world).run())
