"""`python -m ops.compiling.build FOLDER -O N [--only fees.py …]`: the engine as machine code, in the folder.

A process of its own: the tools print and exit as they like, and nothing of the engine may be loaded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from simgame import env
from simgame.kernel import compiled

PACKAGE = "trading.engine"
SOURCES = env.BASE_DIR / "trading" / "engine"
# Structs of msgspec are made by their own metaclass: a compiled class would lose what they say of themselves.
STAY = {"__init__.py", "commands.py", "draft.py", "events.py", "invariants.py", "records.py"}


def modules() -> list[str]:
    """What is compiled, as paths from the project's folder."""
    found = sorted(path for path in SOURCES.glob("*.py") if path.name not in STAY)
    return [str(path.relative_to(env.BASE_DIR)) for path in found]


def build(into: Path, opt_level: str, paths: list[str]) -> None:
    """What is not among the paths stays Python. Raises SystemExit where the tools refuse."""
    from mypyc.build import mypycify  # noqa: PLC0415  only this process needs the tools
    from setuptools import Distribution  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    work = into / "work"
    options = ["--no-error-summary", f"--cache-dir={work / 'types'}", *paths]
    extensions = mypycify(
        options, opt_level=opt_level, group_name=compiled.group(PACKAGE), target_dir=str(work / "c")
    )
    command = build_ext(Distribution({"name": PACKAGE, "ext_modules": extensions}))
    command.build_lib, command.build_temp = str(into), str(work / "objects")
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("-O", dest="level", default="3")
    parser.add_argument("--only", nargs="+", metavar="MODULE")
    asked = parser.parse_args()
    build(
        asked.folder,
        asked.level,
        [path for path in modules() if not asked.only or Path(path).name in asked.only],
    )
