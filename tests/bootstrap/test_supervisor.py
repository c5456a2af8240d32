"""The supervisor labels, heals, gives up and leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Sequence

import pytest

from simgame import env, supervisor
from simgame.logline import readable
from simgame.supervisor import GaveUp, Supervisor

from .processes import is_running, python, said, wait_until

PATIENT = "import time\nprint('up', flush=True)\ntime.sleep(60)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PATIENT
PARENT = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print('child', child.pid, flush=True)\nchild.wait()"
)


def supervise(programs: dict[str, str], on_tick: Callable[[Supervisor, str], bool]) -> str:
    """Run until `on_tick` says it has seen enough. What was printed."""
    commands: dict[str, Sequence[str]] = {
        name: [sys.executable, "-c", code] for name, code in programs.items()
    }
    output = io.StringIO()
    game = Supervisor(commands, environment=dict(os.environ), folder=env.BASE_DIR, output=output)

    def look() -> None:
        if on_tick(game, output.getvalue()):
            os.kill(os.getpid(), signal.SIGTERM)

    game.run(look)
    return output.getvalue()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "TICK_S", 0.05)
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.01,))


def test_every_line_carries_the_name_of_who_said_it():
    seen = supervise(
        {"feed": "print('one\\ntwo', flush=True)\n" + PATIENT, "exchange": PATIENT},
        lambda game, text: text.count("up") == 2,
    )
    assert set(seen.splitlines()) == {"feed     │ one", "feed     │ two", "feed     │ up", "exchange │ up"}


def test_a_killed_process_starts_again():
    killed = []

    def kill_once(game: Supervisor, text: str) -> bool:
        process = game.children[0].process
        if "up" in text and not killed and process:
            killed.append(process.pid)
            process.kill()
        return text.count("up") == 2

    seen = supervise({"feed": PATIENT}, kill_once)
    assert "play │ feed ended (killed by SIGKILL); it starts again in 0.01 s." in seen


def test_what_a_dead_process_had_started_dies_too():
    pids: list[int] = []

    def kill_parent(game: Supervisor, text: str) -> bool:
        lines = [line for line in text.splitlines() if "child" in line]
        pids[:] = [int(line.split()[-1]) for line in lines]
        process = game.children[0].process
        if len(lines) == 1 and process and not game.children[0].deaths:
            process.kill()
        return len(lines) == 2

    supervise({"web": PARENT}, kill_parent)
    assert len(pids) == 2
    wait_until(lambda: not any(map(is_running, pids)), "the grandchildren to end")


def test_it_gives_up_on_a_process_that_cannot_live():
    with pytest.raises(GaveUp, match=r"web ended 5 times within 30 s \(exit code 3\)"):
        supervise({"feed": PATIENT, "web": "raise SystemExit(3)"}, lambda game, text: False)


def test_one_that_does_not_want_to_end_is_killed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor, "STOP_S", 0.2)
    seen = supervise({"web": STUBBORN}, lambda game, text: "up" in text)
    assert "web did not end in time and is killed." in seen


def test_they_stop_in_reverse_order():
    polite = (
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit()))\n" + PATIENT
    )
    seen = supervise(
        dict.fromkeys(("first", "second", "third"), polite), lambda game, text: text.count("up") == 3
    )
    assert [line.split()[0] for line in seen.splitlines() if "bye" in line] == ["third", "second", "first"]


def test_nothing_is_left_when_the_supervisor_itself_is_killed():
    program = f"""
import os, sys
from pathlib import Path
from simgame.supervisor import Supervisor
code = {PATIENT!r}
game = Supervisor({{"a": [sys.executable, "-c", code], "b": [sys.executable, "-c", code]}},
                  environment=dict(os.environ), folder=Path.cwd(), output=sys.stderr)
told = []
def tell():
    if not told:
        told.append(print(*[child.process.pid for child in game.children]))
game.run(tell)
"""
    owner = python(program)
    pids = [int(word) for word in said(owner).split()]
    owner.kill()
    owner.communicate()
    wait_until(lambda: not any(map(is_running, pids)), "its children to end")


def test_beat_does_not_outlive_a_worker_that_was_killed_while_beat_began():
    program = """
import os, time
from simgame import celery
worker = os.getpid()
if os.fork():
    time.sleep(60)
print(os.getpid(), flush=True)
while os.getppid() == worker:
    time.sleep(0.01)
celery.die_with_the_worker()
time.sleep(60)
"""
    worker = python(program)
    beat = int(said(worker))
    worker.kill()
    wait_until(lambda: not is_running(beat), "beat to end")
    worker.communicate()


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('{"ts":"t","level":"info","event":"feed_up","world":"seeded","n":2}', "feed_up world=seeded n=2"),
        ('{"level":"error","event":"lost","exception":"Traceback: x"}', "ERROR lost\nTraceback: x"),
        ("plain words", "plain words"),
        ('{"torn', '{"torn'),
        ('{"no": "event"}', '{"no": "event"}'),
    ],
)
def test_on_a_terminal_a_log_line_is_readable(line: str, read: str):
    assert readable(line) == read
