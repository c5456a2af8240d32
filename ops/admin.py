"""Background work that failed: look, try again, or set aside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ops import dead_letters
from ops.models import DeadLetter
from simgame.kernel.errors import SimGameError


@admin.register(DeadLetter)
class DeadLetterAdmin(admin.ModelAdmin):
    list_display = ["task", "args", "error", "times", "first_at", "last_at", "state", "settled_by"]
    list_filter = ["state", "task", "last_at"]
    list_select_related = ["settled_by"]
    search_fields = ["task", "error"]
    ordering = ["-last_at"]
    show_full_result_count = False
    actions = ["retry", "set_aside"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("ops.change_deadletter"))

    @admin.action(permissions=["settle"], description="Try again (asks first)")
    def retry(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponse | None:
        return self._settled(request, chosen, "retry", "Try again?", dead_letters.retry)

    @admin.action(permissions=["settle"], description="Set aside (asks first)")
    def set_aside(self, request: HttpRequest, chosen: QuerySet[DeadLetter]) -> HttpResponse | None:
        return self._settled(request, chosen, "set_aside", "Set aside?", dead_letters.set_aside)

    def _settled(
        self,
        request: HttpRequest,
        chosen: QuerySet[DeadLetter],
        action: str,
        title: str,
        does: Callable[[int, int], None],
    ) -> HttpResponse | None:
        if request.POST.get("sure") != "yes":
            context: dict[str, Any] = {**self.admin_site.each_context(request), "title": title}
            return TemplateResponse(
                request, "ops/settle.html", context | {"chosen": chosen, "action": action}
            )
        for letter in chosen:
            try:
                does(letter.pk, request.user.pk)
            except SimGameError as refusal:
                messages.error(request, f"{letter}: {refusal.detail}")
            else:
                messages.success(request, f"{letter}: done.")
        return None
