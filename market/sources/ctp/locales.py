"""The locale that the native library cannot live without: found, made, or asked for in one sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

NAME = "zh_CN.GB18030"


class NoLocale(Exception):
    pass


def environment(folder: Path) -> dict[str, str]:
    """What to add to a reader's environment so that NAME is there. Raises NoLocale."""
    if _installed():
        return {}
    made = folder / "locales"
    if not (made / NAME).is_dir():
        _make(made)
    return {"LOCPATH": str(made)}


def _installed() -> bool:
    tool = shutil.which("locale")
    if tool is None:
        return False
    listed = subprocess.run([tool, "-a"], capture_output=True, text=True, check=False, timeout=20).stdout
    return NAME.lower().replace("-", "") in listed.lower().replace("-", "").split()


def _make(folder: Path) -> None:
    """As an ordinary user, into a folder of ours. The rules are the plain ones: only the charset matters."""
    tool = shutil.which("localedef")
    if tool is None:
        raise NoLocale(f"CTP needs the locale {NAME}: install it (Debian: package locales), or localedef.")
    folder.mkdir(parents=True, exist_ok=True)
    command = [tool, "-i", "POSIX", "-f", "GB18030", str(folder / NAME)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "LC_ALL": "C"}
    )
    if not (folder / NAME).is_dir():
        words = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise NoLocale(
            f"CTP needs the locale {NAME}, which could not be made ({words[0]}): Debian's package"
            " locales has what it is made of."
        )
