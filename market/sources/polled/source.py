"""A source that is asked: the feed keeps the time, Celery's workers carry, one dialect understands."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from typing import cast
from uuid import uuid4

import msgspec
import redis.asyncio
import redis.exceptions

from market.feed.sequence import Numbering
from market.sources.base import Stage
from market.sources.items import Malformed
from market.sources.live.life import Live, LoginRefused, Lost
from market.sources.live.subscriptions import batches
from market.sources.polled.carry import answer_of
from market.sources.polled.dialect import Answer, Denied, Dialect, Request, Unknown
from simgame.kernel import clock

ANSWER_S = 15.0  # a worker that brings nothing within this time is away
FAILURES_MAX = 3  # in a row, then the connection counts as lost
Send = Callable[[Request, int, str, int], None]  # request, number, key, requests a minute → a task


class Polled(Live):
    numbering = Numbering.RISING

    def __init__(
        self,
        wanted: Iterable[str],
        dialect: Dialect,
        *,
        redis_url: str,
        send: Send,
        interval_s: float = 3.0,
        per_minute: int = 60,
        chance: random.Random | None = None,
    ):
        super().__init__(wanted, chance=chance)
        self.name = dialect.name
        self.dialect, self.interval_s, self.per_minute = dialect, interval_s, per_minute
        self.silent_s = max(60.0, 5 * interval_s)
        self.stale_s = max(60.0, 10 * interval_s)
        self.acknowledge_s = 1e9  # there is nothing to ask for: an answer acknowledges
        self._send, self._redis_url = send, redis_url
        self._redis: redis.asyncio.Redis | None = None
        self._number = 0
        self._key = f"sg:polled:{dialect.name}:{uuid4().hex}"  # nobody else's answers

    async def connect(self) -> None:
        self._redis = redis.asyncio.from_url(
            self._redis_url, socket_connect_timeout=self.connect_s, socket_timeout=ANSWER_S + 5
        )
        try:
            await self._redis.ping()
        except redis.exceptions.RedisError as error:
            raise Lost("no_redis", f"workers cannot be reached: {error}") from error

    async def hang_up(self) -> None:
        client, self._redis = self._redis, None
        if client is not None:
            await client.aclose()

    async def subscribe(self, symbols: Sequence[str]) -> None:
        """Nothing: every round asks for all that is wanted."""

    async def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Nothing: the next round does not ask for them."""

    async def listen(self, stage: Stage) -> None:
        failures = 0
        while True:
            began_s = clock.monotonic_s()
            for batch in batches(self.subscriptions.wanted, self.dialect.most):
                try:
                    await self._round(stage, batch)
                    failures = 0
                except Denied as no:
                    if no.reason == "login":
                        raise LoginRefused(str(no)) from no
                    if no.reason in ("permission", "bad_request"):
                        self.subscriptions.refuse(batch, str(no))
                    else:
                        failures += no.reason != "rate"
                        await self._rest(no)
                    if failures >= FAILURES_MAX:
                        raise Lost("venue", str(no)) from no
            await asyncio.sleep(max(0.0, self.interval_s - (clock.monotonic_s() - began_s)))
            while not self.market_open and not self.subscriptions.missing:
                self.heard()  # a closed market is asked nothing
                await asyncio.sleep(self.interval_s)

    async def _rest(self, no: Denied) -> None:
        """Told that we ask too often: wait as long as we must, and ask more seldom from now on."""
        self.rate_limited += no.reason == "rate"
        if no.reason == "rate" and no.wait_s >= 60:
            self.per_minute = max(1, self.per_minute * 4 // 5)
        end_s = clock.monotonic_s() + no.wait_s
        self.note = str(no)
        while (left_s := end_s - clock.monotonic_s()) > 0:
            self.heard()  # we know why it is silent
            await asyncio.sleep(min(left_s, 1.0))

    async def _round(self, stage: Stage, batch: Sequence[str]) -> None:
        """One request and what came of it. Raises Denied and Lost."""
        answer = await self._ask(batch)
        if answer.error:
            raise Denied(
                _REASONS.get(answer.error, "transient"), f"{answer.error} {answer.text}", answer.wait_s
            )
        try:
            said = list(self.dialect.read(batch, answer.body, answer.received_ns))
        except (ValueError, KeyError, TypeError, IndexError, ArithmeticError) as error:
            await stage.put(Malformed(self.name, "unreadable_message", f"{error}: {answer.body[:200]!r}"))
            raise Denied("transient", f"an answer that cannot be read: {error}") from error
        self.heard()
        for one in said:
            if isinstance(one, Unknown):
                self.subscriptions.refuse(one.symbols, "the venue does not know it")
            else:
                self.subscriptions.acknowledge([one.symbol])
                await self.pass_on(stage, [msgspec.structs.replace(one, source_epoch=self.epoch)])

    async def _ask(self, batch: Sequence[str]) -> Answer:
        if self._redis is None:
            raise Lost("closed", "there is no connection")
        self._number += 1
        try:
            await asyncio.to_thread(
                self._send, self.dialect.request(batch), self._number, self._key, self.per_minute
            )
            while True:
                found = await self._redis.blpop([self._key], timeout=int(ANSWER_S))
                if found is None:
                    raise Denied("transient", f"no worker answered within {ANSWER_S:g} s")
                answer = answer_of(cast(bytes, found[1]))
                if answer.number == self._number:
                    return answer
        except (redis.exceptions.RedisError, OSError) as error:
            raise Lost("no_redis", f"workers cannot be reached: {error}") from error


_REASONS = {
    "no_budget": "rate",
    "login": "login",
    "http_429": "rate",
    "http_401": "login",
    "http_403": "permission",
}
