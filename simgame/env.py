"""Reading settings from the environment: typed, and with an error a person can act on.

Standard library only: `manage.py` reads it before any dependency is installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
STATE = "play.json"  # in the home while `manage.py play` runs: {pid, address, world}


class BadSetting(SystemExit):
    """A setting from the environment cannot be used. Ends the process with one sentence."""

    def __init__(self, name: str, value: str, expected: str):
        super().__init__(f"Setting {name}={value!r} cannot be used: expected {expected}.")


def text(name: str, default: str = "") -> str:
    """The variable `name`, or the contents of the file that `name_FILE` names, or `default`."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return os.environ.get(name, default)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadSetting(f"{name}_FILE", path, f"a readable file ({error.strerror})") from error


def flag(name: str, default: bool = False) -> bool:
    value = text(name).strip().lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(name, value, "1 or 0")


def number(name: str, default: int, *, least: int = 0) -> int:
    value = text(name).strip()
    if not value:
        return default
    try:
        parsed = int(value)
    except ValueError:
        raise BadSetting(name, value, "a whole number") from None
    if parsed < least:
        raise BadSetting(name, value, f"a whole number of at least {least}")
    return parsed


def choice(name: str, default: str, *others: str) -> str:
    """One of a few words."""
    value = text(name).strip() or default
    if value not in (default, *others):
        raise BadSetting(name, value, " | ".join((default, *others)))
    return value


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def mapping(name: str) -> dict[str, dict[str, Any]]:
    """A JSON object of objects."""
    value = text(name).strip()
    try:
        found = json.loads(value or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(inner, dict) for inner in found.values()):
        raise BadSetting(name, "…", 'a JSON object such as {"github": {"client_id": "…", "secret": "…"}}')
    return found


def is_there(module: str) -> bool:
    """Whether a module of this name can be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def home() -> Path:
    """Where this checkout keeps what it makes: databases, sockets, keys, write-ahead log."""
    return Path(text("SIMGAME_HOME") or BASE_DIR / "var").resolve()


def running_game(folder: Path) -> dict[str, Any]:
    """What `manage.py play` wrote into this home: keys pid, address, world; {} when none runs."""
    try:
        return dict(json.loads((folder / STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def keep_bytecode(environment: MutableMapping[str, str], home: Path) -> None:
    """Compiled modules are kept in the home where the machine says that none are to lie beside the code.

    Each of our processes imports some 1,700 modules: compiled anew, that is two seconds of its start.
    """
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment.setdefault("PYTHONPYCACHEPREFIX", str(home / "pycache"))
