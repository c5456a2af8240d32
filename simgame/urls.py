"""Where requests go. Each room's `urls.py` holds full paths; the roof only joins them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from simgame.asyncapi import asyncapi

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/asyncapi.json", asyncapi),
    path("", include("accounts.urls")),
    path("", include("ops.urls")),
    path("", include("market.urls")),
    path("", include("trading.urls")),
]

handler400 = "simgame.problem.bad_request"
handler403 = "simgame.problem.permission_denied"
handler404 = "simgame.problem.not_found"
handler500 = "simgame.problem.server_error"
