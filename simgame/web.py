"""The web server: uvicorn as it is meant to run here, with the straight road for orders.

    python -m simgame.web --host 127.0.0.1 --port 8000

`uvicorn simgame.asgi:application` and Daphne serve the same application without that road.
"""

from __future__ import annotations

from argparse import ArgumentParser

import uvicorn

from simgame import env
from simgame.asgi import application
from trading.gateway.straight import OrderProtocol

PORT = 8000
PROXIES = env.words("SIMGAME_PROXIES")  # whose X-Forwarded-For is believed; nobody's unless it is said


def main() -> None:
    parser = ArgumentParser(
        prog="python -m simgame.web", description="Serve the game over HTTP and WebSocket."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    asked = parser.parse_args()
    uvicorn.run(
        application,
        host=asked.host,
        port=asked.port,
        loop="uvloop",
        http=OrderProtocol,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        proxy_headers=bool(PROXIES),
        forwarded_allow_ips=PROXIES,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
