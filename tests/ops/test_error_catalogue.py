"""The catalogue of errors in docs/ is the one in the code."""

from __future__ import annotations

from django.core.management import call_command

from ops import error_catalogue
from simgame.kernel.errors import catalogue


def test_the_written_catalogue_is_current() -> None:
    call_command("error_catalogue", "--check")


def test_no_two_refusals_share_a_code() -> None:
    error_catalogue.page()
    said: dict[str, str] = {}
    for cls in catalogue():
        if "code" in vars(cls) and not cls.__module__.startswith("tests"):
            assert said.setdefault(cls.code, cls.__qualname__) == cls.__qualname__


def test_every_refusal_can_be_acted_on() -> None:
    error_catalogue.page()
    for cls in catalogue():
        assert cls.code.isupper(), cls
        assert 400 <= cls.status < 600, cls
        assert cls.title, cls
        assert not cls.title.endswith("."), cls
