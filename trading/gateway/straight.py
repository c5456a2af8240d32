"""uvicorn's protocol with a straight road for orders: one write, no task, no ASGI messages between.

An order spends more time in the general machinery of a web server (a task and a cycle per request,
middleware, messages there and back, two writes) than in being read and answered. So requests that are
plainly orders are taken out here as soon as their headers have come; whatever is not plain (a query, an
escaped path, a cookie, chunks, a long body, `Expect`, an upgrade, HTTP/1.0, an order before that is not
answered yet) goes uvicorn's way to the same functions. Both roads answer alike; tests hold them to it.
An order for which nothing has to be looked up is placed without a coroutine. Why, and what it gained:
docs/decisions/0038-a-straight-road-for-orders.md and 0087-an-order-is-placed-in-one-piece.md
"""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from accounts.identity import Presented, presented
from simgame.kernel.errors import SimGameError
from trading.exchange.client import client_for
from trading.exchange.wire import Received
from trading.gateway import answers, placing, route, verbs
from trading.gateway.placing import Answer, Placing

ROOT = route.ROOT.encode()
HEAD_BYTES_MAX = 4_096  # a longer one is read anew each time
HEADS_MAX = 8  # a connection keeps: orders differ in length by a digit here and there
Work = Coroutine[Any, Any, Answer]


class _Nobody:
    """Waits for the news of a request: work on an order begins when all of it has come."""

    def set(self) -> None:
        pass


class Head:
    """What stands before the body of an order, read once: a connection sends the same again and again."""

    __slots__ = ("headers", "keep_alive", "method", "path", "places", "raw", "shown")

    def __init__(self, method: str, path: str, headers: dict[str, str], keep_alive: bool):
        self.method, self.path, self.headers, self.keep_alive = method, path, headers, keep_alive
        self.raw = b""  # its bytes, when it may come again
        try:
            self.shown: Presented | None = presented(headers)
        except SimGameError:  # said when it is answered
            self.shown = None
        self.places = self.shown is not None and route.places(method, path, headers)


class Asked:
    """An order between its headers and its answer: what the protocol asks of the cycle of a request."""

    __slots__ = ("body", "disconnected", "head", "keep_alive", "more_body", "response_complete")
    message_event = _Nobody()

    def __init__(self, head: Head, body: bytes = b""):
        self.head, self.keep_alive = head, head.keep_alive
        self.body = body
        self.more_body = True
        self.disconnected = self.response_complete = False


