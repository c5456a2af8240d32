"""What admins see of the books: all of it, and change none of it by hand.

Money moves only by commands to the exchange; these pages read.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest

from trading.invariants import breaks
from trading.models import Break, Fill, Game, Order, Portfolio, Reconciliation, Transfer


class ReadOnly(admin.ModelAdmin):
    """A table that the exchange writes."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Game)
class GameAdmin(admin.ModelAdmin):
    list_display = ["name", "world", "season", "status", "currency", "portfolio_kind", "starts_at", "ends_at"]
    list_filter = ["status", "season", "world"]
    search_fields = ["name", "slug"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # What portfolios were opened with must not change under them.
        margin = ["portfolio_kind", "leverage", "shorts_allowed", "interest_ppb", "margin_call_s"]
        return ["world", "currency", "start_cash", "slug", "season", *margin] if obj else []


@admin.register(Portfolio)
class PortfolioAdmin(ReadOnly):
    list_display = ["id", "player", "game", "kind", "status", "created_at"]
    list_filter = ["status", "kind", "game"]
    search_fields = ["player__username"]


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = [
        "id",
        "portfolio_id",
        "symbol",
        "side",
        "type",
        "qty",
        "filled_qty",
        "status",
        "submitted_at",
    ]
    list_filter = ["status", "side", "type"]
    search_fields = ["=id", "=client_order_id", "=symbol"]


@admin.register(Fill)
class FillAdmin(ReadOnly):
    list_display = ["id", "portfolio_id", "symbol", "side", "price", "qty", "fee", "against", "at"]
    list_filter = ["side", "against"]
    search_fields = ["=order__id", "=symbol"]


@admin.register(Transfer)
class TransferAdmin(ReadOnly):
    list_display = ["id", "code", "debit_account", "credit_account", "asset", "amount", "fill_id", "reverses"]
    list_filter = ["code", "asset"]
    search_fields = ["=debit_account", "=credit_account", "=fill_id"]


class BreakInline(admin.TabularInline):
    model = Break
    extra = 0
    can_delete = False
    fields = readonly_fields = ["invariant", "subject", "evidence", "state"]
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnly):
    list_display = ["started_at", "world", "kind", "since_seq", "until_seq", "finished_at", "breaks"]
    list_filter = ["kind", "world"]
    inlines = [BreakInline]


class ExplanationForm(forms.ModelForm):
    class Meta:
        model = Break
        fields = ["explanation"]
        help_texts = {
            "explanation": "What it was and what was done about it. Saving releases the freeze where no "
            "other break is open; nothing in the books changes."
        }

    def __init__(self, *args: Any, **values: Any):
        super().__init__(*args, **values)
        self.fields["explanation"].required = True


@admin.register(Break)
class BreakAdmin(ReadOnly):
    """Evidence stays as it was found; all that a person can do is to explain it, which releases."""

    form = ExplanationForm
    list_display = ["found_at", "world", "invariant", "subject", "state", "frozen_at", "seen_at"]
    list_filter = ["state", "invariant", "world"]
    ordering = ["-id"]
    readonly_fields = [
        *("world", "invariant", "subject", "evidence", "query", "seq", "digest", "portfolios", "state"),
        *("found_at", "seen_at", "frozen_at", "explained_by", "explained_at"),
    ]
    fields = [*readonly_fields, "explanation"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Break, form: forms.ModelForm, change: bool) -> None:
        said = breaks.explain(obj, request.user.get_username(), form.cleaned_data["explanation"])
        messages.info(request, said)
