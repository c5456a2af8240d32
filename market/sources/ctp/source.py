"""CTP and SOPT: futures and stock options of the Chinese exchanges, one front in one child process.

The library reconnects by itself every second for ever, and says nothing at all about a port that is
closed. So a front gets our own time to connect; when it does not, or when it disconnects, the child ends
and the next attempt begins with a new one, at the next front of the account.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from market.feed.sequence import Numbering
from market.sources.base import Stage
from market.sources.ctp import locales
from market.sources.ctp.pipe import HEAD, LARGEST, pack, unpack
from market.sources.ctp.ticks import Normaliser
from market.sources.live.life import Live, LoginRefused, Lost
from simgame.kernel import clock

MODULES = {"ctp": "openctp_ctp.thostmduserapi", "sopt": "openctp_ctpopt.soptthostmduserapi"}
REASONS = {
    0x1001: "the network could not be read",
    0x1002: "the network could not be written",
    0x2001: "no heartbeat came",
    0x2002: "no heartbeat could be sent",
    0x2003: "a packet was wrong",
}


class Account(msgspec.Struct, frozen=True):
    """Where and as whom. `fronts` are tried one after another. Quotes need no password at most brokers."""

    name: str  # "ctp:primary"
    fronts: tuple[str, ...]  # tcp://host:port
    broker: str = ""
    user: str = ""
    password: str = msgspec.field(default="", name="password")

    def __repr__(self) -> str:
        return f"Account({self.name!r}, fronts={self.fronts!r})"  # what is secret is in no log


class CtpSource(Live):
    numbering = Numbering.RISING
    needs_login = True
    silent_s = 60.0
    batch_size = 200

    def __init__(
        self, wanted: Iterable[str], account: Account, folder: Path, *, module: str = MODULES["ctp"]
    ):
        super().__init__(wanted)
        self.name, self.account, self.module = account.name, account, module
        self.trading_day = ""
        self._folder = folder
        self._child: asyncio.subprocess.Process | None = None
        self._normaliser = Normaliser(account.name)
        self._attempts = 0
        self._environment: dict[str, str] = {}

    @property
    def front(self) -> str:
        return self.account.fronts[self._attempts % len(self.account.fronts)]

    async def prepare(self) -> None:
        try:
            self._environment = await asyncio.to_thread(locales.environment, self._folder)
        except locales.NoLocale as error:
            raise LoginRefused(str(error)) from error

    async def connect(self) -> None:
        front = self.front
        self._attempts += 1
        self._normaliser = Normaliser(self.name)
        folder = self._folder / f"{self.name.replace(':', '-')}-{os.getpid()}-{self.epoch}"
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "market.sources.ctp.reader", self.module, front, str(folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **self._environment},
        )
        message = await self._next()
        if message[0] != "connected":
            raise Lost("connect", f"{front}: {_words(message)}")

    async def log_in(self) -> None:
        account = self.account
        await self._tell("login", account.broker, account.user, account.password)
        while (message := await self._next())[0] not in ("login", "error"):
            if message[0] == "disconnected":
                raise Lost("disconnected", _words(message))
        if message[0] == "error" or message[1]:
            raise LoginRefused(_words(message))
        self.trading_day = str(message[3])

    async def subscribe(self, symbols: Sequence[str]) -> None:
        await self._tell("subscribe", list(symbols))

    async def unsubscribe(self, symbols: Sequence[str]) -> None:
        await self._tell("unsubscribe", list(symbols))

    async def listen(self, stage: Stage) -> None:
        while True:
            message = await self._next()
            self.heard()
            match message:
                case ["tick", dict(fields)]:
                    read = self._normaliser.read(fields, clock.now_ns())
                    await self.pass_on(stage, [self.stamped(item) for item in read])
                case ["acknowledged", str(symbol), 0, _]:
                    self.subscriptions.acknowledge([symbol])
                case ["acknowledged", str(symbol), code, words]:
                    self.subscriptions.refuse([symbol], f"{code} {words}")
                case ["disconnected", _]:
                    raise Lost("disconnected", _words(message))

    async def hang_up(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        await child.wait()

    async def _next(self) -> list[Any]:
        if self._child is None or self._child.stdout is None:
            raise Lost("closed", "there is no reader")
        try:
            head = await self._child.stdout.readexactly(HEAD)
            length = int.from_bytes(head, "big")
            if length > LARGEST:
                raise Lost("reader", "the reader said something that is no message")
            message = unpack(await self._child.stdout.readexactly(length))
        except (asyncio.IncompleteReadError, msgspec.DecodeError) as error:
            code = await self._child.wait()
            raise Lost("reader", f"the reader's process ended (code {code})") from error
        if message[0] == "broken":
            raise LoginRefused(str(message[1]))
        return message

    async def _tell(self, *message: Any) -> None:
        if self._child is None or self._child.stdin is None:
            raise Lost("closed", "there is no reader")
        try:
            self._child.stdin.write(pack(*message))
            await self._child.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Lost("reader", "the reader's process is gone") from error


def _words(message: list[Any]) -> str:
    match message:
        case ["disconnected", int(reason)]:
            return f"0x{reason:04x}, {REASONS.get(reason, 'a reason without a name')}"
        case ["login", code, words, _]:
            return f"{code} {words}"
    return " ".join(str(part) for part in message)
