"""Secrets that this checkout makes for itself once and keeps readable for its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def made_once(path: Path) -> str:
    """The secret in `path`, made at the first call. Two processes that race get the same one."""
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
    try:
        os.link(draft, path)  # fails when another process was first: its secret wins
    except FileExistsError:
        return path.read_text(encoding="ascii")
    finally:
        draft.unlink()
    return path.read_text(encoding="ascii")
