"""Where the pair of a home lives, and how each client spells that address. Starts nothing."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from .identity import reachable, server_identity

# A socket name holds 107 bytes (104 on macOS); ours add at most 40 to the folder's.
RUN_DIR_BYTES_MAX = 64
ROOTS_PLACE = Path("/var/lib/simgame")  # for root, when the plain user cannot enter the home
POSTGRES_PORT = 5432  # only names the socket file
POOL = {"min_size": 1, "max_size": 8, "timeout": 5.0}  # seconds: longer than the database's restart


def _short(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]


def place(home: Path) -> Path:
    """The folder for data and sockets: the home, unless the server's user cannot get there."""
    home = Path(home).resolve()
    identity = server_identity()
    if identity is None or not identity.is_other or reachable(home, identity):
        return home
    return ROOTS_PLACE / _short(home)


def run_dir(home: Path) -> Path:
    """The folder of all Unix sockets of this home, short enough for a socket's name."""
    home = Path(home).resolve()
    run = place(home) / "run"
    if len(os.fsencode(run)) <= RUN_DIR_BYTES_MAX:
        return run
    temp = Path(tempfile.gettempdir())
    if len(os.fsencode(temp)) > RUN_DIR_BYTES_MAX - 32:
        temp = Path("/tmp")  # nosec B108  the folder in it is ours alone: see `place`
    return temp / f"simgame-{os.geteuid()}-{_short(home)}"


def socket_dir(home: Path) -> Path:
    """Where PostgreSQL and Valkey put theirs: a folder that belongs to the server's user."""
    return run_dir(home) / "db"


def database_url(home: Path) -> str:
    return f"postgresql://simgame@/postgres?host={quote(str(socket_dir(home)))}"


def redis_url(home: Path) -> str:
    return f"unix://{quote(str(socket_dir(home) / 'valkey.sock'))}"


def redis_database(url: str, number: int) -> str:
    """The same server, database `number`."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = [pair for pair in parse_qsl(parts.query) if pair[0] != "db"]
        return f"unix://{parts.netloc}{parts.path}?{urlencode([*query, ('db', str(number))])}"
    return urlunsplit(parts._replace(path=f"/{number}"))


def celery_url(url: str) -> str:
    """Celery's spelling of the same server, database 2."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"redis+socket://{parts.netloc}{parts.path}?virtual_host=2"
    return redis_database(url, 2)


def django_database(url: str) -> dict[str, Any]:
    """The DATABASES entry: pooled connections, options of the query kept (`sslmode`, …)."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise SystemExit(
            f"Setting DATABASE_URL with scheme {parts.scheme!r} cannot be used: "
            "expected postgresql://user:password@host:port/name."
        )
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "simgame.database",
        "NAME": unquote(parts.path.lstrip("/")) or options.pop("dbname", "postgres"),
        "USER": unquote(parts.username or "") or options.pop("user", ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": options.pop("port", "") or str(parts.port or ""),
        "CONN_MAX_AGE": 0,  # the pool keeps connections, also under ASGI
        "OPTIONS": {**options, "pool": dict(POOL)},
    }
