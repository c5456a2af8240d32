"""`manage.py drill`: what it prints, and how it ends."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from ops.drills import engine
from ops.drills.duel import Differ
from simgame import children
from tests.live import wait_until


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


@pytest.mark.skipif(not children.KERNEL_BINDS, reason="only Linux binds children to their parent")
def test_who_ends_a_long_drill_ends_its_processes() -> None:
    command = [sys.executable, "manage.py", "drill", "engine", "--commands", "5000000", "--processes", "2"]
    drill = children.spawn(command, cwd=settings.BASE_DIR)
    try:
        workers = wait_until(lambda: _fighting(drill.pid), "two processes that fight")
        drill.send_signal(signal.SIGTERM)
        assert drill.wait() == -signal.SIGTERM
        assert wait_until(lambda: not any(map(_lives, workers)), "their end")
    finally:
        children.signal_group(drill, signal.SIGKILL)
        drill.wait()


def _fighting(parent: int) -> list[int]:
    """Both processes of the pool, without multiprocessing's own; [] before they are there."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    fighting = [int(pid) for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return fighting if len(fighting) == 2 else []


def _lives(pid: int) -> bool:
    """A zombie has no command line."""
    line = Path(f"/proc/{pid}/cmdline")
    return line.exists() and line.read_bytes() != b""


def test_no_commands_are_refused() -> None:
    with pytest.raises(CommandError, match="At least one"):
        call_command("drill", "engine", "--commands", "0")
