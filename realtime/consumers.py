"""The door `/ws/v1`. Thin: no channel layer and no task per message, because a frame costs more in
them than in the network."""

from __future__ import annotations

from typing import Any

from channels.consumer import AsyncConsumer
from django.conf import settings

from realtime.connection import Socket
from realtime.hub import here


class NewsConsumer(AsyncConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await Socket(await here(settings.REDIS_URL), scope, receive, send).run()
