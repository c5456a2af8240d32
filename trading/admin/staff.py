"""What staff do: propose and approve repairs, announce corporate actions, halt instruments.

Every button is one call of a verb; nothing here writes to the books.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts import audit
from market.models import CorporateAction, World
from simgame.kernel.errors import SimGameError
from trading import corporate, halts, repair_pages, scenarios, shown
from trading.admin.books import ReadOnly
from trading.models import AppliedAction, Listing, Proposal


@admin.register(Proposal)
class ProposalAdmin(ReadOnly):
    list_display = ["id", "kind", "world", "status", "reason", "proposed_by", "approved_by", "applied_at"]
    list_filter = ["status", "kind", "world"]
    list_select_related = ["world", "proposed_by", "approved_by"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.add_proposal")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Who proposes or approves must read; the pages show what players have."""
        acts = [f"trading.{act}_proposal" for act in ("add", "approve")]
        return super().has_view_permission(request, obj) or any(map(request.user.has_perm, acts))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return repair_pages.propose(request, self.admin_site.each_context(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return repair_pages.proposal(request, self.admin_site.each_context(request), object_id)


@admin.register(CorporateAction)
class CorporateActionAdmin(admin.ModelAdmin):
    list_display = ["key", "world", "instrument", "kind", "told_terms", "ex_on", "told_status"]
    list_filter = ["kind", "world", "withdrawn"]
    list_select_related = ["world", "instrument", "into"]
    search_fields = ["key", "instrument__symbol"]
    autocomplete_fields = ["instrument", "into"]
    exclude = ["withdrawn"]
    change_form_template = "trading/corporate_action_form.html"
    actions = ["apply_now", "withdraw"]

    @admin.display(description="terms")
    def told_terms(self, row: CorporateAction) -> str:
        return shown.terms(row)

    @admin.display(description="status")
    def told_status(self, row: CorporateAction) -> str:
        return corporate.status_of(row)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """What was applied stays as it was announced."""
        applied = isinstance(obj, CorporateAction) and corporate.status_of(obj) in AppliedAction.Status.values
        return not applied and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: CorporateAction, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        what = "action.change" if change else "action.announce"
        audit.record(request.user.pk, what, f"{obj.world.slug} {obj.key}", kind=obj.kind)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        seen = repair_pages.action_preview(object_id) if request.method == "GET" else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **seen})

    @admin.action(permissions=["change"], description="Apply now")
    def apply_now(self, request: HttpRequest, chosen: QuerySet[CorporateAction]) -> None:
        for row in chosen:
            self._try(request, row, lambda row=row: corporate.apply(row, by=request.user.pk))

    @admin.action(permissions=["change"], description="Withdraw the announcement")
    def withdraw(self, request: HttpRequest, chosen: QuerySet[CorporateAction]) -> None:
        for row in chosen:
            self._try(request, row, lambda row=row: corporate.withdraw(row, by=request.user.pk))

    def _try(self, request: HttpRequest, row: CorporateAction, does: Any) -> None:
        try:
            does()
            messages.success(request, f"{row.key} is {corporate.status_of(row)}.")
        except SimGameError as refusal:
            messages.error(request, f"{row.key}: {refusal.detail}")


def _scenario_action(kind: str) -> Any:
    """A button that plays a scenario in the chosen instruments."""

    @admin.action(permissions=["scenario"], description=f"Scenario: {kind} (usual size and length)")
    def action(page: ListingAdmin, request: HttpRequest, chosen: QuerySet[Listing]) -> None:
        page._scenario(request, chosen, kind)

    return action


@admin.register(Listing)
class ListingAdmin(ReadOnly):
    list_display = ["symbol", "name", "world", "halted", "halt_reason", "tradable"]
    list_filter = ["world", "halted"]
    list_select_related = ["world"]
    search_fields = ["symbol", "name", "name_zh"]
    actions = ["halt", "resume", *(f"scenario_{kind}" for kind in scenarios.KINDS)]

    def has_halt_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.change_listing")

    @admin.action(permissions=["halt"], description="Halt (asks why)")
    def halt(self, request: HttpRequest, chosen: QuerySet[Listing]) -> HttpResponse | None:
        if "reason" not in request.POST:
            context = {**self.admin_site.each_context(request), "title": "Halt trading?", "chosen": chosen}
            return TemplateResponse(request, "trading/halt.html", context)
        for row in chosen:
            self._try(request, row, lambda row=row: halts.halt(
                row.world, row.symbol, request.POST["reason"], by=request.user.pk))  # fmt: skip
        return None

    @admin.action(permissions=["halt"], description="Resume")
    def resume(self, request: HttpRequest, chosen: QuerySet[Listing]) -> None:
        for row in chosen:
            self._try(request, row, lambda row=row: halts.resume(row.world, row.symbol, by=request.user.pk))

    scenario_crash = _scenario_action("crash")
    scenario_squeeze = _scenario_action("squeeze")
    scenario_drought = _scenario_action("drought")
    scenario_news = _scenario_action("news")
    scenario_halt = _scenario_action("halt")

    def has_scenario_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("trading.change_listing")

    def _scenario(self, request: HttpRequest, chosen: QuerySet[Listing], kind: str) -> None:
        """One event per world, at its usual size and length."""
        by_world: dict[World, list[Listing]] = {}
        for row in chosen:
            by_world.setdefault(row.world, []).append(row)
        for world, rows in by_world.items():
            symbols = [row.symbol for row in rows]
            self._try(request, rows[0], lambda world=world, symbols=symbols: scenarios.play(
                world, kind, symbols=symbols, by=request.user.pk))  # fmt: skip

    def _try(self, request: HttpRequest, row: Listing, does: Any) -> None:
        try:
            does()
            messages.success(request, f"{row.symbol}: done.")
        except SimGameError as refusal:
            messages.error(request, f"{row.symbol}: {refusal.detail}")
