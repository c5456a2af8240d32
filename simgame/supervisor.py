"""Runs the game's processes: labels what they say, heals what dies, leaves nothing behind.

One thread, one loop. Standard library only, so that it stays small while the game runs.
"""

from __future__ import annotations

import io
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from simgame import children
from simgame.embedded import Embedded, ServiceFailed
from simgame.logline import readable

BACKOFF_S = (0.2, 0.5, 1.0, 2.0)  # before the 1st, 2nd, … restart in a row
DEATHS_MAX = 5  # within DEATHS_WINDOW_S: then it will not heal by itself
DEATHS_WINDOW_S = 30.0
STOP_S = 10.0  # a process may take this long to finish cleanly
TICK_S = 0.5
ONE_WISH_S = 1.0  # wrappers like `timeout` send a signal twice: only a later one means hurry
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COLOURS = ("36", "35", "34", "33", "32")


class GaveUp(RuntimeError):
    """A process keeps dying: one sentence for a person."""


@dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS_MAX))
    restart_at: float = 0.0
    unfinished: bytes = b""  # of the line being read


class Supervisor:
    """`children` in starting order; each is a name and a command. `services` are healed too."""

    def __init__(
        self,
        programs: dict[str, Sequence[str]],
        *,
        environment: dict[str, str],
        folder: Path,
        services: Embedded | None = None,
        output: IO[str] | None = None,
    ):
        self.children = [Child(name, command) for name, command in programs.items()]
        self.environment = environment
        self.folder = folder
        self.services = services
        self.output = output or sys.stdout
        self.label_width = max(map(len, [*programs, "play"]))
        self.terminal = self.output.isatty()
        self.colours = self.terminal and "NO_COLOR" not in os.environ
        self._selector = selectors.DefaultSelector()
        self._stop_asked = 0
        self._asked_at = -ONE_WISH_S
        self._watchdog = None if children.KERNEL_BINDS else children.Watchdog()

    def run(self, on_tick: Callable[[], None]) -> None:
        """Until a signal of STOP_SIGNALS. Raises GaveUp; in every case all processes are gone afterwards."""
        before = {number: signal.signal(number, self._ask_stop) for number in STOP_SIGNALS}
        try:
            for child in self.children:
                self._start(child)
            while not self._stop_asked:
                self._listen(TICK_S)
                self._heal()
                on_tick()
        finally:
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def say(self, text: str) -> None:
        self._print("play", text, "1")

    def _ask_stop(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if now - self._asked_at > ONE_WISH_S:
            self._stop_asked += 1
            self._asked_at = now

    def _start(self, child: Child) -> None:
        child.process = children.spawn(
            child.command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if self._watchdog:
            self._watchdog.watch(child.process, signal.SIGKILL)
        pipe = child.process.stdout
        assert pipe is not None  # we asked for one
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, selectors.EVENT_READ, child)

    # --- what they say ------------------------------------------------------------------------

    def _listen(self, timeout_s: float) -> None:
        """Pass on what arrives within `timeout_s`; a death or a signal ends the wait early."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0 and not self._stop_asked:
            if not self._selector.get_map():
                time.sleep(left)
                return
            for key, _ in self._selector.select(left):
                if not self._read(key.data, key.fd):
                    self._selector.unregister(key.fileobj)
                    return

    def _read(self, child: Child, descriptor: int) -> bool:
        """False at the end of the stream."""
        try:
            chunk = os.read(descriptor, 65536)
        except BlockingIOError:
            return True
        *lines, child.unfinished = (child.unfinished + chunk).split(b"\n")
        if not chunk and child.unfinished:
            lines, child.unfinished = [child.unfinished], b""
        for line in lines:
            self._print(child.name, line.decode("utf-8", "replace").rstrip(), self._colour(child))
        return bool(chunk)

    def _colour(self, child: Child) -> str:
        return COLOURS[self.children.index(child) % len(COLOURS)]

    def _print(self, name: str, text: str, colour: str) -> None:
        label = f"{name:<{self.label_width}} │"
        if self.colours:
            label = f"\x1b[{colour}m{label}\x1b[0m"
        try:
            for line in (readable(text) if self.terminal else text).split("\n"):
                print(f"{label} {line}", file=self.output, flush=True)
        except BrokenPipeError:  # nobody reads us any more: `play | head`
            self.output = io.StringIO()
            self._stop_asked += 1

    # --- healing ------------------------------------------------------------------------------

    def _heal(self) -> None:
        if self.services and not self.services.alive():
            self.say("A database service is gone: starting it again.")
            try:
                self.services.start()
            except ServiceFailed as failure:
                raise GaveUp(str(failure)) from failure
        now = time.monotonic()
        for child in self.children:
            if child.process is not None and child.process.poll() is not None:
                self._bury(child, now)
            if child.process is None and now >= child.restart_at:
                self._start(child)

    def _bury(self, child: Child, now: float) -> None:
        """Note the death, end what the dead one had started itself, decide about the restart."""
        code = self._close(child)
        if child.deaths and now - child.deaths[-1] > DEATHS_WINDOW_S:
            child.deaths.clear()
        child.deaths.append(now)
        if len(child.deaths) == DEATHS_MAX and now - child.deaths[0] <= DEATHS_WINDOW_S:
            raise GaveUp(
                f"{child.name} ended {DEATHS_MAX} times within {DEATHS_WINDOW_S:.0f} s ({_how(code)}): "
                "its last lines above say why."
            )
        wait_s = BACKOFF_S[min(len(child.deaths), len(BACKOFF_S)) - 1]
        child.restart_at = now + wait_s
        self.say(f"{child.name} ended ({_how(code)}); it starts again in {wait_s:g} s.")

    def _close(self, child: Child) -> int:
        """Take the remains of a dead child away. Its exit code."""
        process = child.process
        assert process is not None
        assert process.stdout is not None
        children.signal_group(process, signal.SIGKILL)
        if process.stdout in {key.fileobj for key in self._selector.get_map().values()}:
            while self._read(child, process.stdout.fileno()) and _has_more(process.stdout):
                continue
            self._selector.unregister(process.stdout)
        process.stdout.close()
        if self._watchdog:
            self._watchdog.forget(process)
        child.process = None
        return process.returncode

    # --- the end ------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """The last started first, each given time to finish; a second Ctrl-C takes that time away."""
        patience = max(self._stop_asked, 1)
        self._stop_asked = 0
        for child in reversed(self.children):
            process = child.process
            if process is None:
                continue
            if process.poll() is None:
                process.terminate()
            deadline = time.monotonic() + STOP_S
            while (
                process.poll() is None
                and time.monotonic() < deadline
                and self._stop_asked == 0
                and patience < 2
            ):
                self._listen(0.05)
            if process.poll() is None:
                self.say(f"{child.name} did not end in time and is killed.")
                children.signal_group(process, signal.SIGKILL)
                process.wait()
            self._close(child)
        if self._watchdog:
            self._watchdog.close()


def _has_more(pipe: IO[bytes]) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(0))


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
