"""A feed's objects lie on large pages where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest

from simgame.bootstrap import door, memory
from simgame.bootstrap.memory import ON_LARGE_PAGES, large_pages


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory.os, "confstr", lambda _: "glibc 2.36", raising=False)
    said = tmp_path / "enabled"
    said.write_text("always [madvise] never\n")
    return said


def test_they_are_asked_for_once_and_only_where_the_kernel_has_them(kernel: Path):
    assert large_pages({}, kernel) == ON_LARGE_PAGES
    assert large_pages(ON_LARGE_PAGES, kernel) == {}  # after the exec
    kernel.write_text("always madvise [never]\n")
    assert large_pages({}, kernel) == {}
    assert large_pages({}, kernel.with_name("another system")) == {}


@pytest.mark.parametrize("set_by_the_operator", ["PYTHONMALLOC", "GLIBC_TUNABLES"])
def test_an_operator_who_chose_an_allocator_keeps_it(kernel: Path, set_by_the_operator: str):
    assert large_pages({set_by_the_operator: "whatever"}, kernel) == {}


@pytest.mark.parametrize("libc", ["glibc 2.34", "", None])
def test_an_older_or_other_c_library_is_left_alone(
    kernel: Path, monkeypatch: pytest.MonkeyPatch, libc: str | None
):
    monkeypatch.setattr(memory.os, "confstr", lambda _: libc)
    assert large_pages({}, kernel) == {}


class Replaced(Exception):
    """In this place the process would have become another."""


def test_a_feed_begins_anew_on_large_pages_and_nothing_else_does(
    kernel: Path, monkeypatch: pytest.MonkeyPatch
):
    def become(python: str, words: list[str], environment: dict[str, str]) -> None:
        assert python == words[0]
        raise Replaced(words[1:], {name: environment.get(name) for name in ON_LARGE_PAGES})

    monkeypatch.setattr(memory, "large_pages", lambda environment: large_pages(environment, kernel))
    monkeypatch.setattr(memory.os, "execve", become)
    monkeypatch.setattr(door.sys, "argv", ["manage.py", "run_feed"])
    for name in ON_LARGE_PAGES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Replaced) as replaced:
        door._django(["run_feed", "--world", "seeded"])
    assert replaced.value.args == (["manage.py", "run_feed", "--world", "seeded"], ON_LARGE_PAGES)
    with pytest.raises(SystemExit):  # Django's own end after a command's help
        door._django(["run_feed", "--help"])
    assert door._django(["check"]) == 0
