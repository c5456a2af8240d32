"""Who the servers run as. PostgreSQL refuses root, so root hands it to an existing plain user."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

PLAIN_USERS = ("postgres", "nobody")  # existing accounts that root may hand a server to


@dataclass(frozen=True)
class Identity:
    uid: int
    gid: int
    name: str

    @property
    def is_other(self) -> bool:
        return self.uid != os.geteuid()

    def popen_options(self) -> dict[str, object]:
        if not self.is_other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_identity() -> Identity | None:
    """Ourselves; for root the first plain user that exists; None when root finds none."""
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid(), str(os.geteuid()))
    for name in PLAIN_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Identity(entry.pw_uid, entry.pw_gid, name)
    return None


def reachable(path: Path, identity: Identity) -> bool:
    """May `identity` pass through every existing folder on the way to `path`, and enter it?"""
    for folder in (path, *path.parents):
        if folder.is_dir() and not _allows(folder.stat(), identity, stat.S_IXUSR):
            return False
    return True


def readable(path: Path, identity: Identity) -> bool:
    return reachable(path, identity) and _allows(path.stat(), identity, stat.S_IRUSR)


def _allows(status: os.stat_result, identity: Identity, owner_bit: int) -> bool:
    if status.st_uid == identity.uid:
        return bool(status.st_mode & owner_bit)
    if status.st_gid == identity.gid:
        return bool(status.st_mode & (owner_bit >> 3))
    return bool(status.st_mode & (owner_bit >> 6))
