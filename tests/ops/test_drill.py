"""`manage.py drill`: what it prints, and how it ends."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from ops.drills import engine
from ops.drills.duel import Differ


def test_two_engines_over_a_range_of_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--commands", "3000", "--seed", "range", "--first", "7", "--format", "json")
    call_command("drill", "engine", *arguments)
    report = json.loads(capsys.readouterr().out)
    assert (report["first"], report["next"], report["commands"]) == (7, 10, 3_000)
    assert report["difference"] is None


def test_a_difference_ends_it_and_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Differ(40, "a command", "fills: engine [1], naive [2]", 5)
    monkeypatch.setattr(engine, "_duels", lambda *_: iter([(1_000, 9), found]))
    with pytest.raises(SystemExit) as ended:
        call_command("drill", "engine", "--commands", "2000")
    assert ended.value.code == 3
    said = capsys.readouterr().out
    assert "DIFFERENCE" in said
    assert "naive [2]" in said


def test_no_commands_are_refused() -> None:
    with pytest.raises(CommandError, match="At least one"):
        call_command("drill", "engine", "--commands", "0")
