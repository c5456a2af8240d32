"""WebSocket addresses of this room, for the `URLRouter` in the roof."""

from __future__ import annotations

from django.urls import path, re_path

from realtime.consumers import NewsConsumer, NowhereConsumer

websocket_urlpatterns = [path("ws/v1", NewsConsumer.as_asgi())]
nowhere = re_path("", NowhereConsumer.as_asgi())  # the roof puts it last
