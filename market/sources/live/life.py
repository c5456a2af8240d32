"""The life of a source with a connection: connect, log in, subscribe, listen; back off, and again.

DISCONNECTED → CONNECTING → AUTH → SUBSCRIBING → LIVE → DEGRADED → BACKOFF. A venue's own module
says how to connect, log in, subscribe and listen (`Live`'s abstract methods); everything about *when*
stands here, once.
"""

from __future__ import annotations

import abc
import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
import structlog

from market.rulebook import Phase
from market.sources.base import Source, Stage, State
from market.sources.items import Gap, Item, RawPrint, RawQuote
from market.sources.live.backoff import Backoff
from market.sources.live.subscriptions import Subscriptions, batches
from market.ticks import PhaseTick, Print, Quote
from simgame.kernel import clock, tasks
from simgame.kernel.clock import NS_PER_S

PROBE_S = (0.5, 1.5)  # between looks whether the network is back, so that not everybody comes at once
STAMPED = (Quote, Print, RawQuote, RawPrint)
WATCH_S = 0.5  # how often the connection is looked at

log = structlog.get_logger(__name__)


class Lost(Exception):
    """The connection is gone. `reason` is a word for the counter, the text says more."""

    def __init__(self, reason: str, text: str = ""):
        super().__init__(text or reason)
        self.reason = reason


class Unreachable(Lost):
    """The network does not lead to the venue."""


class Cut(Lost):
    """A connection that stood ended without a word of the venue: somebody pulled a cable."""


class LoginRefused(Lost):
    """The venue does not want us: trying again soon could lock the account."""

    def __init__(self, text: str):
        super().__init__("login_refused", text)


