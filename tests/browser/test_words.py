"""Every sentence of the templates and scripts is in the Chinese catalogue."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from babel.messages.pofile import read_po

from accounts import errors as accounts_errors
from simgame.env import BASE_DIR
from simgame.kernel import errors as kernel_errors

CATALOGUES = BASE_DIR / "locale" / "zh_Hans" / "LC_MESSAGES"
TRANSLATE = re.compile(r'{%\s*translate\s+"([^"]+)"')
BLOCK = re.compile(r"{%\s*blocktranslate[^%]*%}(.*?){%\s*endblocktranslate\s*%}", re.DOTALL)
CALL = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)+)"')
EITHER = re.compile(r'\bt\([^"()]*\?\s*"([^"]+)"\s*:\s*"([^"]+)"')


def translated(domain: str) -> set[str]:
    with (CATALOGUES / f"{domain}.po").open("rb") as file:
        catalogue = read_po(file)
    return {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in catalogue
        if message.id and all(message.string if isinstance(message.string, tuple) else [message.string])
    }


def as_msgid(body: str) -> str:
    return re.sub(r"{{\s*(\w+)\s*}}", r"%(\1)s", body.replace("%", "%%"))


def sentences(template: Path) -> list[str]:
    text = template.read_text(encoding="utf-8")
    blocks = [as_msgid(body.split("{% plural %}")[0]) for body in BLOCK.findall(text)]
    return [*(said.replace("%", "%%") for said in TRANSLATE.findall(text)), *blocks]  # as Django asks for it


def test_the_templates_are_translated() -> None:
    known = translated("django")
    templates = sorted((BASE_DIR / "templates").rglob("*.html"))
    assert templates
    missing = {said for template in templates for said in sentences(template)} - known
    assert missing == set()


def test_the_scripts_are_translated() -> None:
    known = translated("djangojs")
    said: set[str] = set()
    for script in sorted((BASE_DIR / "static" / "js").glob("*.js")):
        code = re.sub(r"^\s*//.*$", "", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
        said |= set(CALL.findall(code)) | {one for pair in EITHER.findall(code) for one in pair}
    assert len(said) > 100
    assert said - known == set()


def asked_for(module: Path) -> set[str]:
    """The sentences that a module hands to gettext as they stand."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"_", "gettext", "gettext_lazy"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def test_the_sentences_of_our_modules_are_translated() -> None:
    modules = [
        path for app in ("accounts", "market", "ops", "trading") for path in (BASE_DIR / app).rglob("*.py")
    ]
    said = set().union(*map(asked_for, modules))
    assert len(said) > 40
    assert said - translated("django") == set()


def test_the_refusals_that_a_page_may_show_are_translated() -> None:
    modules = (accounts_errors, kernel_errors)
    classes = [one for module in modules for one in vars(module).values() if isinstance(one, type)]
    of_people = [
        one for one in classes if issubclass(one, kernel_errors.SimGameError) and "oken" not in one.__name__
    ]
    titles = {one.title for one in of_people} - {accounts_errors.BadKey.title}
    assert (titles | {f"{title}." for title in titles}) - translated("django") == set()


def test_each_code_says_its_meaning_in_chinese() -> None:
    code = (BASE_DIR / "static" / "js" / "reasons.js").read_text(encoding="utf-8")
    said = set(re.findall(r'^  [A-Z_]+: "([^"]+)",$', code, re.MULTILINE))
    assert len(said) > 20
    assert said - translated("djangojs") == set()
