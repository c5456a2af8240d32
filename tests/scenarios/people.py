"""Alice, Bob and their bots: what a person does over HTTP, and what the stream tells them."""

from __future__ import annotations

import http.client
import itertools
import json
import queue
import threading
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, NamedTuple

from websockets.sync.client import connect

from tests.scenarios.town import PATIENCE_S, Town, wait_for

PASSWORD = "four-calm-otters"
OPEN = {"new", "partially_filled", "suspended", "held"}
CLOSED_SHOWN, FILLS_SHOWN = 50, 100  # of a desk
D = Decimal
_names = itertools.count(1)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Speaks HTTP to the town; keeps its cookies, sends `headers` with every request."""

    def __init__(self, town: Town, **headers: str):
        self.town = town
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.town.port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            said = connection.getresponse()
            for cookie in said.headers.get_all("Set-Cookie") or ():
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name] = value
            return Answer(
                said.status, {name.lower(): value for name, value in said.getheaders()}, said.read()
            )
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def read(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, (path, answer)
        return answer.json

    def widest(self, count: int) -> list[str]:
        """The shares with the widest spreads: there is room for a price between bid and ask."""
        quotes = self.read("/api/v1/quotes")["quotes"]
        wide = sorted(quotes, key=lambda name: D(quotes[name]["bid"]) - D(quotes[name]["ask"]))
        return wide[:count]


class Person(Client):
    """A registered player, in the Season of one world."""

    def __init__(self, town: Town, name: str, world: str = "seeded"):
        super().__init__(town)
        self.name = f"{name}{next(_names)}"
        made = self.ask("POST", "/api/v1/auth/register", {"username": self.name, "password": PASSWORD})
        assert made.status == 201, made
        self.registered = made.json
        self.token = made.json["access"]
        self.headers["Authorization"] = f"Bearer {self.token}"
        self.portfolio = made.json["portfolio"]["id"]
        if world != "seeded":
            self.portfolio = self._join(world)
        self.headers["X-Portfolio"] = str(self.portfolio)

    def _join(self, world: str) -> int:
        games = Client(self.town).read("/api/v1/games")["games"]
        game = next(game for game in games if game["world"] == world)
        joined = self.ask("POST", f"/api/v1/games/{game['id']}/join")
        assert joined.status == 200, joined
        return joined.json["portfolio_id"]

    # --- orders ----------------------------------------------------------------------------------

    def order(self, side: str, qty: Any, symbol: str, price: Any = None, **more: Any) -> Answer:
        """A limit order for the day, a market order without a price, whatever becomes of it."""
        words = {"symbol": symbol, "side": side, "qty": str(qty), "type": "market", "time_in_force": "day"}
        if price is not None:
            words |= {"type": "limit", "limit_price": str(price)}
        return self.ask("POST", "/v2/orders", words | more)

    def placed(self, *words: Any, **more: Any) -> Any:
        """An order that the exchange took: its row."""
        answer = self.order(*words, **more)
        assert answer.status == 200, answer
        return answer.json

    def refused(self, *words: Any, **more: Any) -> Any:
        """An order that was refused: the problem."""
        answer = self.order(*words, **more)
        assert answer.status in {403, 422}, answer
        return answer.json

    def replace(self, order: Any, **changes: str) -> Answer:
        return self.ask("PATCH", f"/v2/orders/{order['id']}", changes)

    def cancel(self, order: Any) -> Answer:
        return self.ask("DELETE", f"/v2/orders/{order['id']}")

    def sees(self, order: Any) -> Any:
        """The order as it stands now."""
        return self.read(f"/v2/orders/{order['id']}")

    def waits_until(self, order: Any, *statuses: str) -> Any:
        def look() -> Any:
            seen = self.sees(order)
            return seen if seen["status"] in statuses else None

        return wait_for(look, f"{self.name}'s order to be {' or '.join(statuses)}")

    # --- books -----------------------------------------------------------------------------------

    def receipt(self, order: Any) -> Any:
        return self.read(f"/api/v1/orders/{order['id']}/receipt")

    def desk(self) -> Any:
        return self.read("/api/v1/desk")

    def balance(self) -> tuple[Decimal, Decimal]:
        """Cash that is there, and how much of it is promised to orders."""
        (row,) = self.desk()["balances"]
        assert D(row["posted"]) - D(row["reserved"]) == D(row["available"])
        return D(row["posted"]), D(row["reserved"])

    def cash(self) -> Decimal:
        return self.balance()[0]

    def position(self, symbol: str) -> Any:
        return next((row for row in self.desk()["positions"] if row["symbol"] == symbol), None)


class Stream:
    """A socket on a player's private topic: the snapshot it began with, and every message since."""

    def __init__(self, person: Person):
        self.topic = f"portfolio:{person.portfolio}"
        self.token = person.token
        self.messages: list[Any] = []
        self._stack = ExitStack()
        self._address = f"ws://127.0.0.1:{person.town.port}/ws/v1"
        self._said: queue.Queue[Any] = queue.Queue()

    def __enter__(self) -> Stream:
        try:
            self._subscribe()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _subscribe(self) -> None:
        self._socket = self._stack.enter_context(connect(self._address, max_size=None, proxy=None))
        threading.Thread(target=self._listen, daemon=True).start()
        self._send({"id": 1, "op": "auth", "token": self.token})
        self._answer(1)
        self._send({"id": 2, "op": "subscribe", "topics": [{"topic": self.topic}], "interval_ms": 0})
        (self.began,) = self._answer(2)["results"]
        self.desk = self.began["snapshot"]
        self.offset = self.began["offset"]

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def read_to(self, version: int) -> Any:
        """Fold messages until the desk has this version; the offsets must be dense."""
        while self.offset < version:
            push = self._next()
            if push.get("topic") != self.topic:
                continue
            assert push["offset"] == self.offset + 1, (push["offset"], self.offset)
            self.offset = push["offset"]
            self.messages.append(push["data"])
            self.desk = fold(self.desk, push["data"], self.offset)
        return self.desk

    def _send(self, command: Any) -> None:
        self._socket.send(json.dumps(command))

    def _answer(self, number: int) -> Any:
        while (said := self._next()).get("id") != number:
            pass
        assert said["ok"], said
        return said

    def _next(self) -> Any:
        return self._said.get(timeout=PATIENCE_S)

    def _listen(self) -> None:
        """Answers pings all the time, as a browser does. Ends when the socket closes."""
        for text in self._socket:
            said = json.loads(text)
            for message in said if isinstance(said, list) else [said]:
                if message.get("type") == "ping":
                    self._send({"op": "pong"})
                else:
                    self._said.put(message)


