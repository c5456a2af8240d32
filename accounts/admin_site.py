"""The admin, with every act on record: whatever model is registered, by whichever app.

The site wraps each admin class, so none can forget it. Each addition, change and deletion is an entry with
the fields before and after; each action that was started is one with what was chosen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts import audit

SECRET: Final = frozenset(
    {"password", "secret_hash", "token_hash", "session_key", "data", "secret", "key_hash"}
)
HIDDEN: Final = "(not shown)"
CHOSEN_MAX: Final = 200  # ids written down of one action
CHARS_MAX: Final = 2_000  # of one value: an entry is a record, not a backup
_plain = DjangoJSONEncoder().default


def values(row: Model) -> dict[str, Any]:
    """Every field of a row as JSON values; secrets are not among them."""
    own = {
        field.attname: plain(field.attname, getattr(row, field.attname))
        for field in row._meta.concrete_fields
    }
    if row.pk is None:
        return own
    many = {field.name: field for field in row._meta.many_to_many}
    return own | {
        name: sorted(str(pk) for pk in getattr(row, name).values_list("pk", flat=True)) for name in many
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    changed = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in changed}, {name: after[name] for name in changed}


def plain(name: str, value: Any) -> Any:
    """A field as a JSON value, cut to CHARS_MAX; that of a secret is not shown."""
    if name in SECRET and value:
        return HIDDEN
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()[:CHARS_MAX]
    if isinstance(value, str):
        return value[:CHARS_MAX]
    if value is None or isinstance(value, bool | int | float | list | dict):
        return value
    try:
        return _plain(value)
    except TypeError:
        return str(value)[:CHARS_MAX]


class Audited(admin.ModelAdmin):
    """In front of every admin class that is registered."""

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        stored = type(obj)._base_manager.filter(pk=obj.pk).first() if change else None
        obj._audit_before = values(stored) if stored else {}  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._note(request, "add", obj, None, values(obj), message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        before = getattr(obj, "_audit_before", None)
        change = difference(before, values(obj)) if before is not None else (None, None)
        self._note(request, "change", obj, *change, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> Any:
        for obj in queryset:
            self._note(request, "delete", obj, values(obj), None, "")
        return super().log_deletions(request, queryset)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        chosen = request.POST.getlist("_selected_action")[:CHOSEN_MAX]
        name = ([name for name in request.POST.getlist("action") if name] or [""])[0][:60]
        everything = request.POST.get("select_across") == "1"
        if name and (chosen or everything):
            audit.record(request.user.pk, "admin.action", self.opts.label_lower, name=name, chosen=chosen,
                         everything=everything)  # fmt: skip
        return super().response_action(request, queryset)

    def _note(
        self, request: HttpRequest, what: str, obj: Model, before: Any, after: Any, message: Any
    ) -> None:
        subject = f"{obj._meta.label_lower} {obj.pk}"
        audit.record(
            request.user.pk,
            f"admin.{what}",
            subject,
            change=(before, after),
            shown=str(obj)[:120],
            message=message,
        )


class AuditedSite(admin.AdminSite):
    site_header = site_title = "SimGame"
    index_title = "Running the game"

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """By our own page, which asks for the second factor; who is no staff is told so."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        to = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index", current_app=self.name)
        return redirect_to_login(to, settings.LOGIN_URL)

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        bare = cast(type[admin.ModelAdmin], admin_class or admin.ModelAdmin)
        super().register(model_or_iterable, type(bare.__name__, (Audited, bare), {}), **options)
