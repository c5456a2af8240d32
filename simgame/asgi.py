"""The roof over HTTP and WebSocket: wires the rooms together, decides nothing.

Daphne knows no lifespan: the hub and the exchange clients start at their first use. uvicorn's
lifespan closes them, so that sockets are told to come back.
"""

from __future__ import annotations

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "simgame.settings")
django_application = get_asgi_application()  # before anything that imports models

from django.conf import settings  # noqa: E402

from realtime import hub  # noqa: E402
from realtime.routing import nowhere, websocket_urlpatterns  # noqa: E402
from simgame.bodies import bounded  # noqa: E402
from simgame.kernel import collector, threads  # noqa: E402
from trading import alpaca_sockets, gateway, sockets  # noqa: E402

sockets.register_identities()
sockets.register_switches()
threads.hand_over_soon()

ordinary = bounded(django_application)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Orders take the hot road; everything else is ordinary Django."""
    application = gateway.application if gateway.matches(scope) else ordinary
    await application(scope, receive, send)


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """https://asgi.readthedocs.io/en/latest/specs/lifespan.html"""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await hub.here(settings.REDIS_URL)
            collector.set_aside()
            await send({"type": "lifespan.startup.complete"})
        else:
            await (await hub.here(settings.REDIS_URL)).stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": URLRouter([*websocket_urlpatterns, *alpaca_sockets.websocket_urlpatterns, nowhere]),
        "lifespan": lifespan,
    }
)
