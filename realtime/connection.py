"""One socket: carries between ASGI and the conversation, and never lets a slow reader wait for us.

Sending has three ways. Straight to the server's transport, where we know it and it has room
(`wire`). Else the server's `send`, run at once, without a task: it ends there as long as the write
buffer has room. When it has none, the half-done send is finished by a task, and until then everything
else for this socket waits in its bounded outbox, conflated. The loop that fans a message out never
awaits.

Not every server tells when its buffer is full (Daphne never does). So a socket also counts what its
client has not shown to have read: it asks for a pong early, and holds what follows until that comes.
"""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from realtime import origin, wire
from realtime.close_codes import CloseCode
from realtime.conversation import (
    Conversation,
    Deed,
    Heard,
    Leave,
    Ping,
    Say,
    SignIn,
    Subscribe,
    Unsubscribe,
    agreement,
    refusal,
    results,
)
from realtime.groups import Group
from realtime.identity import Who, authentication
from realtime.outbox import Entry, Outbox, frames_of
from realtime.subscriptions import subscribe
from realtime.wire import Frame, text_frame
from simgame.kernel import clock
from simgame.kernel.errors import SimGameError, Unavailable

if TYPE_CHECKING:
    from realtime.hub import Hub

log = logging.getLogger(__name__)

Event = Mapping[str, Any]
Send = Callable[[Event], Coroutine[Any, Any, None]]
Receive = Callable[[], Awaitable[Event]]


