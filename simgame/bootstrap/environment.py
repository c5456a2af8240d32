"""`.venv` with exactly the packages of requirements.txt, made again when that file changes."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from simgame import env

from .progress import Progress, SetupFailed

REQUIREMENTS = env.BASE_DIR / "requirements.txt"
STAMP = "simgame-requirements.sha256"
LOCK = "simgame.lock"
NO_PIP = (
    "This Python has neither pip nor ensurepip, so packages cannot be installed. "
    "On Debian and Ubuntu: sudo apt install python3-venv. Then run the same command again."
)


def folder() -> Path:
    return Path(os.environ.get("SIMGAME_VENV") or env.BASE_DIR / ".venv").absolute()


def python() -> Path:
    return folder() / "bin" / "python"


def is_inside() -> bool:
    return Path(sys.prefix).resolve() == folder().resolve()


def is_ready() -> bool:
    stamp = folder() / STAMP
    return python().exists() and stamp.is_file() and stamp.read_text(encoding="ascii") == _wanted()


def prepare(progress: Progress) -> None:
    """Make the environment complete. Quick when it is; two at once wait for each other."""
    if is_ready():
        return
    with _one_at_a_time():
        if is_ready():
            return
        if not python().exists():
            with progress.step("Python environment"):
                _make()
        with progress.step("Python packages"):
            _install()
        (folder() / STAMP).write_text(_wanted(), encoding="ascii")


def _wanted() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    folder().mkdir(parents=True, exist_ok=True)
    with open(folder() / LOCK, "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make() -> None:
    """With our own pip when we have one: Debian without python3-venv cannot put one into it."""
    if not _own_pip() and importlib.util.find_spec("ensurepip") is None:
        raise SetupFailed(NO_PIP)
    without_pip = ["--without-pip"] if _own_pip() else []
    _run([sys.executable, "-m", "venv", *without_pip, str(folder())], NO_PIP)


def _own_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _pip_inside() -> bool:
    return next((folder() / "lib").glob("python3*/site-packages/pip"), None) is not None


def _pip() -> list[str]:
    """A pip that installs into the environment: its own, else ours pointed at it."""
    if _pip_inside():
        return [str(python()), "-m", "pip"]
    if not _own_pip():
        raise SetupFailed(NO_PIP)
    return [sys.executable, "-m", "pip", "--python", str(python())]


def _install() -> None:
    complaint = add(REQUIREMENTS)
    if complaint is not None:
        raise SetupFailed(
            f"The packages of requirements.txt could not be installed: {complaint}. "
            "Is the package index reachable? Run the same command again when it is."
        )


def add(requirements: Path) -> str | None:
    """Locked packages into the environment: by uv, eight times quicker, by pip when uv cannot.

    None when they are there, else why not.
    """
    options = ["--require-hashes", "--requirement", str(requirements)]
    if _uv_is_there():
        settings = {
            "VIRTUAL_ENV": str(folder()),
            "UV_NO_PROGRESS": "1",
            "UV_SYSTEM_CERTS": "1",  # a company's own certificate is in the machine's store, where pip looks
            **_same_index(),
        }
        complaint = _try([str(folder() / "bin" / "uv"), "pip", "install", "--quiet", *options], settings)
        if complaint is None or not (_pip_inside() or _own_pip()):
            return complaint
    return _try([*_pip(), "install", "--quiet", "--disable-pip-version-check", *options])


def _uv_is_there() -> bool:
    """Install uv itself from its hashes in requirements.txt, unless it is there."""
    if (folder() / "bin" / "uv").exists():
        return True
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as lines:
        lines.write(locked("uv"))
        lines.flush()
        command = [
            *_pip(),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            lines.name,
        ]
        return _try(command) is None


def locked(package: str) -> str:
    """The lines of one package in requirements.txt, hashes included."""
    taken: list[str] = []
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        if taken and not line.startswith(" "):
            break
        if taken or line.startswith(f"{package}=="):
            taken.append(line)
    return "\n".join(line for line in taken if not line.lstrip().startswith("#")).rstrip("\\ \n") + "\n"


def _same_index() -> dict[str, str]:
    """uv does not read pip's variables: a mirror given to pip is meant for it too."""
    pairs = {"UV_DEFAULT_INDEX": "PIP_INDEX_URL", "UV_INDEX": "PIP_EXTRA_INDEX_URL"}
    return {
        ours: os.environ[pips]
        for ours, pips in pairs.items()
        if os.environ.get(pips) and ours not in os.environ
    }


def _try(command: Sequence[str], settings: Mapping[str, str] | None = None) -> str | None:
    """None when it worked, else the last line it said."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(settings or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if done.returncode == 0:
        return None
    return ((done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"])[-1].rstrip(
        "."
    )


def _run(command: Sequence[str], advice: str) -> None:
    complaint = _try(command)
    if complaint is not None:
        raise SetupFailed(f"{advice} ({complaint})")
