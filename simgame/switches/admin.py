"""Switches in the admin: each value with its meaning; what was changed when, and by whom."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from simgame.kernel.errors import SimGameError
from simgame.switches import runtime
from simgame.switches.declared import SWITCHES
from simgame.switches.models import Switch, SwitchChange


class SwitchForm(forms.ModelForm):
    key = forms.ChoiceField(choices=[(key, f"{key}: {said.meaning}") for key, said in SWITCHES.items()])

    world = forms.SlugField(required=False, help_text="for this world alone, where the switch allows it")

    class Meta:
        model = Switch
        fields = ["key", "value"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("world") and "key" in cleaned:
            cleaned["key"] = f"{cleaned['key']}@{cleaned['world']}"
        if "value" in cleaned:
            try:
                runtime.checked(cleaned.get("key", self.instance.key), cleaned["value"])
            except SimGameError as refusal:
                raise forms.ValidationError({"value": refusal.detail}) from None
        return cleaned


@admin.register(Switch)
class SwitchAdmin(admin.ModelAdmin):
    form = SwitchForm
    list_display = ["key", "value", "meaning", "updated_by", "updated_at"]

    @admin.display
    def meaning(self, switch: Switch) -> str:
        said = SWITCHES.get(runtime.base_of(switch.key))
        return said.meaning if said else "not known to this version"

    def get_fields(self, request: HttpRequest, obj: Switch | None = None) -> list[str]:
        return ["key", "value"] if obj else ["key", "world", "value"]

    def get_readonly_fields(self, request: HttpRequest, obj: Switch | None = None) -> list[str]:
        return ["key"] if obj else []

    def save_model(self, request: HttpRequest, obj: Switch, form: Any, change: bool) -> None:
        runtime.set_value(obj.key, obj.value, request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: Switch) -> None:
        runtime.clear(obj.key, request.user.get_username())

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for switch in queryset:
            runtime.clear(switch.key, request.user.get_username())


@admin.register(SwitchChange)
class SwitchChangeAdmin(admin.ModelAdmin):
    list_display = ["at", "key", "old", "new", "by"]
    list_filter = ["key"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
