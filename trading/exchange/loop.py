"""The heart: take what arrived, apply it in memory, commit it in one transaction, answer, publish.

While one batch is being committed, what arrives meanwhile is applied already and becomes the next:
batches shrink under light load and grow under heavy load by themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from simgame.kernel import clock, collector, failpoints
from simgame.kernel.ids import world_key
from trading.engine.commands import CancelAll, CancelOrder, ClosePosition, NewOrder, ReplaceOrder
from trading.engine.invariants import Breach
from trading.exchange import idempotency
from trading.exchange.applier import Applier, Stored, Work
from trading.exchange.audit import Audit
from trading.exchange.idempotency import Key
from trading.exchange.intake import Arrival, Intake
from trading.exchange.lease import BEAT_S, Fenced
from trading.exchange.news import News
from trading.exchange.pace import Pace
from trading.exchange.streams import Dispatch
from trading.exchange.wire import Preview, Quarantine, Reply, Status
from trading.exchange.writer import Fate, Reader, Writer

log = structlog.get_logger(__name__)
QUARANTINE_PERMITS = (CancelOrder, CancelAll)
# An order that comes between a restart and the feed's first word is not rejected for that.
NEEDS_A_PHASE = (NewOrder, ClosePosition, ReplaceOrder)
UNHEARD = "The exchange has just started and not heard yet in which phase the market is."
ANSWERS_PER_BATCH = 256  # a commit of more keeps everybody waiting for too long
FOLLOWING_LEAST = 24  # answers for which a second batch leaves while the first is on its way
IN_FLIGHT_MOST = 2
KEYS_PER_READ = 2_000


class Rebuild(Exception):
    """Memory is ahead of the database, or in doubt: throw it away and read the books again."""


class DatabaseLost(Rebuild):
    """The memory is in doubt because the database went away around a COMMIT: no fault of ours."""


class BooksBroken(Rebuild):
    """A batch would have broken the books: nothing of it was written."""

    def __init__(self, breaches: list[Breach], seq: int):
        super().__init__("; ".join(f"{each.invariant} {each.subject}" for each in breaches[:5]))
        self.breaches = breaches
        self.seq = seq


class Loop:
    """One life of the books in memory: from a recovery to a stop or the next rebuild."""

    def __init__(
        self,
        *,
        applier: Applier,
        writer: Writer,
        reader: Reader,
        news: News,
        why_quarantined: str = "",
        begin_with: list[Any] | None = None,
    ):
        """`begin_with`: rules, applied before anybody is heard."""
        self.applier = applier
        self.writer = writer
        self.reader = reader
        self.news = news
        self.why_quarantined = why_quarantined
        self.intake = Intake()
        self.pace = Pace()
        self.batches = self.largest_batch = 0
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._wake = asyncio.Event()
        self._begins_after = applier.head.seq
        self._audit = Audit(applier.engine.state)
        self._work = applier.new_work()  # applied, not yet on its way
        applier.apply(self._work, begin_with or [], {})
        self._committing: deque[tuple[Work, asyncio.Future[Fate]]] = deque()  # in order, the oldest first
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
        if not self._stopping and not self.why_quarantined:  # no fill, no expiry on books in doubt
            self.intake.put_ticks(ticks)
            self._wake.set()

    def stop(self) -> None:
        """Finish what is under way and return from `run`."""
        self._stopping = True
        self._wake.set()

    def fail(self, why: BaseException) -> None:
        """Something that this life depends on ended: `run` raises it."""
        self._failure = why if isinstance(why, Fenced) else Rebuild(f"{type(why).__name__}: {why}")
        self._failure.__cause__ = why
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`. Raises Rebuild, Fenced; then whoever waits has been told what is known."""
        beating = asyncio.ensure_future(self._beat())
        beating.add_done_callback(self._duty_ended)
        learning = asyncio.ensure_future(self._learn_keys())
        learning.add_done_callback(self._duty_ended)
        try:
            while self._failure is None and not (self._stopping and self._idle()):
                await self._turn()
            if self._failure is not None:
                raise self._failure
        except (Rebuild, Fenced):
            raise
        except Exception as error:  # nobody expected it: the memory is in doubt
            raise Rebuild(f"{type(error).__name__}: {error}") from error
        finally:
            beating.cancel()
            learning.cancel()
            await self._end_commit()
            self._refuse_waiting()
            await asyncio.gather(beating, learning, *self._publishing, return_exceptions=True)
            self._reading.shutdown(wait=True)

    async def _turn(self) -> None:
        """Apply what is there, send off what was applied if the writer is free, else wait for news."""
        if len(self.intake) and len(self._work.answers) < ANSWERS_PER_BATCH:
            await self._apply_some()
        elif not self._may_begin():
            self._wake.clear()
            if not self._committing:
                collector.look_while_idle()
            if not (self._committing and self._committing[0][1].done()):
                await self._wake.wait()
        while self._committing and self._committing[0][1].done():
            self._finish_commit()
        if self._may_begin():
            self._begin_commit()

    def _may_begin(self) -> bool:
        """A second batch leaves behind the first when it is worth it, and when the first is not in doubt."""
        if self._work.empty or not self._committing:
            return not self._work.empty
        following = len(self._committing) < IN_FLIGHT_MOST and self.writer.may_follow
        return following and len(self._work.answers) >= FOLLOWING_LEAST

    async def _apply_some(self) -> None:
        items = self.intake.take()
        try:
            stored: Stored = {key: done for work, _ in self._committing for key, done in work.done.items()}
            keys = self._keys_to_look_up(items)
            if keys:
                loop = asyncio.get_running_loop()
                found = await loop.run_in_executor(self._reading, self.reader.look_up, keys)
                stored |= found
            else:
                await asyncio.sleep(0)  # a flood of ticks must not starve the socket
            self.applier.apply(self._work, items, stored)
        except BaseException:
            # Those that were applied already wait in `_work`, and are refused with it.
            answered = {id(arrival) for arrival, _ in self._work.answers}
            rest = [item for item in items if isinstance(item, Arrival) and id(item) not in answered]
            _tell(rest, "not_executed", "ENGINE_RECOVERING")
            raise

    def _begin_commit(self) -> None:
        work, self._work = self._work, self.applier.new_work()
        if work.batch.empty:  # refusals and repeated answers: nothing to write
            self._answer(work)
            return
        breaches = self._audit.breaches(work.batch)
        if breaches and not self.why_quarantined:  # in doubt already: what is there may still be canceled
            _tell([arrival for arrival, _ in work.answers], "not_executed", "ENGINE_RECOVERING")
            raise BooksBroken(breaches, work.batch.last_seq)
        committing = asyncio.ensure_future(self.writer.write(work.batch))
        committing.add_done_callback(lambda _: self._wake.set())
        self._committing.append((work, committing))

    def _finish_commit(self) -> None:
        """Raises Rebuild, Fenced, or what the writer raised, after the waiting were told."""
        work, committing = self._committing.popleft()
        waiting = [arrival for arrival, _ in work.answers]
        try:
            fate = committing.result()
        except BaseException:
            _tell(waiting, "not_executed", "ENGINE_RECOVERING")
            raise
        if fate is Fate.UNKNOWN:
            _tell(waiting, "unknown", "OUTCOME_UNKNOWN")
            raise DatabaseLost(f"nobody knows what became of the batch up to {work.batch.last_seq}")
        if fate is Fate.LOST:
            _tell(waiting, "not_executed", "ENGINE_RECOVERING")
            raise DatabaseLost(f"the batch up to {work.batch.last_seq} was lost")
        failpoints.passing(failpoints.FP5_BEFORE_ACK)
        for job in work.batch.jobs:
            failpoints.passing(job)
        self._answer(work)
        failpoints.passing(failpoints.FP6_BEFORE_PUBLISH)
        self._publish(work.told)

    async def _end_commit(self) -> None:
        """At the end of this life: let the commits under way end, and tell their people."""
        while self._committing:
            await asyncio.wait({self._committing[0][1]})
            try:
                self._finish_commit()
            except Exception as error:  # noqa: BLE001  this life is over, whatever it was
                log.warning("last_commit_failed", why=f"{type(error).__name__}: {error}")

    def _at_the_door(self, arrival: Arrival) -> Reply | None:
        """Answers that need no commit, and refusals before anything is applied."""
        body, n = arrival.body, arrival.n
        if isinstance(body, Status):
            return Reply(n, "executed", result=self.status(body))
        if isinstance(body, Quarantine):
            return self._quarantine(n, body.why)
        if isinstance(body, Preview):
            return Reply(n, "executed", result=self.applier.engine.preview(body.order, self.applier.now()))
        if self.why_quarantined and not isinstance(body, QUARANTINE_PERMITS):
            return Reply(n, "not_executed", "QUARANTINED", self.why_quarantined)
        if isinstance(body, NewOrder) and body.symbol not in self.applier.streams.scales:
            return Reply(n, "not_executed", "UNKNOWN_SYMBOL", f"This world has no {body.symbol!r}.")
        if self._stopping:
            return Reply(n, "not_executed", "ENGINE_RECOVERING", "The exchange is stopping.")
        if isinstance(body, NEEDS_A_PHASE) and not self.applier.engine.state.clock.phase:
            return Reply(n, "not_executed", "ENGINE_RECOVERING", UNHEARD)
        if not self.pace.admits(arrival, clock.monotonic_s()):
            return Reply(n, "not_executed", "RATE_LIMITED", "It was sent by way of several web workers.")
        if not self.intake.put(arrival):
            return Reply(
                n, "not_executed", "OVERLOADED", "Too many orders are waiting; this one was not taken."
            )
        return None

    def _quarantine(self, n: int, why: str) -> Reply:
        """The checker found the world's books broken, or somebody has explained what it found."""
        if why and not self.why_quarantined:
            self.why_quarantined = why
            log.critical("exchange_quarantined", why=why, seq=self.applier.head.seq)
        elif not why and self.why_quarantined:
            self.fail(RuntimeError("the doubt was lifted: the books are read anew"))
        return Reply(n, "executed", result={"state": self.state})

    def _idle(self) -> bool:
        return not len(self.intake) and self._work.empty and not self._committing

    def _keys_to_look_up(self, items: list[Any]) -> list[Key]:
        keys: dict[Key, None] = {}
        may_have = self.applier.known.may_have
        for item in items:
            if isinstance(item, Arrival) and not idempotency.is_new_by_making(item.body):
                key = idempotency.key_of(item.body)
                if key is not None and may_have(key):
                    keys[key] = None
        return list(keys)

    def _answer(self, work: Work) -> None:
        self.batches += not work.batch.empty
        self.largest_batch = max(self.largest_batch, len(work.answers))
        for arrival, reply in work.answers:
            arrival.link.answer(reply)

    def _refuse_waiting(self) -> None:
        """Everything not on its way to the database is certainly not executed."""
        _tell([arrival for arrival, _ in self._work.answers], "not_executed", "ENGINE_RECOVERING")
        self._work = self.applier.new_work()
        while len(self.intake):
            arrivals = [item for item in self.intake.take() if isinstance(item, Arrival)]
            _tell(arrivals, "not_executed", "ENGINE_RECOVERING")

    def _publish(self, told: list[Dispatch]) -> None:
        if told:
            sending = asyncio.ensure_future(self.news.publish(told))
            self._publishing.add(sending)
            sending.add_done_callback(self._publishing.discard)

    async def _beat(self) -> None:
        while True:
            await self.writer.beat(self.state, self.why_quarantined)
            await asyncio.sleep(BEAT_S)

    async def _learn_keys(self) -> None:
        """The keys that the journal held when this life began; until they are here, it is asked each time."""
        world, loop = self.applier.streams.world_number, asyncio.get_running_loop()
        for after in range(0, self._begins_after, KEYS_PER_READ):
            span = world_key(world, after), world_key(world, min(after + KEYS_PER_READ, self._begins_after))
            self.applier.known.load(await loop.run_in_executor(self._reading, self.reader.keys, *span))
        self.applier.known.complete = True

    def _duty_ended(self, duty: asyncio.Future[None]) -> None:
        if not duty.cancelled() and (error := duty.exception()) is not None:
            self.fail(error)

    def status(self, asked: Status) -> dict[str, Any]:
        """For health, seed-state and tests."""
        applier = self.applier
        facts = {"state_hash": applier.engine.state_hash()} if asked.hashed else {}
        counters = {
            "commands": applier.commands,
            "ticks": applier.ticks,
            "batches": self.batches,
            "largest_batch": self.largest_batch,
        }
        return facts | {
            "state": self.state,
            "why": self.why_quarantined,
            "epoch": self.writer.lease.epoch,
            "seq": applier.head.seq,
            "at_ns": applier.head.at_ns,
            "phase": applier.engine.state.clock.phase,
            # 0 until this life has heard the feed: only then it takes orders
            "tick_seq": applier.head.tick_seq if applier.engine.state.clock.phase else 0,
            "waiting": self.intake.requests,
            "conflated": self.intake.conflated,
            "keys_known": applier.known.complete,
            "streams": {"known": self.news.readers.known, "left_out": self.news.left_out},
            "counters": counters,
        }


def _tell(arrivals: list[Arrival], outcome: Any, code: str) -> None:
    for arrival in arrivals:
        arrival.link.answer(Reply(arrival.n, outcome, code))
