"""The heart: take what arrived, apply it in memory, commit it in one transaction, answer, publish."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from market.ticks import Tick
from realtime.publish import Message
from simgame.kernel import clock
from trading.engine.commands import CancelAll, CancelOrder, NewOrder
from trading.engine.engine import Engine
from trading.engine.events import Event, Refused
from trading.exchange import failpoints, idempotency, replies
from trading.exchange.batch import Batch
from trading.exchange.idempotency import Key
from trading.exchange.intake import Arrival, Intake
from trading.exchange.lease import BEAT_S, Fenced
from trading.exchange.streams import Streams
from trading.exchange.wire import Preview, Reply, Status
from trading.exchange.writer import Fate, Writer

log = structlog.get_logger(__name__)
QUARANTINE_PERMITS = (CancelOrder, CancelAll)


class Rebuild(Exception):
    """Memory is ahead of the database, or in doubt: throw it away and read the books again."""


@dataclass
class Head:
    """Where the journal stands."""

    seq: int
    at_ns: int
    tick_seq: int = 0


@dataclass
class Work:
    """A batch that was applied in memory and waits for its commit."""

    batch: Batch
    answers: list[tuple[Arrival, Reply]] = field(default_factory=list)
    told: list[Message] = field(default_factory=list)
    done: dict[Key, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Counters:
    commands: int = 0
    ticks: int = 0
    batches: int = 0
    largest_batch: int = 0


class Loop:
    """One life of the books in memory: from a recovery to a stop or the next rebuild."""

    def __init__(
        self,
        *,
        engine: Engine,
        writer: Writer,
        streams: Streams,
        head: Head,
        publish: Callable[[list[Message]], Awaitable[Any]],
        why_quarantined: str = "",
    ):
        self.engine = engine
        self.writer = writer
        self.streams = streams
        self.head = head
        self.publish = publish
        self.why_quarantined = why_quarantined
        self.intake = Intake()
        self.counters = Counters()
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._wake = asyncio.Event()
        self._stopping = False
        self._failure: BaseException | None = None
        self._publishing: set[asyncio.Future[Any]] = set()

    @property
    def state(self) -> str:
        return "quarantined" if self.why_quarantined else "serving"

    def submit(self, arrival: Arrival) -> None:
        """Take a request in; its link gets exactly one answer, now or after a commit."""
        refusal = self._at_the_door(arrival)
        if refusal is not None:
            arrival.link.answer(refusal)
        else:
            self._wake.set()

    def submit_ticks(self, ticks: list[Any]) -> None:
        """Ticks, and rules of a new market day, in the feed's order."""
        if not self._stopping:
            self.intake.put_ticks(ticks)
            self._wake.set()

    def stop(self) -> None:
        """Finish what is under way and return from `run`."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`. Raises Rebuild, Fenced."""
        beating = asyncio.ensure_future(self._beat())
        beating.add_done_callback(self._beat_ended)
        try:
            while not self._stopping or len(self.intake):
                if self._failure is not None:
                    raise self._failure
                if len(self.intake):
                    await self._safely(self.intake.take())
                else:
                    self._wake.clear()
                    await self._wake.wait()
        finally:
            beating.cancel()
            await asyncio.gather(beating, *self._publishing, return_exceptions=True)
            self.thread.shutdown(wait=True)

    def fail(self, why: BaseException) -> None:
        """Something that this life depends on ended: `run` raises it."""
        self._failure = why if isinstance(why, Fenced) else Rebuild(f"{type(why).__name__}: {why}")
        self._failure.__cause__ = why
        self._wake.set()

    def _beat_ended(self, beating: asyncio.Future[None]) -> None:
        if not beating.cancelled() and (error := beating.exception()) is not None:
            self.fail(error)

    def _at_the_door(self, arrival: Arrival) -> Reply | None:
        """Answers that need no commit, and refusals before anything is applied."""
        body, n = arrival.body, arrival.n
        if isinstance(body, Status):
            return Reply(n, "executed", result=self.status(body))
        if isinstance(body, Preview):
            return Reply(n, "executed", result=self.engine.preview(body.order, self._now()))
        if self.why_quarantined and not isinstance(body, QUARANTINE_PERMITS):
            return Reply(n, "not_executed", "QUARANTINED", self.why_quarantined)
        if isinstance(body, NewOrder) and body.symbol not in self.streams.scales:
            return Reply(n, "not_executed", "UNKNOWN_SYMBOL", f"This world has no {body.symbol!r}.")
        if self._stopping:
            return Reply(n, "not_executed", "ENGINE_RECOVERING", "The exchange is stopping.")
        if not self.intake.put(arrival):
            return Reply(
                n, "not_executed", "OVERLOADED", "Too many orders are waiting; this one was not taken."
            )
        return None

    async def _safely(self, items: list[Arrival | Tick]) -> None:
        """An exception that nobody expected puts the memory in doubt: rebuild it."""
        try:
            await self._one_batch(items)
        except (Rebuild, Fenced):
            raise
        except Exception as error:
            raise Rebuild(f"{type(error).__name__}: {error}") from error

    async def _one_batch(self, items: list[Arrival | Tick]) -> None:
        loop = asyncio.get_running_loop()
        keys = self._keys_to_look_up(items)
        work: Work | None = None
        try:
            stored = await loop.run_in_executor(self.thread, self.writer.look_up, keys) if keys else {}
            work = self._apply(items, stored)
            if work.batch.empty:
                self._answer(work)
                await asyncio.sleep(0)  # a flood of ticks must not starve the socket
                return
            fate = await loop.run_in_executor(self.thread, self.writer.write, work.batch)
        except BaseException:
            self._answer_all(items, "not_executed", "ENGINE_RECOVERING")
            raise
        if fate is not Fate.COMMITTED:
            unknown = fate is Fate.UNKNOWN
            self._answer_all(
                items, *(("unknown", "OUTCOME_UNKNOWN") if unknown else ("not_executed", "ENGINE_RECOVERING"))
            )
            raise Rebuild(f"batch up to {work.batch.last_seq}: {fate.value}")
        failpoints.passing(failpoints.FP5_BEFORE_ACK)
        self._answer(work)
        failpoints.passing(failpoints.FP6_BEFORE_PUBLISH)
        self._publish(work.told)

    def _keys_to_look_up(self, items: list[Arrival | Tick]) -> list[Key]:
        keys: dict[Key, None] = {}
        for item in items:
            if isinstance(item, Arrival) and not idempotency.is_new_by_making(item.body):
                key = idempotency.key_of(item.body)
                if key is not None:
                    keys[key] = None
        return list(keys)

    def _apply(self, items: list[Arrival | Tick], stored: dict[Key, tuple[bytes, dict[str, Any]]]) -> Work:
        work = Work(Batch(self.streams.world_number), done=stored)
        for item in items:
            if isinstance(item, Arrival):
                work.answers.append((item, self._apply_request(work, item)))
            else:
                self._apply_tick(work, item)
        return work

    def _apply_request(self, work: Work, arrival: Arrival) -> Reply:
        command, n = arrival.body, arrival.n
        key = idempotency.key_of(command)
        if key is not None and key in work.done:
            return replies.repeated(n, idempotency.fingerprint(command), work.done[key])
        self.counters.commands += 1
        events = self.engine.apply(command, self.head.seq + 1, self._now())
        no = replies.refusal(events)
        if no is not None:
            return replies.refused(n, no)
        result = replies.result_of(command, events)
        mark = self._record(work, command, events, result)
        if key is not None:
            work.done[key] = (mark, result)
        return replies.executed(n, result)

    def _apply_tick(self, work: Work, tick: Any) -> None:
        self.counters.ticks += 1
        self.head.tick_seq = getattr(tick, "seq", 0) or self.head.tick_seq
        events = self.engine.apply(tick, self.head.seq + 1, self._now())
        if events and not all(isinstance(event, Refused) for event in events):
            self._record(work, tick, events, {})

    def _record(self, work: Work, command: Any, events: list[Event], result: dict[str, Any]) -> bytes:
        self.head.seq += 1
        mark = idempotency.fingerprint(command) if idempotency.key_of(command) else b""
        head = self.head
        work.batch.add(
            command,
            events,
            seq=head.seq,
            at_ns=head.at_ns,
            mark=mark,
            result=result,
            tick_seq=head.tick_seq,
        )
        work.told += self.streams.record(work.batch, self.head.seq, events)
        return mark

    def _now(self) -> int:
        """Engine time: the wall clock, never back, in the microseconds that the database keeps."""
        self.head.at_ns = max(self.head.at_ns, clock.now_ns() // clock.NS_PER_US * clock.NS_PER_US)
        return self.head.at_ns

    def _answer(self, work: Work) -> None:
        counters = self.counters
        counters.batches += not work.batch.empty
        counters.largest_batch = max(counters.largest_batch, len(work.answers))
        for arrival, reply in work.answers:
            arrival.link.answer(reply)

    def _answer_all(self, items: list[Arrival | Tick], outcome: Any, code: str) -> None:
        waiting = [item for item in items if isinstance(item, Arrival)]
        for arrival in waiting:
            arrival.link.answer(Reply(arrival.n, outcome, code))

    def refuse_waiting(self) -> None:
        """Everything not yet applied is certainly not executed."""
        while len(self.intake):
            self._answer_all(self.intake.take(), "not_executed", "ENGINE_RECOVERING")

    def _publish(self, told: list[Message]) -> None:
        if told:
            sending = asyncio.ensure_future(self.publish(told))
            self._publishing.add(sending)
            sending.add_done_callback(self._published)

    def _published(self, sending: asyncio.Future[Any]) -> None:
        self._publishing.discard(sending)
        failpoints.passing(failpoints.FP7_AFTER_PUBLISH)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(self.thread, self.writer.beat, self.state, self.why_quarantined)
            await asyncio.sleep(BEAT_S)

    def status(self, asked: Status) -> dict[str, Any]:
        """For health, seed-state and tests."""
        facts = {"state_hash": self.engine.state_hash()} if asked.hashed else {}
        return facts | {
            "state": self.state,
            "why": self.why_quarantined,
            "epoch": self.writer.lease.epoch,
            "seq": self.head.seq,
            "at_ns": self.head.at_ns,
            "tick_seq": self.head.tick_seq,
            "waiting": self.intake.requests,
            "conflated": self.intake.conflated,
            "counters": msgspec.to_builtins(self.counters),
        }
