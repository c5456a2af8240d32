"""The compiled twin of what every order runs through, where an operator made one (`compile_engine`).

The twin is used only when it was made of exactly these sources for exactly this Python; else the sources run.
`SIMGAME_ENGINE=pure` leaves it aside; a folder there is taken, whatever it was made of.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from functools import cache
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

PACKAGES: Final = ("trading.engine", "trading.exchange", "trading.messages")  # with modules in the twin
FOLDER: Final = "simgame-compiled"  # in the Python environment: its modules fit no other
SWITCH: Final = "SIMGAME_ENGINE"
PURE: Final = "pure"
DIGEST_CHARS: Final = 16
PREFIX, LIBRARY = "simgame_", "__mypyc"  # around the name of what the modules of a group share


@cache
def folder(base: Path) -> Path:
    """Where the twin of the project in `base` is, or would be."""
    digest = hashlib.sha256(str(sysconfig.get_config_var("SOABI")).encode())
    for package in PACKAGES:
        for path in sorted(base.joinpath(*package.split(".")).glob("*.py")):
            digest.update(f"{package}/{path.name}".encode() + path.read_bytes())
    return Path(sys.prefix) / FOLDER / f"twin-{digest.hexdigest()[:DIGEST_CHARS]}"


def search_path(package: str, sources: Path) -> list[str]:
    """A `__path__` for the package whose modules lie in `sources`: its twin first, if there is one."""
    wanted = os.environ.get(SWITCH, "")
    parts = package.split(".")
    twin = Path(wanted) if wanted else folder(sources.parents[len(parts) - 1])
    if wanted == PURE or not twin.is_dir():
        return [str(sources)]
    use(twin)
    return [str(twin.joinpath(*parts)), str(sources)]


def use(twin: Path) -> None:
    """Load the libraries that its modules share. Raises ImportError when one does not fit."""
    for library in sorted(twin.glob(f"{PREFIX}*{LIBRARY}.*")):
        name = library.name.partition(".")[0]
        if name in sys.modules:
            continue
        spec = spec_from_file_location(name, library, loader=ExtensionFileLoader(name, str(library)))
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module


def is_used() -> bool:
    """Whether this process runs a twin."""
    return any(name.startswith(PREFIX) and name.endswith(LIBRARY) for name in sys.modules)
