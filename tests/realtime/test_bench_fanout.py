"""The bench runs, with real processes, and says what it promises to say."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize("server", ["uvicorn", "daphne"])
def test_the_bench_of_the_fanout_reports_both_sides(server: str, capsys: pytest.CaptureFixture[str]):
    call_command("bench", "fanout", "--format=json", "--sockets=5", "--seconds=0.5", f"--server={server}")
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["bench"] == "fanout"
    assert report["machine"]["cores"] >= 1
    assert report["peer"]["name"] == "channels group_send"
    for side in (report["ours"], report["peer"]):
        assert side["frames_per_s"] > 0
        assert 0 < side["p50_ms"] <= side["p99_ms"]
        assert side["errors"] == 0
    assert report["ratio"] == pytest.approx(
        report["ours"]["frames_per_s"] / report["peer"]["frames_per_s"], abs=0.01
    )
    assert "frames/s" in said.err


@pytest.mark.parametrize("hard", ["--storm", "--slow=3", "--interval-ms=50"])
def test_the_hard_evenings_run_on_both_servers(hard: str, capsys: pytest.CaptureFixture[str]):
    call_command("bench", "fanout", "--format=json", "--sockets=5", "--seconds=0.3", "--server=both", hard)
    report = json.loads(capsys.readouterr().out)
    assert [side["server"] for side in report["servers"]] == ["uvicorn", "daphne"]
    for side in report["servers"]:
        assert side.get("frames_per_s", side.get("after_frames_per_s")) > 0
        assert side.get("errors", side.get("after_errors")) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        "--sockets=0",
        "--sockets=1.5",
        "--seconds=-1",
        "--seconds=nan",
        "--server=apache",
        "--slow=0",
        "--interval-ms=x",
    ],
)
def test_it_refuses_what_cannot_be_measured(wrong: str):
    with pytest.raises(CommandError):
        call_command("bench", "fanout", wrong)
