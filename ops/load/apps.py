"""In the web workers of `bench cost` alone: leaves out what cost_settings does not leave out by itself."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.conf import settings


class CostConfig(AppConfig):
    name = "ops.load"
    label = "bench_cost"

    def ready(self) -> None:
        if "auth" in settings.WITHOUT:
            import_module("ops.load.cost_trust").believe_orders()
        if "memory" in settings.WITHOUT:
            import_module("accounts.logins").recent.ttl_s = 0.0
