"""The name in the file system under which an exchange listens."""

from __future__ import annotations

import os
from pathlib import Path


def inode_of(path: str | Path) -> int:
    """Whose name it is: the number of the socket behind it. 0: nobody's."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0
