"""A small world to trade in: a feed that speaks the real frames, an exchange, and players' orders."""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import Player
from market.feed import wire as feed_wire
from market.models import FeedLease, Instrument, World
from market.ticks import PhaseTick, Print, Quote, Reference, encode
from simgame.kernel import clock
from simgame.kernel.ids import uuid7
from trading.engine.commands import CancelOrder, Leg, NewOrder, NewOrderWithTerms, OpenPortfolio, Terms
from trading.exchange.client import ask_at, ask_sync
from trading.exchange.process import Exchange
from trading.exchange.wire import Reply, Status
from trading.models import Game, Portfolio

DAY = 20_261_102
CASH = 100_000_000  # 1,000,000.00
PATIENCE_S = 60.0  # a busy machine starts a process in ten
SHARES = "SHARE"
PENNY = "PENNY"


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {patience_s} s in vain for {what}"
        time.sleep(0.01)
    return value


def make_world(slug: str = "street") -> World:
    world = World.objects.create(
        slug=slug, name="Street", kind=World.Kind.SEEDED, currency="CNY", rulebook="plain", stream_epoch="e1"
    )
    for symbol in (SHARES, PENNY):
        Instrument.objects.create(
            world=world, symbol=symbol, name=symbol, kind=Instrument.Kind.STOCK, currency="CNY",
            price_exponent=2, tick=1, lot=100, quote_age_ms_max=600_000,
        )  # fmt: skip
    Game.objects.create(
        slug=f"season-{slug}", name="Season", world=world, season=True, currency="CNY", start_cash=CASH,
        starts_at=timezone.now(),
    )  # fmt: skip
    return world


def make_portfolio(world: World, name: str) -> Portfolio:
    """A player with a portfolio that the exchange has not opened yet."""
    player = Player.objects.create(username=name)
    return Portfolio.objects.create(player=player, game=world.games.get())


def open_portfolio(world: World, name: str, cash: int = CASH) -> Portfolio:
    portfolio = make_portfolio(world, name)
    reply = ask_sync(world.number, OpenPortfolio(portfolio.id, "CNY", cash, f"open-{portfolio.id}"))
    assert reply.outcome == "executed", reply
    return portfolio


def new_order(portfolio: int, client_order_id: str | None = None, **fields: Any) -> NewOrder:
    """Buys 100 at 9.00 for the day, below the market, unless told otherwise."""
    order_id = str(uuid7())
    values = {
        "portfolio": portfolio,
        "order_id": order_id,
        "client_order_id": client_order_id or order_id,
        "symbol": SHARES,
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "qty": 100,
        "limit_price": 900,
        "deadline_ns": clock.now_ns() + 30 * clock.NS_PER_S,
    }
    return NewOrder(**(values | fields))


def with_terms(portfolio: int, client_order_id: str | None = None, **fields: Any) -> NewOrderWithTerms:
    """The same with terms; what is no field of an order is one of its terms."""
    known = set(NewOrder.__struct_fields__)
    plain = new_order(portfolio, client_order_id, **{k: v for k, v in fields.items() if k in known})
    terms = Terms(**{k: v for k, v in fields.items() if k not in known})
    return NewOrderWithTerms(**{name: getattr(plain, name) for name in known}, terms=terms)


def leg(**prices: int) -> Leg:
    order_id = str(uuid7())
    return Leg(order_id, f"leg-{order_id}", **prices)


def cancel(portfolio: int, order_id: str, client_id: str = "") -> CancelOrder:
    deadline = clock.now_ns() + 30 * clock.NS_PER_S
    return CancelOrder(portfolio, order_id, client_id or str(uuid.uuid4()), deadline)


