"""One writer per WAL folder: a file lock that the kernel gives back when its holder dies."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import BinaryIO

from market import errors

LOOK_S = 0.05


class FolderLock:
    def __init__(self, folder: Path):
        self.folder = folder
        self._file: BinaryIO | None = None

    async def acquire(self, patience_s: float) -> None:
        """Waits for the feed before us to leave. Raises FeedHeld when it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = open(self.folder / "lock", "wb")  # noqa: SIM115  held until `release`
        try:
            async with asyncio.timeout(patience_s):
                while not _locked(file):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            file.close()
            raise errors.FeedHeld(
                f"Another process holds {self.folder} and did not leave within {patience_s:g} s:"
                " stop it first."
            ) from None
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