class OrderProtocol(HttpToolsProtocol):
    """uvicorn's pipelining, limits and shutdown hold for both roads: to them `cycle` is either."""

    cycle: RequestResponseCycle | Asked | None  # type: ignore[assignment]
    _common: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._heads: dict[int, Head] = {}  # of orders before, that may come again, by the size of the whole
        self._messages, self._reading = 0, False  # begun on this connection; the last one is incomplete
        self._spoke_at = 0.0

    # --- reading ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Byte for byte the head of an order before, and a whole body: the parser would say the same."""
        head = self._heads.get(len(data))
        if head is not None and data.startswith(head.raw) and self._is_plain_turn():
            self._begin(Asked(head, data[len(head.raw) :]))
            return
        messages, whole = self._messages, not self._reading
        super().data_received(data)
        if whole and self._messages == messages + 1 and type(self.cycle) is Asked and not self._reading:
            self._remember(self.cycle.head, data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._messages += 1
        self._reading = True

    def on_headers_complete(self) -> None:
        head = self._plain_head() if self._is_plain_turn(beginning=True) else None
        if head is None:
            super().on_headers_complete()
        else:
            self.cycle = Asked(head)

    def on_message_complete(self) -> None:
        self._reading = False
        super().on_message_complete()
        asked = self.cycle
        if type(asked) is Asked and not asked.response_complete:
            self._begin(asked)

    def _is_plain_turn(self, *, beginning: bool = False) -> bool:
        """No answer is still to come or to be taken, and uvicorn need not count who asks."""
        before = self.cycle
        waits = before is not None and not before.response_complete
        reads = self._reading and not beginning
        return not (waits or reads or self.flow.write_paused or self.limit_concurrency is not None)

    def _plain_head(self) -> Head | None:
        """None for what takes the general road."""
        url, parser = self.url, self.parser
        if not url.startswith(ROOT) or b"?" in url or b"%" in url or self.root_path:
            return None
        method, path = parser.get_method().decode("ascii"), url.decode("latin-1")
        if not route.matches({"type": "http", "method": method, "path": path}):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        if self.expect_100_continue or "cookie" in headers or "transfer-encoding" in headers:
            return None
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > route.BODY_BYTES_MAX:
            return None
        if parser.should_upgrade() or parser.get_http_version() != "1.1":
            return None
        return Head(method, path, headers, parser.should_keep_alive())

    def _remember(self, head: Head, data: bytes) -> None:
        """`data` was this one request and nothing else. Only a head of plain lines, each a header we saw."""
        end = data.find(b"\r\n\r\n") + 4
        length, lines = int(head.headers.get("content-length", "0")), data.count(b"\n", 0, end)
        plain = lines == data.count(b"\r\n", 0, end) == len(self.headers) + 2 and len(data) == end + length
        if plain and end <= HEAD_BYTES_MAX and head.keep_alive:
            head.raw = data[:end]
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            self._heads[len(data)] = head

    # --- answering -------------------------------------------------------------------------------

    def _begin(self, asked: Asked) -> None:
        self.cycle = asked
        asked.more_body = False
        request_id = answers.request_id_of(asked.head.headers)
        if not (asked.head.places and self._place(asked, request_id)):
            self._work(asked, request_id, self._answered(asked, request_id))

    def _place(self, asked: Asked, request_id: str) -> bool:
        """In one piece, up to the exchange. False where something has to be looked up first."""
        head = asked.head
        assert head.shown is not None
        try:
            made = placing.begun(head.shown, head.headers, asked.body)
        except Exception as error:  # noqa: BLE001  each has its answer
            self._say(asked, request_id, answers.of_error(error, head.path, request_id))
            return True
        if made is None:
            return False
        client = client_for(made.admitted.portfolio.world_number)
        replied = partial(self._replied, asked, request_id, made)
        if not client.send(made.command, replied, verbs.ANSWER_S, made.admitted.rate):
            self._work(asked, request_id, route.sent(made, head.path, request_id))
        return True

    def _replied(self, asked: Asked, request_id: str, made: Placing, reply: Received) -> None:
        self._say(asked, request_id, answers.of_reply(made, reply, asked.head.path, request_id))

    def _answered(self, asked: Asked, request_id: str) -> Work:
        head = asked.head
        scope = {"method": head.method, "path": head.path}
        return route.answered(scope, head.headers, asked.body, request_id, head.shown)

    def _work(self, asked: Asked, request_id: str, work: Work) -> None:
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or self._say(asked, request_id, done.result()))

    def _say(self, asked: Asked, request_id: str, answer: Answer) -> None:
        asked.response_complete = True
        if asked.disconnected or self.transport.is_closing():
            return
        end = b"\r\n" if asked.keep_alive else b"connection: close\r\n\r\n"
        lines = answers.lines_of(answer, request_id)
        self.transport.write(
            b"".join((STATUS_LINE[answer.status], self._common_lines(), lines, end, answer.content))
        )
        if not asked.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _common_lines(self) -> bytes:
        """uvicorn makes its own headers anew once a second."""
        headers = self.server_state.default_headers
        if OrderProtocol._common[0] is not headers:
            OrderProtocol._common = headers, b"".join([b"%b: %b\r\n" % header for header in headers])
        return OrderProtocol._common[1]

    # --- keep-alive: one timer that looks again, where uvicorn begins and cancels one for every answer ---

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._spoke_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_after(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        works = self._reading or (self.cycle is not None and not self.cycle.response_complete)
        left_s = self._spoke_at + self.timeout_keep_alive - self.loop.time()
        if works:
            return  # the next answer begins a new one
        if left_s > 0:
            self._look_after(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _look_after(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        """Called for all that arrives: only the end of the connection ends the timer."""
        if self.transport.is_closing():
            super()._unset_keepalive_if_required()

    def handle_websocket_upgrade(self) -> None:
        super()._unset_keepalive_if_required()
        super().handle_websocket_upgrade()
