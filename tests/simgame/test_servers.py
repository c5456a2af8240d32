"""The same application on both servers: it answers, and it ends when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from django.conf import settings

PATIENCE_S = 60
SERVERS = {
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "{port}", "simgame.asgi:application"],
    "uvicorn": ["uvicorn", "--host", "127.0.0.1", "--port", "{port}", "simgame.asgi:application"],
    "ours": ["simgame.web", "--host", "127.0.0.1", "--port", "{port}"],
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def asked(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, dict[str, object]]:
    """Waits for a server that is still starting."""
    request = Request(url, body, {"Content-Type": "application/json"}, method=method)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except HTTPError as refused:
            return refused.code, json.load(refused)
        except URLError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)


@pytest.mark.parametrize("server", SERVERS)
def test_it_serves_both_roads_and_stops_when_told(server: str, child_env: dict[str, str]) -> None:
    port = free_port()
    command = [word.format(port=port) for word in SERVERS[server]]
    child = subprocess.Popen([sys.executable, "-m", *command], cwd=settings.BASE_DIR, env=child_env)
    try:
        home = f"http://127.0.0.1:{port}"
        assert asked(f"{home}/api/v1/games") == (200, {"games": [], "next_page_token": None})
        status, refused = asked(f"{home}/v2/orders", "POST", b"{}")
        assert (status, refused["reason"]) == (401, "UNAUTHENTICATED")
        child.send_signal(signal.SIGTERM)
        child.wait(PATIENCE_S)
    finally:
        child.kill()
        child.wait()
    assert child.returncode in {0, -signal.SIGTERM}