class _Rest:
    """Awaits what is left of a coroutine that has been started by hand and yielded `waiting_for`."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waiting_for: Any):
        self._coroutine = coroutine
        self._waiting_for = waiting_for

    def __await__(self) -> Generator[Any, None, None]:
        try:
            while True:
                try:
                    yield self._waiting_for
                except BaseException as error:  # noqa: BLE001 - a cancellation belongs inside
                    self._waiting_for = self._coroutine.throw(error)
                else:
                    self._waiting_for = self._coroutine.send(None)
        except StopIteration:
            return


class Socket:
    """Made by the consumer, one per connection; `run` is its whole life."""

    def __init__(self, hub: Hub, scope: Event, receive: Receive, send: Send):
        self.hub = hub
        self.scope = scope
        self.session = uuid.uuid4().hex
        self.who: Who | None = None
        self.conversation = Conversation(hub.limits, clock.monotonic_s())
        self.topics = self.conversation.topics
        self.groups: dict[tuple[int, bool], Group] = {}
        self._receive = receive
        self._send = send
        self._straight: wire.Straight | None = None
        self._outbox = Outbox(hub.limits.every_messages, hub.limits.every_bytes)
        self._replies: list[Frame] = []  # waiting, while the socket is slow
        self._slow: asyncio.Task[None] | None = None
        self._unheard = self._unheard_at_ping = 0  # bytes sent; sent before the last ping
        self._unheard_most: float = hub.limits.unheard_most_bytes
        self._ask_at: float = hub.limits.unheard_ask_bytes
        self._closing: CloseCode | None = None
        self._last_words: Event | None = None  # the close frame, until it is under way
        self._life: asyncio.Task[Any] | None = None
        self._patience: asyncio.TimerHandle | None = None

    # --- out ----------------------------------------------------------------------------------
    def push(self, frame: Frame, entries: Sequence[Entry]) -> None:
        """`frame` is that of `entries`, made once for many sockets: 500 of them wait for the last one, so
        this does not call `_send_at_once`."""
        if self._closing is not None:
            return
        if self._slow is None and self._unheard < self._unheard_most:
            self._unheard += frame.size
            if self._unheard >= self._ask_at:
                self._ask_soon()
            if self._straight is None or not self._straight(frame.wire):
                self._send_by_server(frame)
            return
        self.hub.counters.pushes_held += 1
        if not self._outbox.add_all(entries):
            self.close(CloseCode.SLOW)

    def say(self, text: str) -> None:
        """An answer or a ping: these are never dropped; the reader sends one at a time."""
        if self._closing is not None:
            return
        self._say_frame(text_frame(text))

    def _say_frame(self, frame: Frame) -> None:
        if self._slow is None:
            self._send_at_once(frame)
        else:
            self._replies.append(frame)

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Sends the close frame after what is under way; what is waiting is dropped."""
        if self._closing is not None:
            return
        self._closing = code
        self.hub.counters.closed[code] += 1
        self._outbox.clear()
        self._replies.clear()
        self._last_words = {"type": "websocket.close", "code": int(code), "reason": reason or code.reason}
        if self._slow is None:
            self._slow = asyncio.create_task(self._drain(None))
        self._patience = asyncio.get_running_loop().call_later(self.hub.limits.close_s, self._give_up)

    def frames(self, entries: Sequence[Entry]) -> list[Frame]:
        """What has waited, in the words of this socket."""
        return [text_frame(text) for text, _ in frames_of(entries, self.hub.limits.array_bytes)]

    def _send_at_once(self, frame: Frame) -> None:
        self._count(frame)
        if self._straight is None or not self._straight(frame.wire):
            self._send_by_server(frame)

    def _send_by_server(self, frame: Frame) -> None:
        sending = self._send(frame.event)
        try:
            waiting_for = sending.send(None)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - whatever the server raises, only this socket is lost
            self._lost(error)
            return
        self._slow = asyncio.create_task(self._drain(_Rest(sending, waiting_for)))

    def _count(self, frame: Frame) -> None:
        """What is sent counts until a pong shows that it was read."""
        self._unheard += frame.size
        if self._unheard >= self._ask_at:
            self._ask_soon()

    def _ask_soon(self) -> None:
        self._ask_at = math.inf  # until the pong
        asyncio.get_running_loop().call_soon(self._ask_for_pong)

    def _ask_for_pong(self) -> None:
        for deed in self.conversation.ping(clock.monotonic_s()):
            self._do_at_once(deed)

    def _heard(self) -> None:
        """The client has read what was sent before the ping."""
        self._unheard -= self._unheard_at_ping
        self._ask_at = self.hub.limits.unheard_ask_bytes
        if self._unheard >= self._ask_at:
            self._ask_for_pong()
        if self._slow is None and self._outbox:
            self._slow = asyncio.create_task(self._drain(None))

    async def _drain(self, rest: Awaitable[None] | None) -> None:
        """Finishes the send that had to wait, then everything that has piled up behind it."""
        try:
            if rest is not None:
                await rest
            while self._replies or (self._outbox and self._unheard < self._unheard_most):
                if self._replies:
                    await self._send_counted(self._replies.pop(0))
                    continue
                for frame in self.frames(self._outbox.take()):
                    if self._closing is None:
                        await self._send_counted(frame)
            if self._last_words is not None:
                event, self._last_words = self._last_words, None
                await self._send(event)
        except Exception as error:  # noqa: BLE001 - as above
            self._lost(error)
        finally:
            self._slow = None

    async def _send_counted(self, frame: Frame) -> None:
        self._count(frame)
        await self._send(frame.event)

    def _lost(self, error: Exception) -> None:
        """The server cannot send any more; `receive` is about to say that the client is gone."""
        log.debug("Socket %s cannot be written: %r", self.session, error)
        self._closing = self._closing or CloseCode.SHUTDOWN
        self._outbox.clear()
        self._replies.clear()

    def _give_up(self) -> None:
        """A reader that does not even take the close frame."""
        if self._life is not None and not self._life.done():
            self._life.cancel()

    # --- life ---------------------------------------------------------------------------------
    async def run(self) -> None:
        self._life = asyncio.current_task()
        if (await self._receive())["type"] != "websocket.connect":
            return
        await self._send({"type": "websocket.accept"})
        self._straight = wire.straight_way(self._send)
        try:
            if await self._welcome():
                self._greet()
            await self._listen()
        except asyncio.CancelledError:
            if self._closing is None:
                raise  # not ours: the server ends
        finally:
            self.hub.dismiss(self)
            for left in (self._slow, self._patience):
                if left is not None:
                    left.cancel()

    def _greet(self) -> None:
        self.say(self.conversation.hello(self.session, clock.rfc3339(clock.now_ns())))

    async def _welcome(self) -> bool:
        """Refuses, by closing, who may not come in."""
        refused = self.hub.admit(self)
        if refused is not None:
            self.close(refused)
            return False
        headers = dict(self.scope.get("headers", ()))
        if b"cookie" not in headers:
            return True
        try:
            who = await authentication().by_scope(self.scope)
        except Exception:  # the database may be away; the client comes back
            log.exception("Cannot find out whose session this is.")
            self.close(CloseCode.SHUTDOWN, "cannot check the session just now")
            return False
        if who is None:
            return True
        if not origin.is_ours(headers.get(b"origin"), headers.get(b"host")):
            self.close(CloseCode.FORBIDDEN, "the Origin is missing or foreign")
            return False
        return self._signed_in(who)

    async def _listen(self) -> None:
        while True:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                return
            if self._closing is None:
                await self._take(event)

    async def _take(self, event: Event) -> None:
        for deed in self.conversation.heard(event.get("text"), clock.monotonic_s()):
            await self._do(deed)
            await self._caught_up()

    def tick(self, now: float) -> None:
        """Called by the hub once a second."""
        for deed in self.conversation.tick(now):
            self._do_at_once(deed)

    async def _do(self, deed: Deed) -> None:
        match deed:
            case SignIn():
                await self._sign_in(deed)
            case Subscribe():
                await self._subscribe(deed)
            case _:
                self._do_at_once(deed)

    def _do_at_once(self, deed: Deed) -> None:
        match deed:
            case Say(text):
                self.say(text)
            case Ping(text):
                self._unheard_at_ping = self._unheard
                self.say(text)
            case Heard():
                self._heard()
            case Leave(code, reason):
                self.close(code, reason)
            case Unsubscribe(command_id, topics):
                self.hub.unsubscribe(self, topics)
                self.say(agreement(command_id))

    async def _sign_in(self, deed: SignIn) -> None:
        try:
            who = await authentication().by_token(deed.token)
        except SimGameError as error:
            self.say(refusal(deed.id, error))
            return
        except Exception:  # the database may be away; the client may try again
            log.exception("Cannot check a token.")
            self.say(refusal(deed.id, Unavailable()))
            return
        if who is None:
            self.close(CloseCode.BAD_TOKEN)
        elif self._signed_in(who):
            self.say(agreement(deed.id))

    def _signed_in(self, who: Who) -> bool:
        if self._closing is not None:
            return False
        if not self.hub.admit_player(who):
            self.close(CloseCode.TOO_MANY_SOCKETS)
            return False
        self.who = who
        self.conversation.signed_in()
        return True

    async def _subscribe(self, deed: Subscribe) -> None:
        try:
            rows, following = await subscribe(self.hub, self, deed.wants, deed.interval_ms)
        except SimGameError as error:
            self.say(refusal(deed.id, error))
            return
        self.say(results(deed.id, rows))
        for text, part in frames_of(following, self.hub.limits.array_bytes):
            self.push(text_frame(text), part)

    async def _caught_up(self) -> None:
        """A client that does not read its answers is not asked for more questions."""
        if self._slow is not None:
            await asyncio.wait({self._slow})
