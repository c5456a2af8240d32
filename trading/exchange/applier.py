"""Commands meet the engine: each becomes rows of the batch, an answer, and news. In memory only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from market.ticks import Tick
from simgame.kernel import clock, failpoints
from trading.engine.commands import Halt, Recovered
from trading.engine.engine import Engine
from trading.engine.events import Event, OrderRow, Refused
from trading.exchange import idempotency, jobs, replies
from trading.exchange.batch import Batch, encode_json
from trading.exchange.heard import HEARD_MAX, Entry, Heard
from trading.exchange.idempotency import Key
from trading.exchange.intake import Arrival
from trading.exchange.known import KnownKeys
from trading.exchange.streams import Dispatch, Streams
from trading.exchange.wire import Reply
from trading.messages import nested, order_json

Stored = dict[Key, tuple[bytes, dict[str, Any]]]  # fingerprint and result of keys used before


@dataclass
class Head:
    """Where the journal stands."""

    seq: int
    at_ns: int
    tick_seq: int = 0


@dataclass
class Work:
    """What was applied in memory and waits for its commit."""

    batch: Batch
    answers: list[tuple[Arrival, Reply]] = field(default_factory=list)
    told: list[Dispatch] = field(default_factory=list)
    done: Stored = field(default_factory=dict)  # keys that this batch uses first

    @property
    def empty(self) -> bool:
        return self.batch.empty and not self.answers


class Applier:
    def __init__(self, engine: Engine, streams: Streams, head: Head, wall: Callable[[], int] | None = None):
        """`wall`: nanoseconds since 1970, for drills that have a time of their own."""
        self.engine = engine
        self.streams = streams
        self.head = head
        self.heard = Heard()
        self._wall = wall
        self._begun: tuple[Recovered, int, int] | None = None
        self.known = KnownKeys(head.seq)
        self.commands = 0
        self.ticks = 0

    def new_work(self) -> Work:
        return Work(Batch(self.streams.world_number))

    def apply(self, work: Work, items: list[Arrival | Tick], stored: Stored) -> None:
        """Apply in order of arrival. `stored`: what is known of keys used before this work."""
        for item in items:
            if isinstance(item, Arrival):
                work.answers.append((item, self._request(work, item, stored)))
            else:
                self._tick(work, item)

    def now(self) -> int:
        """Engine time: the wall clock, never back, in the microseconds that the database keeps."""
        wall_ns = clock.now_ns() if self._wall is None else self._wall()
        self.head.at_ns = max(self.head.at_ns, wall_ns // clock.NS_PER_US * clock.NS_PER_US)
        return self.head.at_ns

    def _request(self, work: Work, arrival: Arrival, stored: Stored) -> Reply:
        command, n = arrival.body, arrival.n
        key = idempotency.key_of(command)
        before = key and (work.done.get(key) or stored.get(key))
        if before:
            return replies.repeated(n, idempotency.fingerprint(command), before, self._show)
        self.commands += 1
        events = self.engine.apply(command, self.head.seq + 1, self.now())
        no = replies.refusal(events)
        if no is not None:
            return replies.refused(n, no)
        result = replies.result_of(command, events)
        mark = idempotency.fingerprint(command) if key else b""
        self._record(work, command, events, mark, result)
        if key:
            work.done[key] = (mark, result)
            self.known.add(key)
        return replies.executed(n, result, self._show(result))

    def _tick(self, work: Work, tick: Any) -> None:
        if type(tick) is Recovered:  # the engine was made so
            self._begin(tick)
            return
        self.ticks += 1
        self.head.tick_seq = getattr(tick, "seq", 0) or self.head.tick_seq
        seq, heard = self.head.seq + 1, self.heard
        key = heard.key_of(self.engine.state, seq, tick)
        events = self.engine.apply(tick, seq, self.now())
        recorded = type(tick) is Halt or bool(events)  # a halt is a row, though nobody has an order there
        if not recorded:
            heard.add(key, Entry(seq, self.head.at_ns, tick))
            if len(heard) >= HEARD_MAX:
                self._record_begin(work)
                work.batch.heard += heard.take()
        elif not events or not all(isinstance(event, Refused) for event in events):
            keyed = idempotency.key_of(tick) is not None  # a corporate action on its date
            mark = idempotency.fingerprint(tick) if keyed else b""
            self._record(work, tick, events, mark, replies.result_of(tick, events) if keyed else {})

    def _begin(self, recovered: Recovered) -> None:
        """It has the first number of this life, and is written with the first batch that is."""
        self.head.seq += 1
        self._begun = (recovered, self.head.seq, self.now())

    def _record_begin(self, work: Work) -> None:
        if self._begun is not None:
            command, seq, at_ns = self._begun
            self._begun = None
            work.batch.add(command, [], seq=seq, at_ns=at_ns, mark=b"", result={}, tick_seq=0)

    def _record(
        self, work: Work, command: Any, events: list[Event], mark: bytes, result: dict[str, Any]
    ) -> None:
        """Rows and news into the work."""
        self._record_begin(work)
        head = self.head
        head.seq += 1
        work.batch.heard += self.heard.take()
        work.batch.add(
            command,
            events,
            seq=head.seq,
            at_ns=head.at_ns,
            mark=mark,
            result=result,
            tick_seq=head.tick_seq,
        )
        if failpoints.ARMED:
            for job in jobs.of(command, events):
                work.batch.jobs.append(job)
                failpoints.passing(job)
        work.told += self.streams.record(work.batch, head.seq, events)
        if type(command) is Halt:
            work.told.append(self.streams.halts(head.seq, _halted(self.engine)))

    def _show(self, result: dict[str, Any]) -> bytes:
        """The order that a call asked about, with its legs, as players see it; b"" when it asked of none."""
        if "order" not in result:
            return b""
        rows = [result["order"], *result.get("legs", ())]
        if type(rows[0]) is dict:  # from the journal
            rows = msgspec.convert(rows, list[OrderRow])
        scale = self.streams.scales[rows[0].symbol]
        shown = order_json(rows[0], scale)
        return encode_json(nested(shown, [order_json(leg, scale) for leg in rows[1:]]))


def _halted(engine: Engine) -> dict[str, str]:
    return {symbol: market.halt_reason for symbol, market in engine.state.markets.items() if market.halted}
