"""The door `/ws/v1`. Thin: no channel layer and no task per message, because a frame costs more in
them than in the network."""

from __future__ import annotations

from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings

from realtime.connection import Socket
from realtime.hub import here


class NewsConsumer(AsyncConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await Socket(await here(settings.REDIS_URL), scope, receive, send).run()


class NowhereConsumer(AsyncConsumer):
    """There is no socket at this address: the handshake is refused (403), which is no fault of ours."""

    async def websocket_connect(self, _message: Any) -> None:
        await self.send({"type": "websocket.close"})

    async def websocket_disconnect(self, _message: Any) -> None:
        raise StopConsumer
