"""Every address of trading: pages and API."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("trading.page_urls")),
]
