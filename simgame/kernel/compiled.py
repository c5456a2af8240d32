"""A package's compiled twin, where an operator has made one (`manage.py compile_engine`).

The twin is used only when it was made of exactly these sources for exactly this Python; else the sources run.
`SIMGAME_ENGINE=pure` leaves it aside; a folder there is taken, whatever it was made of.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

FOLDER: Final = "simgame-compiled"  # in the Python environment: its modules fit no other
SWITCH: Final = "SIMGAME_ENGINE"
PURE: Final = "pure"
DIGEST_CHARS: Final = 16


def folder(package: str, sources: Path) -> Path:
    """Where the twin of the package whose modules lie in `sources` is, or would be."""
    digest = hashlib.sha256(str(sysconfig.get_config_var("SOABI")).encode())
    for path in sorted(sources.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return Path(sys.prefix) / FOLDER / f"{package}-{digest.hexdigest()[:DIGEST_CHARS]}"


def search_path(package: str, sources: Path) -> list[str]:
    """A `__path__` for the package: its twin first, if there is one."""
    wanted = os.environ.get(SWITCH, "")
    twin = Path(wanted) if wanted else folder(package, sources)
    if wanted == PURE or not twin.is_dir():
        return [str(sources)]
    use(package, twin)
    return [str(twin.joinpath(*package.split("."))), str(sources)]


def use(package: str, twin: Path) -> None:
    """Load the library that all modules of the twin share. Raises ImportError when it does not fit."""
    name = group(package) + "__mypyc"
    if name in sys.modules:
        return
    (library,) = twin.glob(f"{name}.*")
    spec = spec_from_file_location(name, library, loader=ExtensionFileLoader(name, str(library)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module


def group(package: str) -> str:
    """The name that the modules of the twin are compiled under, together."""
    return package.replace(".", "_")


def is_used(package: str) -> bool:
    return group(package) + "__mypyc" in sys.modules