class Live(Source):
    """Subclasses set `name` and `numbering`, and implement connect, subscribe, listen and hang_up.

    `epoch` counts connections; every item carries the one it came over, so that what an old
    connection still delivers is refused. Times in seconds of the monotonic clock.
    """

    connect_s = 10.0  # a connect or a login that takes longer has failed
    login_pause_s = 300.0  # after a refused login
    acknowledge_s = 10.0  # a subscription without an answer for this long is asked for again
    silent_s = 30.0  # a connection without a message for this long is dead, whatever the socket says
    stale_s = 60.0  # an instrument without a message for this long while its market is open is stale
    batch_size = 100  # subscriptions in one request
    batch_pause_s = 0.25  # between requests
    needs_login = False

    def __init__(self, wanted: Iterable[str], *, chance: random.Random | None = None):
        super().__init__()
        self.subscriptions = Subscriptions(wanted)
        self.epoch = 0
        self.reconnects: Counter[str] = Counter()  # reason → how often
        self.messages = 0
        self.rate_limited = 0  # how often the venue said that we ask too often
        self.heard_s = 0.0  # of the last message of any kind
        self._held_up = False  # items wait for room in the feed's queue
        self.market_open = True
        self._chance = chance or random.Random()
        self._backoff = Backoff(chance)
        self._live_since_s = 0.0

    # --- what a venue's module says ----------------------------------------------------------------

    async def prepare(self) -> None:
        """What may take long and needs no venue; before every connect. Raises Lost."""

    @abc.abstractmethod
    async def connect(self) -> None:
        """Open the connection. Raises Lost."""

    async def reachable(self) -> bool:
        """Whether the network leads to the venue at all; asked while backing off. Never raises."""
        return True

    async def log_in(self) -> None:
        """Raises Lost, or LoginRefused. Called when `needs_login`."""

    @abc.abstractmethod
    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Ask for them; the answers come through `listen`. Raises Lost."""

    @abc.abstractmethod
    async def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Raises Lost."""

    @abc.abstractmethod
    async def listen(self, stage: Stage) -> None:
        """Give what comes to `pass_on` and `heard`, until Lost."""

    @abc.abstractmethod
    async def hang_up(self) -> None:
        """Close whatever is open; called after every attempt, also a failed one. Never raises Lost."""

    # --- the life ----------------------------------------------------------------------------------

    async def run(self, stage: Stage) -> None:
        try:
            while True:
                lost = await self._session(stage)
                self.reconnects[lost.reason] += 1
                lived_s = clock.monotonic_s() - self._live_since_s if self._live_since_s else 0.0
                cut = isinstance(lost, Cut)
                wait_s = self._backoff.next(lived_s, cut=cut)
                wait_s = self.login_pause_s if isinstance(lost, LoginRefused) else wait_s
                self._live_since_s = 0.0
                self.become(State.BACKOFF, f"{lost}; the next attempt in {wait_s:.1f} s")
                await self._back_off(wait_s, away=isinstance(lost, Unreachable))
        finally:
            if self.state is not State.DISCONNECTED:
                self.become(State.DISCONNECTED, "stopped")

    async def _back_off(self, wait_s: float, *, away: bool) -> None:
        """Wait. A network that was away and is back ends it: waiting longer would spare nobody."""
        end_s = clock.monotonic_s() + wait_s
        while (left_s := end_s - clock.monotonic_s()) > 0:
            await asyncio.sleep(min(left_s, self._chance.uniform(*PROBE_S)))
            there = await self.reachable()
            if there and away:
                return
            away = away or not there

    async def _session(self, stage: Stage) -> Lost:
        """One connection from its beginning to its end; why it ended."""
        self.become(State.CONNECTING)
        self.epoch += 1
        try:
            await self.prepare()
            async with asyncio.timeout(self.connect_s):
                await self.connect()
            if self.needs_login:
                self.become(State.AUTH)
                async with asyncio.timeout(self.connect_s):
                    await self.log_in()
            self.become(State.SUBSCRIBING)
            self.heard_s = clock.monotonic_s()
            return await self._work(stage)
        except TimeoutError:
            return Lost("timeout", f"no answer within {self.connect_s:g} s")
        except Lost as lost:
            return lost
        finally:
            self.subscriptions.lost()
            await self.hang_up()

    async def _work(self, stage: Stage) -> Lost:
        jobs = [
            asyncio.create_task(job, name=f"{self.name}-{name}")
            for name, job in (("listen", self.listen(stage)), ("watch", self._watch(stage)))
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end(jobs)
        if self._live_since_s:  # something was heard before: what comes next is not all that happened
            await stage.put(Gap(self.name, "", clock.now_ns()))
        for job in done:
            error = job.exception()
            if isinstance(error, Lost):
                return error
            if error is not None:
                raise error
        return Lost("closed", "the venue ended the connection")

    async def _watch(self, stage: Stage) -> None:
        """Subscribe what is missing, notice silence, say how well we are. Raises Lost."""
        while True:
            now_s = clock.monotonic_s()
            if self._held_up:
                self.heard_s = now_s  # it is the feed's full queue that keeps us from listening
            if now_s - self.heard_s > self.silent_s:
                raise Cut("silent", f"nothing was heard for {self.silent_s:g} s")
            for batch in batches(self.subscriptions.to_ask(now_s, self.acknowledge_s), self.batch_size):
                self.subscriptions.asked(batch, clock.monotonic_s())
                await self.subscribe(batch)
                await asyncio.sleep(self.batch_pause_s)
            await self._judge(stage)
            await asyncio.sleep(WATCH_S)

    async def _judge(self, stage: Stage) -> None:
        why = self.ailing()
        if self.state is State.SUBSCRIBING:
            if self.subscriptions.missing:
                return
            self.become(State.LIVE, why)
            self._live_since_s = clock.monotonic_s()
            if self.epoch > 1:  # bars over the outage are partial at both of its ends
                await stage.put(Gap(self.name, "", clock.now_ns()))
        elif why and self.state is State.LIVE:
            self.become(State.DEGRADED, why)
        elif not why and self.state is State.DEGRADED:
            self.become(State.LIVE)
        self.note = why

    # --- what the modules call ---------------------------------------------------------------------

    async def pass_on(self, stage: Stage, items: list[Item]) -> list[Item]:
        """Give items of this connection to the feed. Returns an empty list to go on with."""
        if items:
            symbols = [getattr(item, "symbol", "") for item in items]
            self.subscriptions.heard(filter(None, symbols), clock.now_ns())
            self._held_up = True
            try:
                await stage.put_all(items)
            finally:
                self._held_up = False
        return []

    def stamped(self, item: Item) -> Item:
        """The item with the number of this connection."""
        if isinstance(item, STAMPED) and item.source_epoch != self.epoch:
            return msgspec.structs.replace(item, source_epoch=self.epoch)
        return item

    def heard(self, messages: int = 1) -> None:
        """Messages of any kind came in."""
        self.messages += messages
        self.heard_s = clock.monotonic_s()

    # --- what an operator asks for -------------------------------------------------------------------

    def ask_again(self, symbols: Iterable[str]) -> None:
        """Want these from now on, and ask the venue for them at the next look (twice does no harm)."""
        wanted = list(symbols)
        self.subscriptions.want(wanted)
        self.subscriptions.forget(wanted)

    def standing(self) -> dict[str, dict[str, object]]:
        """Of every wanted one: asked | refused | silent | live, why, seconds since its last message."""
        subscriptions, now_ns, stale = self.subscriptions, clock.now_ns(), set(self.stale())
        return {
            symbol: {
                "state": self._standing_of(symbol, stale),
                "why": subscriptions.refused.get(symbol, ""),
                "age_s": (now_ns - heard) / NS_PER_S
                if (heard := subscriptions.heard_ns.get(symbol))
                else None,
            }
            for symbol in subscriptions.wanted
        }

    def _standing_of(self, symbol: str, stale: set[str]) -> str:
        if symbol in self.subscriptions.refused:
            return "refused"
        if symbol not in self.subscriptions.acknowledged:
            return "asked"
        return "silent" if symbol in stale else "live"

    # --- how it is -----------------------------------------------------------------------------------

    def stale(self) -> list[str]:
        """Acknowledged instruments that have been silent for `stale_s` while their market is open."""
        if not self.market_open or not self._live_since_s:
            return []
        now_ns = clock.now_ns()
        edge_ns = now_ns - int(self.stale_s * NS_PER_S)
        began_ns = now_ns - int((clock.monotonic_s() - self._live_since_s) * NS_PER_S)
        heard = self.subscriptions.heard_ns
        return [s for s in self.subscriptions.acknowledged if max(heard.get(s, 0), began_ns) < edge_ns]

    def ailing(self) -> str:
        """What is wrong with a connection that stands, in words; "" when nothing is."""
        wrong = []
        if self.subscriptions.refused:
            wrong.append(f"{len(self.subscriptions.refused)} subscriptions are refused")
        if self.subscriptions.missing:
            wrong.append(f"{len(self.subscriptions.missing)} are not acknowledged")
        if stale := self.stale():
            wrong.append(f"{len(stale)} instruments are silent, {stale[0]} among them")
        return ", ".join(wrong)

    def on_phase(self, tick: PhaseTick) -> None:
        self.market_open = tick.phase == Phase.CONTINUOUS

    def resume(self, saved: bytes, last: Quote | Print | None) -> None:
        """Epochs go on where they were: what the venue repeats to us is not taken twice."""
        if last is not None:
            self.epoch = max(self.epoch, last.source_epoch)

    def describe(self) -> dict[str, object]:
        subscriptions = self.subscriptions
        return {
            **super().describe(),
            "epoch": self.epoch,
            "wanted": len(subscriptions.wanted),
            "acknowledged": len(subscriptions.acknowledged),
            "refused": dict(list(subscriptions.refused.items())[:20]),
            "missing": subscriptions.missing[:20],
            "stale": self.stale()[:20],
            "messages": self.messages,
            "reconnects": dict(self.reconnects),
        }
