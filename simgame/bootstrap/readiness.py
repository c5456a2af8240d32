"""Has the game begun to work? Asks `/readyz` once a tick until it says yes."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable

ASK_TIMEOUT_S = 2.0
DELAY_S = 45.0  # then a person is told what is missing, once per this time


class Readiness:
    def __init__(
        self, host: str, port: int, *, on_ready: Callable[[], None], on_delay: Callable[[str], None]
    ):
        self.host, self.port = host, port
        self.on_ready, self.on_delay = on_ready, on_delay
        self.ready = False
        self._tell_at = time.monotonic() + DELAY_S

    def look(self) -> None:
        if self.ready:
            return
        missing = self._missing()
        if missing is None:
            self.ready = True
            self.on_ready()
        elif time.monotonic() > self._tell_at:
            self._tell_at += DELAY_S
            self.on_delay(f"Not ready yet: {missing}")

    def _missing(self) -> str | None:
        """None when everything works, else what does not."""
        status, body = self._get("/readyz")
        if status == http.client.NOT_FOUND:  # an older web process: at least it lives
            status, body = self._get("/livez")
        return None if status == http.client.OK else body

    def _get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=ASK_TIMEOUT_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read(2000).decode("utf-8", "replace").strip()
        except (OSError, http.client.HTTPException) as error:
            return 0, f"the web process does not answer ({type(error).__name__})"
        finally:
            connection.close()
