"""Where an attack plays: one game on loopback, and the people in it."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from channels.db import database_sync_to_async
from django.contrib.auth.hashers import make_password
from websockets.asyncio.client import ClientConnection, connect

from accounts import keys, tokens
from accounts.models import Player
from market import queries
from market.models import World
from ops.attack.line import Answer, Line
from ops.chaos.town import InVain, Town, wait_for
from simgame import children, env
from simgame.kernel import money
from trading import games
from trading.proof import progress

T = TypeVar("T")
PASSWORD = "correct horse battery"
AT_ONCE = 8  # connections of an attack that asks much
OPEN_S = 10.0


@dataclass
class Person:
    """Somebody with a portfolio, and each way that they may be known by."""

    player: Player
    portfolio: int
    key: dict[str, str]  # headers of an API key
    access: str
    refresh: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.access}"}


class Stage:
    """`full`: as many as the catalogue asks; else as many as a test has time for."""

    def __init__(
        self, port: int, world: World, *, full: bool, rounds: int, seed: int, town: Town | None = None
    ):
        self.port, self.world, self.full, self.rounds, self.town = port, world, full, rounds, town
        self.chance = random.Random(f"attack {seed}")
        self.number = ""  # of the attack that runs
        self.tick: Callable[[int], None] = lambda _: None
        self._hashed = make_password(PASSWORD)  # once: it takes a processor a third of a second
        self.web_pid = town.running["web"].pid if town else None
        self.environment = town.environment if town else {}
        self.alice, self.bob = self.person("alice"), self.person("bob")

    def person(self, name: str) -> Person:
        """A newcomer of the Season. Raises InVain."""
        player = Player(username=f"{name}-{secrets.token_hex(4)}")
        player.password = self._hashed
        player.save()
        portfolio = games.join(player, games.ensure_season(self.world))
        if portfolio.status != "active":
            raise InVain(f"the exchange did not open the books of {name}")
        key, secret = keys.make(player.pk, portfolio.pk)
        pair = tokens.issue(player, "attack")
        headers = {"apca_api_key_id": key.key_id, "apca_api_secret_key": secret}
        return Person(player, portfolio.pk, headers, pair.access, pair.refresh)

    def renew(self) -> None:
        """New tokens for Alice and Bob: one lives five minutes, and all attacks together last longer."""
        for person in (self.alice, self.bob):
            pair = tokens.issue(person.player, "attack")
            person.access, person.refresh = pair.access, pair.refresh

    async def newcomer(self, name: str) -> Person:
        return await in_thread(self.person)(name)

    def count(self, full: int, short: int) -> int:
        return full if self.full else short

    def line(self, source: str = "127.0.0.1", **headers: str) -> Line:
        return Line(self.port, source, **headers)

    async def browser(self, person: Person, path: str = "/login/", source: str = "127.0.0.1") -> Line:
        """A browser that signed in at `path`. Raises InVain."""
        line = self.line(source)
        await line.ask("GET", path)
        form = f"csrfmiddlewaretoken={line.cookies.get('csrftoken', '')}&username={person.player.username}"
        body = f"{form}&password={PASSWORD.replace(' ', '+')}".encode()
        said = await line.ask("POST", path, body, content_type="application/x-www-form-urlencoded")
        if said.status != 302:
            raise InVain(f"{person.player.username} could not sign in at {path}: {said.status}")
        return line

    async def each(self, work: Iterable[T], do: Callable[[Line, T], Awaitable[None]], **headers: str) -> None:
        """`do` for all of `work`, over a few connections at once."""
        found = list(work)
        left = iter(found)

        async def one() -> None:
            line = self.line(**headers)
            for item in left:
                await do(line, item)
                self.tick(1)
            line.close()

        with self.counted(len(found)):
            await asyncio.gather(*(one() for _ in range(AT_ONCE)))

    @contextmanager
    def counted(self, total: int) -> Iterator[None]:
        """`tick` tells how far it is, and how long it still takes."""
        with progress.bar(self.number, total) as self.tick:
            yield
        self.tick = lambda _: None

    async def at_once(
        self,
        count: int,
        ask: Callable[[Line, int], Awaitable[Answer]],
        ports: Sequence[int] = (),
        crowd: list[Line] | None = None,
    ) -> list[Answer]:
        """`count` connections that are open already, and ask in the same moment, in turns of the `ports`.

        `crowd` keeps them for the next time.
        """
        lines = [] if crowd is None else crowd
        if not lines:
            lines += [Line((ports or [self.port])[number % max(len(ports), 1)]) for number in range(count)]
        await asyncio.gather(*(line.open() for line in lines))
        answers = await asyncio.gather(*(ask(line, number) for number, line in enumerate(lines)))
        if crowd is None:
            for line in lines:
                line.close()
        return answers

    @asynccontextmanager
    async def another_web(self, *module: str, **settings: str) -> AsyncIterator[int]:
        """Its port: a web server of the same game with other settings, as long as it is needed."""
        port = await in_thread(_free_port)()
        server = children.spawn(
            [sys.executable, "-m", *(module or ("simgame.web",)), "--port", str(port)],
            cwd=env.BASE_DIR,
            env={**os.environ, **self.environment, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            await asyncio.to_thread(wait_for, lambda: listens(port), "another web server")
            yield port
        finally:
            server.terminate()
            await asyncio.to_thread(server.wait, 30)

    @asynccontextmanager
    async def socket(self, path: str = "/ws/v1", **options: Any) -> AsyncIterator[ClientConnection]:
        async with connect(
            f"ws://127.0.0.1:{self.port}{path}",
            proxy=None,
            open_timeout=OPEN_S,
            compression=None,
            **options,
        ) as socket:
            yield socket

    async def prices(self) -> dict[str, int]:
        """What instruments cost, in hundredths."""

        def read() -> dict[str, int]:
            rows = wait_for(
                lambda: [row for row in queries.quotes(self.world).values() if row["ask"]], "quotes"
            )
            return {row["symbol"]: money.parse(row["ask"], 2) for row in rows}

        return await in_thread(read)()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_thread(call: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """What asks the database, in a thread that gives its connection back."""
    return database_sync_to_async(call, thread_sensitive=False)
