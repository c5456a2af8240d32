#!/usr/bin/env python3
"""SimGame's front door: `python3 manage.py play`, `python3 manage.py verify`, and Django's commands.

It runs on a bare Python: what is missing (`.venv`, packages, browser libraries) it gets itself.
"""

import os
import sys

PYTHONS = ("python3.14", "python3.13", "python3.12", "python3.11")


def main():
    if os.name != "posix":
        sys.exit(
            "SimGame runs on Linux and macOS. On Windows, use WSL: https://learn.microsoft.com/windows/wsl/"
        )
    if sys.version_info < (3, 11):  # noqa: UP036  this file is read by whatever `python3` is
        use_newer_python()
    from simgame.bootstrap import door  # noqa: PLC0415  its syntax needs the version checked above

    sys.exit(door.main(sys.argv[1:]))


def use_newer_python():
    """Run again with a Python that is new enough, or say which one is needed."""
    for name in PYTHONS:
        try:
            os.execvp(name, [name, *sys.argv])
        except OSError:
            continue
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit("SimGame needs Python 3.11 or newer; this is %s. Install it and run again." % version)  # noqa: UP031


if __name__ == "__main__":
    main()
