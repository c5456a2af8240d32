"""The rules of the house that a machine can hold us to. `docs/` says why each is there."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from simgame.env import BASE_DIR

from . import source

LINES_MAX = 400
WRITTEN_BY_HAND = {".py", ".js", ".mjs", ".css", ".html"}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "misc", "common"}


def where(path: Path, node: ast.AST) -> str:
    return f"{source.name(path)}:{getattr(node, 'lineno', 0)}"


def test_no_file_is_longer_than_a_person_can_hold():
    lengths = {
        source.name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in source.files()
        if path.suffix in WRITTEN_BY_HAND and "migrations" not in path.parts
    }
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_no_file_still_holds_two_sides_of_a_conflict():
    marks = re.compile(r"^(<{7}|>{7}|\|{7})(?: |$)", re.MULTILINE)
    assert [
        source.name(path)
        for path in source.texts()
        if marks.search(path.read_text(encoding="utf-8", errors="replace"))
    ] == []


def test_no_file_is_called_by_a_name_that_says_nothing():
    named = [
        source.name(path)
        for path in source.code()
        if path.stem in BANNED_NAMES or path.parent.name in BANNED_NAMES
    ]
    assert named == []


def imports_inside_functions(path: Path) -> Iterator[ast.AST]:
    for function in ast.walk(source.tree(path)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom))


def is_app_start(path: Path) -> bool:
    """`AppConfig.ready` may import models: Django has loaded them only then."""
    return path.name == "apps.py"


def test_imports_stand_at_the_top():
    hidden = [
        where(path, node)
        for path in source.code()
        if not is_app_start(path)
        for node in imports_inside_functions(path)
    ]
    assert hidden == []


def dynamic_imports(path: Path) -> Iterator[ast.Call]:
    """Calls that import a module named on the spot (a name from the settings is another matter)."""
    for node in ast.walk(source.tree(path)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in {"__import__", "import_module"} and isinstance(
            node.args[0], ast.Constant | ast.JoinedStr
        ):
            yield node


def test_no_import_is_hidden_in_a_call():
    """Only the door may: it starts before Django is installed."""
    found = [
        where(path, node)
        for path in source.code()
        if not is_app_start(path)
        for node in dynamic_imports(path)
    ]
    assert [place for place in found if not place.startswith("simgame/bootstrap/door.py:")] == []


def is_swallowed(handler: ast.ExceptHandler) -> bool:
    broad = handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"}
    silent = all(
        isinstance(line, ast.Pass | ast.Continue)
        or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        for line in handler.body
    )
    return broad and silent


def test_no_error_is_swallowed():
    found = [
        where(path, node)
        for path in source.code()
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.ExceptHandler) and is_swallowed(node)
    ]
    assert found == []


# --- the engine: pure -----------------------------------------------------------------------------

IMPURE_MODULES = {
    "time",
    "random",
    "secrets",
    "uuid",
    "os",
    "socket",
    "threading",
    "asyncio",
    "django",
    "redis",
    "psycopg",
}
WALL_CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def imported(path: Path) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(source.tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name.partition(".")[0]) for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node, node.module.partition(".")[0]


def test_the_engine_gets_time_and_chance_as_arguments():
    engine = source.code("trading/engine")
    assert engine, "the engine has moved: this test must follow it"
    modules = [
        where(path, node) for path in engine for node, module in imported(path) if module in IMPURE_MODULES
    ]
    clocks = [
        where(path, node)
        for path in engine
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(tuple(WALL_CLOCKS))
    ]
    assert modules + clocks == []


def test_float_never_touches_money():
    found = [
        where(path, node)
        for path in source.code("trading/engine", "simgame/kernel/money.py")
        for node in ast.walk(source.tree(path))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
    ]
    assert found == []


# --- what may not be in the repository --------------------------------------------------------------

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home/\w+|Users/\w+|work|opt/\w+|mnt/\w+)/[\w.-]+")
REGISTRY = re.compile(
    r"https?://[^\s\"')]*(?:registry\.|pypi\.|/simple/|npmjs\.|artifactory|nexus)[^\s\"')]*", re.IGNORECASE
)
SECRET = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{36}\b")


@pytest.mark.parametrize(
    "pattern", [MACHINE_PATH, REGISTRY, SECRET], ids=["machine paths", "registries", "secrets"]
)
def test_nothing_of_one_machine_is_in_the_repository(pattern: re.Pattern[str]):
    here = Path(__file__)
    found = [
        f"{source.name(path)}: {match.group(0)}"
        for path in source.texts()
        if path != here
        for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_every_requirement_is_pinned_and_hashed():
    blocks = re.split(r"\n(?=\S)", (BASE_DIR / "requirements.txt").read_text(encoding="utf-8"))
    packages = [block for block in blocks if block.strip() and not block.startswith("#")]
    assert len(packages) > 50
    loose = [
        block.splitlines()[0]
        for block in packages
        if "==" not in block.splitlines()[0] or "--hash=sha256:" not in block
    ]
    assert loose == []


def test_browser_libraries_are_hashed_and_name_no_registry():
    folder = BASE_DIR / "ops" / "frontend"
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [
        name for name, package in packages.items() if not package["integrity"].startswith("sha512-")
    ] == []
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    ranges = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert {name: asked for name, asked in ranges.items() if not asked[0].isdigit()} == {}


def variables_read(path: Path) -> Iterator[str]:
    for node in ast.walk(source.tree(path)):
        reads = isinstance(node, ast.Call) and ast.unparse(node.func).startswith("env.") and node.args
        if reads and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value


ACCOUNT = re.compile(r"(CTP|SOPT|TUSHARE)_(PRIMARY|BACKUP)_[A-Z]+$")


def test_every_variable_is_explained():
    explained = set(
        re.findall(r"^#?([A-Z_]+)=", (BASE_DIR / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    read = {name for path in source.code() for name in variables_read(path)}
    outside_settings = {"SIMGAME_HOME", "SIMGAME_VENV", "SIMGAME_CHROMIUM"}
    accounts = {name for name in explained if ACCOUNT.match(name)}
    assert read | outside_settings == explained - accounts
    assert {name.rpartition("_")[2] for name in accounts} == account_settings()


def account_settings() -> set[str]:
    """What is read of every account of a source: CTP_PRIMARY_FRONTS, TUSHARE_BACKUP_TOKEN …"""
    texts = (path.read_text(encoding="utf-8") for path in (BASE_DIR / "market/sources").rglob("*.py"))
    return {name for text in texts for name in re.findall(r'env\.\w+\(f"\{[\w.]+\}_([A-Z]+)"', text)}


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration():
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


# --- what must be in it ---------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["accounts", "market", "ops", "realtime", "trading"])
def test_every_app_introduces_itself(room: str):
    text = (BASE_DIR / room / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) > 80, (
        "it owns what, in which words, with which promises, and how is one more added?"
    )


def skips(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(source.tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".skip", ".skipif", ".xfail")):
            yield node


def has_reason(call: ast.Call) -> bool:
    return any(word.arg == "reason" for word in call.keywords) or (
        bool(call.args) and ast.unparse(call.func) == "pytest.skip"
    )


def test_every_skipped_test_says_what_is_missing():
    tests = [
        path for path in source.files() if path.suffix == ".py" and source.name(path).startswith("tests/")
    ]
    bare = [
        where(path, node)
        for path in tests
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"pytest.mark.skip", "pytest.mark.xfail"}
    ]
    reasonless = [where(path, call) for path in tests for call in skips(path) if not has_reason(call)]
    called = [where(path, call.func) for path in tests for call in skips(path) if has_reason(call)]
    assert reasonless + [place for place in bare if place not in called] == []


LOOKS_FURTHER = {
    "accounts/audit.py": "writes what staff and the system did",
    "trading/game_pages.py": "a host's page, and his name for whom he invited",
    "trading/hosting.py": "a host's word and export, after `of`",
    "trading/lobby.py": "a private game by its invitation",
    "trading/queries.py": "the journal's head, a number",
    "trading/topics.py": "whose stream it is",
}


def test_whoever_looks_at_the_whole_house_is_listed_here():
    found = {
        source.name(path)
        for path in source.code()
        if "viewer.house()" in path.read_text(encoding="utf-8") and not source.name(path).startswith("tests/")
    }
    assert found == LOOKS_FURTHER.keys()
