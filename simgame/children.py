"""Child processes that do not outlive their parent, not even when it is killed with -9.

On Linux the kernel does it (PR_SET_PDEATHSIG); elsewhere a `Watchdog` process holds one end of a
pipe and ends the children when the other end closes. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
KERNEL_BINDS = sys.platform == "linux"
_prctl = ctypes.CDLL(None).prctl if KERNEL_BINDS else None


def die_with_parent(parent_pid: int, death_signal: int = signal.SIGKILL) -> None:
    """Run in the child: the kernel sends `death_signal` when the thread that made us ends."""
    if _prctl is None:
        return
    _prctl(PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != parent_pid:  # the parent died before the bond was made
        os._exit(1)


def spawn(
    command: Sequence[str], *, death_signal: int = signal.SIGKILL, **options: Any
) -> subprocess.Popen[bytes]:
    """A child in a session of its own, bound to this process. `options` are those of Popen.

    Only the main thread may call it: the bond is to the spawning thread, and other threads end.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Children are spawned from the main thread only: they die with the thread.")
    parent = os.getpid()
    return subprocess.Popen(
        list(command),
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(parent, death_signal),
        **options,
    )


def signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    """Signal the child and its own children. Nothing happens when none of them is left."""
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return


class Watchdog:
    """Where the kernel does not bind children: a process that ends them when our pipe closes."""

    PROGRAM = """
import os, sys, signal
kills = {}
for line in sys.stdin:
    word, pid, number = line.split()
    kills.pop(int(pid), None) if word == "forget" else kills.update({int(pid): int(number)})
for pid, number in kills.items():
    try: os.kill(pid, number)
    except OSError as error: print(error, file=sys.stderr)
"""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
            bufsize=1,
        )

    def watch(self, child: subprocess.Popen[bytes], death_signal: int) -> None:
        self._say(f"watch {child.pid} {int(death_signal)}")

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        self._say(f"forget {child.pid} 0")

    def _say(self, line: str) -> None:
        if self._process.poll() is None and self._process.stdin:
            self._process.stdin.write(line + "\n")

    def close(self) -> None:
        """Call when every child has been forgotten; the rest is ended."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=5)
