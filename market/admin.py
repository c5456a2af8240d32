"""Admin pages of the market: to look at. What players trade on changes through commands only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from market.models import FeedLease, Instrument, Quarantined, World


class LookOnly(admin.ModelAdmin):
    """Rows that a process writes."""

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False


@admin.register(World)
class WorldAdmin(LookOnly):
    list_display = ["slug", "name", "kind", "currency", "rulebook", "timezone", "created_at"]
    list_filter = ["kind"]
    search_fields = ["slug", "name"]


@admin.register(Instrument)
class InstrumentAdmin(admin.ModelAdmin):
    """Names and sectors may be corrected; scales, steps and tradability are the world's own."""

    list_display = ["symbol", "name", "world", "kind", "board", "currency", "tradable", "halted"]
    list_filter = ["world", "kind", "board", "tradable", "halted"]
    search_fields = ["symbol", "name", "name_zh"]
    list_select_related = ["world"]
    fields = [
        "world",
        "symbol",
        "name",
        "name_zh",
        "sector",
        "kind",
        "board",
        "currency",
        "tradable",
        "halted",
    ]
    readonly_fields = ["world", "symbol", "kind", "board", "currency", "tradable", "halted"]

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, *_: Any) -> bool:
        return False


@admin.register(FeedLease)
class FeedLeaseAdmin(LookOnly):
    list_display = ["world", "epoch", "holder", "address", "beat_at", "paused", "speed"]
    list_select_related = ["world"]


@admin.register(Quarantined)
class QuarantinedAdmin(LookOnly):
    list_display = ["at", "world", "source", "reason"]
    list_filter = ["world", "reason", "source"]
    list_select_related = ["world"]
    show_full_result_count = False
