"""Every sentence of the templates and scripts is in the Chinese catalogue."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po

from simgame.env import BASE_DIR

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
