from django.urls import path

from ops import health, metrics, pages

urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("status/", pages.status, name="status"),
    path("api/", pages.api, name="api"),
    path("metrics", metrics.metrics),
]
