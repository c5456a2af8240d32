"""What verify asks about safety finds what is there, and says so when it cannot look."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from simgame import env
from simgame.bootstrap import security


def test_a_secret_in_the_repository_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "BASE_DIR", tmp_path)
    (tmp_path / "plain.py").write_text("greeting = 'hello'\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert security.secrets() == []
    (tmp_path / "deploy.py").write_text(f"key = 'AKIA{'IOSFODNN7' + 'EXAMPLQ'}'\n", encoding="utf-8")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    assert security.secrets() == ["deploy.py:1: AWS Access Key"]


def test_without_a_network_it_says_that_nobody_was_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))
    audit = security.packages()
    assert audit.holes == []
    assert "pypi" in audit.why
