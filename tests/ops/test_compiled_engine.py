"""An operator compiles the exchange: it answers the same, and never what other sources would answer."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from ops.compiling.parts import ENGINE, ROWS, STAY, groups
from ops.management.commands.compile_engine import missing
from simgame.env import BASE_DIR
from simgame.kernel import compiled


def with_structs(paths: Iterable[Path]) -> set[str]:
    return {
        path.name
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and any("Struct" in ast.unparse(base) for base in node.bases)
    }


def test_every_module_with_a_struct_stays_python():
    assert with_structs(Path(BASE_DIR, ENGINE).glob("*.py")) | {"__init__.py"} == STAY
    assert not with_structs(Path(BASE_DIR, path) for path in ROWS)
    packages = {path.rpartition("/")[0].replace("/", ".") for _, paths in groups() for path in paths}
    assert packages == set(compiled.PACKAGES), "where nobody looks for a twin, none is used"


def test_a_twin_of_other_sources_is_left_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(compiled, "PACKAGES", ("dinghy.engine", "dinghy.rows"))
    monkeypatch.setattr(compiled, "use", lambda folder: None)
    engine, rows = tmp_path / "dinghy" / "engine", tmp_path / "dinghy" / "rows"
    for sources in (engine, rows):
        sources.mkdir(parents=True)
        (sources / "fees.py").write_text("FEE = 1\n")

    def found() -> list[str]:
        compiled.folder.cache_clear()
        return compiled.search_path("dinghy.engine", engine)

    compiled.folder.cache_clear()
    twin = compiled.folder(tmp_path)
    twin.mkdir(parents=True)
    beside = str(twin / "dinghy" / "engine")
    assert found() == [beside, str(engine)]

    monkeypatch.setenv(compiled.SWITCH, compiled.PURE)
    assert found() == [str(engine)]
    monkeypatch.delenv(compiled.SWITCH)

    (rows / "fees.py").write_text("FEE = 2\n")  # all are compiled together, so all must be the same
    assert found() == [str(engine)]
    compiled.folder.cache_clear()


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=f"cannot compile here: {missing()}")
def test_what_is_compiled_answers_what_the_sources_answer(tmp_path: Path):
    def run(module: str, *words: str, engine: str = compiled.PURE) -> str:
        command, env = [sys.executable, "-m", module, *words], {**os.environ, compiled.SWITCH: engine}
        return subprocess.run(
            command, cwd=BASE_DIR, env=env, capture_output=True, text=True, check=True
        ).stdout

    only = {"engine": {"fees", "fills", "matching"}, "exchange": {"arrays", "batch"}, "messages": {"rows"}}
    names = [f"{name}.py" for each in only.values() for name in each]
    run("ops.compiling.build", str(tmp_path), "-O", "0", "--only", *names)
    for package, modules in only.items():
        made = Path(tmp_path, "trading", package).iterdir()
        assert {path.name.partition(".")[0] for path in made} == modules
    asked = ["--commands", "3000"]
    sources = json.loads(run("ops.compiling.digest", *asked))
    twin = json.loads(run("ops.compiling.digest", *asked, engine=str(tmp_path)))
    assert (sources["compiled"], twin["compiled"]) == (False, True)
    assert (sources["events"], sources["rows"]) == (twin["events"], twin["rows"])