def fold(desk: Any, data: Any, version: int) -> Any:
    """What a client does with one message: whole rows, by id, symbol or asset."""
    orders = _upsert(desk["orders"], data["orders"], "id")
    orders.sort(key=lambda row: row["id"], reverse=True)
    open_ = [row for row in orders if row["status"] in OPEN]
    closed = [row for row in orders if row["status"] not in OPEN][:CLOSED_SHOWN]
    fills = sorted(_upsert(desk["fills"], data["fills"], "id"), key=lambda row: int(row["id"]), reverse=True)
    return {
        "version": version,
        "orders": open_ + closed,
        "fills": fills[:FILLS_SHOWN],
        "positions": sorted(
            _upsert(desk["positions"], data["positions"], "symbol"), key=lambda r: r["symbol"]
        ),
        "balances": sorted(_upsert(desk["balances"], data["balances"], "asset"), key=lambda r: r["asset"]),
        "status": data.get("portfolio", {}).get("status") or status_of(desk),
    }


def told(desk: Any) -> Any:
    """The part of a desk that the stream keeps up to date."""
    names = ("version", "orders", "fills", "positions", "balances")
    return {name: desk[name] for name in names} | {"status": status_of(desk)}


def status_of(desk: Any) -> str:
    return desk["portfolio"]["status"] if "portfolio" in desk else desk["status"]


def _upsert(rows: list[Any], changed: list[Any], key: str) -> list[Any]:
    return list(({row[key]: row for row in rows} | {row[key]: row for row in changed}).values())
