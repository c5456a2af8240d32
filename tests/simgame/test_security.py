"""As it is run in public: nothing for `check --deploy` to say, nothing secret told, no body without end."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.http import HttpRequest
from django.test import Client
from django.urls import path

from simgame import bodies
from simgame.asgi import application

PASSWORD, TOKEN = "correct horse battery", "eyJhbGciOi.secret.token"


def fails(request: HttpRequest) -> NoReturn:
    secret = request.POST["password"]
    raise RuntimeError(f"a fault while {len(secret)} characters were looked at")


urlpatterns = [path("api/v1/fails", fails), path("fails/", fails)]


def test_a_deployment_behind_https_has_nothing_to_be_warned_of(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("k7-" + "abcdefghij0123456789" * 3 + "\n", encoding="ascii")
    public = {
        "SIMGAME_SECURE": "1",
        "SIMGAME_SECRET_KEY_FILE": str(key),
        "SIMGAME_ALLOWED_HOSTS": "game.example",
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "INFO"],
        cwd=settings.BASE_DIR,
        env=os.environ
        | public
        | {"SIMGAME_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "simgame.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "keys" / "secret_key").exists(), "the key came from the file"


@pytest.mark.django_db
def test_pages_may_run_our_scripts_and_nothing_else() -> None:
    policy = Client().get("/login/")["Content-Security-Policy"]
    rules = {name: words for name, *words in (rule.split() for rule in policy.split(";") if rule.strip())}
    assert not {word for words in rules.values() for word in words} & {
        "*",
        "'unsafe-inline'",
        "'unsafe-eval'",
    }
    assert rules["connect-src"] == rules["default-src"] == ["'self'"]
    assert rules["object-src"] == rules["frame-ancestors"] == rules["base-uri"] == ["'none'"]


@pytest.mark.django_db
@pytest.mark.urls(__name__)
@pytest.mark.parametrize("url", ["/api/v1/fails", "/fails/"])
def test_a_fault_tells_no_secret_to_the_caller_or_the_log(url: str, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {TOKEN}"})
    client.cookies["sessionid"] = TOKEN
    with caplog.at_level(logging.DEBUG):
        answer = client.post(url, {"password": PASSWORD})
    assert answer.status_code == 500
    said = answer.content.decode() + "".join(_line(record) for record in caplog.records)
    assert "a fault while" in said, "the log has what happened"
    assert "a fault while" not in answer.content.decode()
    assert PASSWORD not in said
    assert TOKEN not in said


def _line(record: logging.LogRecord) -> str:
    return logging.Formatter().format(record)


@pytest.mark.asyncio
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_without_end_is_refused_before_it_is_kept(announced: bool) -> None:
    part = b"x" * 300_000
    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=x")]
    headers += [(b"content-length", b"9000000000")] if announced else []
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/login/", "query_string": b""}
    scope |= {"asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "raw_path": b"/login/"}
    scope |= {"root_path": "", "headers": headers, "server": ("localhost", 80), "client": ("127.0.0.1", 5)}
    talk = ApplicationCommunicator(application, scope)
    for _ in range(0 if announced else bodies.BYTES_MAX // len(part) + 1):
        await talk.send_input({"type": "http.request", "body": part, "more_body": True})
    assert (await talk.receive_output(10))["status"] == 413
