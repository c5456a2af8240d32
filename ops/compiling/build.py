"""`python -m ops.compiling.build FOLDER -O N [--only fees.py …]`: the twin as machine code, in the folder.

A process of its own: the tools print and exit as they like, and nothing of the exchange may be loaded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Distribution
from setuptools.command.build_ext import build_ext

from ops.compiling.parts import groups
from simgame.kernel import compiled


def build(into: Path, opt_level: str, group: str, paths: list[str]) -> None:
    """What is not among the paths stays Python. Raises SystemExit where the tools refuse."""
    work = into / "work" / group
    options = ["--no-error-summary", f"--cache-dir={work / 'types'}", *paths]
    name = f"{compiled.PREFIX}{group}"
    extensions = mypycify(options, opt_level=opt_level, group_name=name, target_dir=str(work / "c"))
    command = build_ext(Distribution({"name": name, "ext_modules": extensions}))
    command.build_lib, command.build_temp = str(into), str(work / "objects")
    command.ensure_finalized()
    command.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("-O", dest="level", default="3")
    parser.add_argument("--only", nargs="+", metavar="MODULE")
    asked = parser.parse_args()
    for group, paths in groups():
        if wanted := [path for path in paths if not asked.only or Path(path).name in asked.only]:
            build(asked.folder, asked.level, group, wanted)
