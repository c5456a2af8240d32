"""A backup and what is restored from it, by PostgreSQL's own tools: a database beside the one that plays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.conf import settings

from ops.chaos.town import InVain
from simgame import env
from simgame.embedded.binaries import pg_binary


def dump(file: Path) -> None:
    """As docs/security.md says it: pg_dump with row-level security on. Raises InVain."""
    _run(
        "pg_dump",
        "--format=custom",
        "--enable-row-security",
        f"--file={file}",
        f"--dbname={_address(_name())}",
    )


@contextmanager
def restored(file: Path) -> Iterator[str]:
    """The address of a database of its own that `file` was restored into; afterwards it is gone."""
    copy = f"{_name()}_restored"
    with psycopg.connect(_address(_name()), autocommit=True) as link:
        link.execute(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")
        link.execute(f"CREATE DATABASE {copy}")
        try:
            _run("pg_restore", "--exit-on-error", f"--dbname={_address(copy)}", str(file))
            yield _address(copy)
        finally:
            link.execute(f"DROP DATABASE IF EXISTS {copy} WITH (FORCE)")


def manage(address: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`manage.py <words>` on the database at `address`."""
    command = [sys.executable, str(env.BASE_DIR / "manage.py"), *words]
    return subprocess.run(command, env=environment(address), capture_output=True, text=True, check=False)


def environment(address: str) -> dict[str, str]:
    ours = {"SIMGAME_HOME": str(settings.HOME), "DJANGO_SETTINGS_MODULE": "simgame.settings"}
    return {**os.environ, **ours, "DATABASE_URL": address}


def _run(tool: str, *words: str) -> None:
    if (program := pg_binary(tool)) is None:
        raise InVain(f"{tool} is not there: it comes with the embedded PostgreSQL")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InVain(f"{tool} failed: {done.stderr[-400:]}")


def _name() -> str:
    return str(settings.DATABASES["default"]["NAME"])


def _address(name: str) -> str:
    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))
