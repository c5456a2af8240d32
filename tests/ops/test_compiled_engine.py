"""An operator compiles the engine: it answers the same, and never what other sources would have answered."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.compiling.parts import PACKAGE, SOURCES, STAY
from ops.management.commands.compile_engine import missing
from simgame.env import BASE_DIR
from simgame.kernel import compiled


def test_every_module_with_a_struct_stays_python():
    with_structs = {
        path.name
        for path in SOURCES.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any("Struct" in ast.unparse(base) for base in node.bases)
    }
    assert with_structs | {"__init__.py"} == STAY


def test_a_twin_of_other_sources_is_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    sources = tmp_path / "engine"
    sources.mkdir()
    (sources / "fees.py").write_text("FEE = 1\n")
    twin = compiled.folder("dinghy.engine", sources)
    (twin / "dinghy" / "engine").mkdir(parents=True)
    monkeypatch.setattr(compiled, "use", lambda package, folder: None)
    beside = str(twin / "dinghy" / "engine")
    assert compiled.search_path("dinghy.engine", sources) == [beside, str(sources)]

    monkeypatch.setenv(compiled.SWITCH, compiled.PURE)
    assert compiled.search_path("dinghy.engine", sources) == [str(sources)]
    monkeypatch.delenv(compiled.SWITCH)

    (sources / "fees.py").write_text("FEE = 2\n")
    assert compiled.search_path("dinghy.engine", sources) == [str(sources)]


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=f"cannot compile here: {missing()}")
def test_what_is_compiled_answers_what_the_sources_answer(tmp_path: Path):
    def run(module: str, *words: str, engine: str = compiled.PURE) -> str:
        command, env = [sys.executable, "-m", module, *words], {**os.environ, compiled.SWITCH: engine}
        return subprocess.run(
            command, cwd=BASE_DIR, env=env, capture_output=True, text=True, check=True
        ).stdout

    only = {"fees", "fills", "matching", "prices"}
    run("ops.compiling.build", str(tmp_path), "-O", "0", "--only", *(f"{name}.py" for name in only))
    made = tmp_path.joinpath(*PACKAGE.split(".")).iterdir()
    assert {path.name.partition(".")[0] for path in made} == only
    asked = ["--commands", "3000"]
    sources = json.loads(run("ops.compiling.digest", *asked))
    twin = json.loads(run("ops.compiling.digest", *asked, engine=str(tmp_path)))
    assert (sources["compiled"], twin["compiled"]) == (False, True)
    assert sources["digest"] == twin["digest"]
