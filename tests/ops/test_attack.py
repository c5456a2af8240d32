"""The quick ones of `manage.py attack`, against a web server of this test run; and that a breach is told."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import global_settings
from django.core.management import CommandError, call_command

from market.models import World
from ops.attack import run
from ops.attack.stage import Stage
from ops.attack.tally import ATTACKS, Attack, Tally
from simgame import env
from tests.api.conftest import board
from tests.exchange.conftest import exchange, feed, world
from tests.exchange.street import wait_for

__all__ = ["board", "exchange", "feed", "world"]

QUICK = ("S1", "S4", "S5", "S10", "S12", "S13", "S22", "S24")
RATES = ("SIMGAME_ORDER_RATE", "SIMGAME_REQUEST_RATE", "SIMGAME_ADDRESS_RATE")


@pytest.fixture
def stage(
    exchange: Any, board: None, world: World, child_env: dict[str, str], settings: Any
) -> Iterator[Stage]:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS  # the server's
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **child_env,
        **dict.fromkeys(RATES, "1000000"),
        "SIMGAME_WORLD": world.slug,
        "SIMGAME_LOG_LEVEL": "ERROR",
    }
    web = subprocess.Popen(
        [sys.executable, "-m", "simgame.web", "--port", str(port)], cwd=env.BASE_DIR, env=environment
    )
    try:
        wait_for(lambda: _listens(port), "the web server")
        yield Stage(port, world, full=False, rounds=2, seed=1)
    finally:
        web.terminate()
        web.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_the_quick_attacks_break_nothing(stage: Stage) -> None:
    report = run.carry_out(stage, QUICK, seed=1)
    assert [(each["number"], each["breaches"]) for each in report["attack"] if each["breaches"]] == []
    assert min(each["tried"] for each in report["attack"]) > 1
    assert report["tried"] > 1_000


def test_a_breach_is_told_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def breached(_: Stage, tally: Tally) -> None:
        tally.expect(False, "Bob read Alice's order")

    async def stumbles(_: Stage, tally: Tally) -> None:
        raise KeyError("orders")

    monkeypatch.setitem(ATTACKS, "S1", Attack("S1", "Nobody reads another's order.", breached))
    monkeypatch.setitem(ATTACKS, "S2", Attack("S2", "It runs.", stumbles))
    monkeypatch.setattr("ops.drills.private.move", lambda words: None)
    monkeypatch.setattr(
        run, "run", lambda chosen, **_: run.carry_out(SimpleNamespace(renew=lambda: None), chosen, 1)
    )  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as ended:
        call_command("attack", "--only", "S1,S2", "--format", "json")
    assert ended.value.code == 1
    first, second = json.loads(capsys.readouterr().out)["attack"]
    assert (first["verdict"], first["breaches"]) == ("BROKEN", ["Bob read Alice's order"])
    assert "KeyError" in second["breaches"][0]
    with pytest.raises(CommandError, match="no attack S99"):
        call_command("attack", "--only", "S99")


def test_an_attack_whose_time_is_over_has_not_passed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def endless(_: Stage, tally: Tally) -> None:
        tally.expect(True, "")
        await asyncio.Event().wait()

    monkeypatch.setitem(ATTACKS, "S1", Attack("S1", "It ends.", endless, limit_s=0.01))
    report = run.carry_out(SimpleNamespace(renew=lambda: None), ["S1"], 1)  # type: ignore[arg-type]
    assert (report["cut_short"], report["breaches"], report["tried"]) == (["S1"], 0, 1)
    monkeypatch.setattr("ops.drills.private.move", lambda words: None)
    monkeypatch.setattr(run, "run", lambda chosen, **_: report)
    with pytest.raises(SystemExit) as ended:
        call_command("attack", "--only", "S1")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "CUT SHORT" in said and "every claim held" not in said


def test_every_number_of_the_catalogue_has_its_claim() -> None:
    assert run.numbers() == [f"S{number}" for number in range(1, 28)]
    assert all(ATTACKS[number].claim.endswith(".") for number in run.numbers())
