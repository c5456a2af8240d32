"""Where requests go. Each room's `urls.py` holds full paths; the roof only joins them."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

ROOMS = [room for room in ("ops", "market", "trading") if find_spec(f"{room}.urls")]

urlpatterns = [
    path("admin/", admin.site.urls),
    *(path("", include(f"{room}.urls")) for room in ROOMS),
]

handler400 = "simgame.problem.bad_request"
handler403 = "simgame.problem.permission_denied"
handler404 = "simgame.problem.not_found"
handler500 = "simgame.problem.server_error"