class Feed:
    """The feed's socket, with ticks that the test makes up."""

    def __init__(self, world: World):
        self.world = world
        self._seq = itertools.count(1)
        self.said = 0  # sequence of the last tick
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self._state: dict[tuple[str, str], Any] = {}
        self.path = Path(settings.RUN_DIR) / f"feed-{world.number}.sock"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(8)
        FeedLease.objects.update_or_create(world=world, defaults={"epoch": 1, "address": f"unix:{self.path}"})
        threading.Thread(target=self._serve, daemon=True).start()
        self.begin()

    def begin(self, day: int = DAY, phase: str = "continuous", price: int = 1000) -> None:
        """A market day with a deep market at 10.00 / 10.01, or at another price and a cent above."""
        now = clock.now_ns()
        self.say(PhaseTick(day, phase, "", 0, now, now))
        for symbol in (SHARES, PENNY):
            self.say(Reference(symbol, day, price, 0, 0, now, now, "test"))
            self.quote(symbol, price, price + 1)

    def quote(self, symbol: str = SHARES, bid: int = 1000, ask: int = 1001, size: int = 1_000_000) -> None:
        now = clock.now_ns()
        self.say(Quote(symbol, ((bid, size),), ((ask, size),), now, now, "test"))

    def trade(self, price: int, size: int = 100, symbol: str = SHARES) -> None:
        now = clock.now_ns()
        self.say(Print(symbol, price, size, "", now, now, "test"))

    def say(self, tick: Any) -> int:
        """Send one tick to everybody, and keep it for those who come later. Its sequence."""
        with self._lock:
            seq = next(self._seq)
            fields = {name: getattr(tick, name) for name in tick.__struct_fields__}
            tick = type(tick)(**(fields | {"seq": seq}))
            self._state[type(tick).__name__, getattr(tick, "symbol", "")] = tick
            self._send(self._connections, [tick])
            self.said = seq
        return seq

    def close(self) -> None:
        self._listener.close()
        for connection in self._connections:
            connection.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
                feed_wire.read_frame_sync(connection)
            except OSError:
                return
            with self._lock:
                ordered = sorted(self._state.values(), key=lambda tick: tick.seq)
                self._connections.append(connection)
                self._send([connection], ordered)

    def _send(self, connections: list[socket.socket], ticks: list[Any]) -> None:
        payload = b"\xdc" + len(ticks).to_bytes(2, "big") + b"".join(map(encode, ticks))
        for connection in list(connections):
            try:
                connection.sendall(feed_wire.frame(payload))
            except OSError:
                self._connections.remove(connection)


class InThread:
    """An exchange inside this process, on an event loop of its own. `fed`: wait for its feed too."""

    def __init__(self, world: World, *, fed: bool = True):
        self.world = world
        self.exchange = Exchange(world)
        self.exit_code: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if fed:
            wait_until_serving(world)
        else:
            wait_for(lambda: status(world), "an exchange without a feed")

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self.exit_code = runner.run(self.exchange.run())

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.exchange.stop)
            self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def status(world: World, **asked: Any) -> dict[str, Any]:
    return ask_sync(world.number, Status(**asked)).result


def wait_until_serving(world: World) -> dict[str, Any]:
    """Recovered, and with the feed's snapshot applied; one whose books are in doubt takes no ticks."""
    return wait_for(
        lambda: (now := status(world)) and (now["tick_seq"] or now["state"] == "quarantined") and now,
        "a serving exchange",
    )


def start_process(world: World, env: dict[str, str], **more: str) -> subprocess.Popen[bytes]:
    """`manage.py run_exchange` as a child; its log goes to this test's output."""
    command = [sys.executable, "manage.py", "run_exchange", "--world", world.slug]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env={**env, **more}, stdout=sys.stdout)


@contextmanager
def process(world: World, env: dict[str, str], **more: str) -> Iterator[subprocess.Popen[bytes]]:
    child = start_process(world, env, **more)
    try:
        wait_for(lambda: child.poll() is not None or status(world).get("tick_seq"), "a serving process")
        yield child
    finally:
        end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.kill()
    child.wait()


def in_parallel(world: World, bodies: list[Any], timeout_s: float = PATIENCE_S) -> list[Reply]:
    """Ask all at once, over one connection each."""
    replies: list[Reply | None] = [None] * len(bodies)

    def one(place: int, body: Any) -> None:
        replies[place] = ask_at(path, body, timeout_s)

    path = str(Path(settings.RUN_DIR) / f"exchange-{world.number}.sock")
    threads = [threading.Thread(target=one, args=item) for item in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [reply for reply in replies if reply is not None]
