"""Players, keys and logins for operators; what people did, to read only."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from accounts import exports, impersonation, keys, logins, players
from accounts.models import ApiKey, AuditEntry, Login, Player
from simgame.kernel.errors import SimGameError

admin.site.add_action(exports.export_csv)  # of every table
admin.site.add_action(exports.export_json)
# Only a superuser hands out power; other staff edit the rest of a player.
POWER = ("is_staff", "is_superuser", "groups", "user_permissions")


def _may_touch(request: HttpRequest, player: Player | None) -> bool:
    return player is None or request.user.is_superuser or not (player.is_staff or player.is_superuser)


class NewPlayerForm(AdminUserCreationForm):
    class Meta(AdminUserCreationForm.Meta):
        model = Player
        fields = ("username",)


@admin.register(Player)
class PlayerAdmin(UserAdmin):
    add_form = NewPlayerForm
    list_display: ClassVar = ["username", "guest", "is_active", "is_staff", "date_joined", "last_login"]
    list_filter: ClassVar = ["guest", "is_active", "is_staff", "date_joined"]
    search_fields: ClassVar = ["username", "email"]
    show_full_result_count = False
    fieldsets: ClassVar = [
        (None, {"fields": ["username", "password", "email"]}),
        ("How it looks", {"fields": ["language", "theme", "colours"]}),
        ("What they may do", {"fields": ["guest", "is_active", *POWER]}),
        ("When", {"fields": ["last_login", "date_joined"]}),
    ]
    actions: ClassVar = ["sign_out_everywhere", "deactivate", "look_as"]

    def get_readonly_fields(self, request: HttpRequest, obj: Player | None = None) -> list[str]:
        fixed = ["guest", "is_active", "last_login", "date_joined"]  # is_active: by the action below
        return fixed if request.user.is_superuser else [*fixed, *POWER]

    def has_change_permission(self, request: HttpRequest, obj: Player | None = None) -> bool:
        """Who could change a colleague's password or address could be the colleague."""
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Player | None = None) -> bool:
        return False  # the books name the player: deactivate instead

    @admin.action(permissions=["change"], description="Sign out everywhere")
    def sign_out_everywhere(self, request: HttpRequest, chosen: QuerySet[Player]) -> None:
        for player in chosen:
            players.sign_out_everywhere(player.pk, "by an operator", actor_id=request.user.pk)
        self.message_user(request, f"{len(chosen)} players are signed out everywhere.")

    @admin.action(permissions=["change"], description="Deactivate (asks first)")
    def deactivate(self, request: HttpRequest, chosen: QuerySet[Player]) -> HttpResponse | None:
        if request.POST.get("sure") != "yes":
            context = {
                **self.admin_site.each_context(request),
                "title": "Deactivate players?",
                "chosen": chosen,
                "action": "deactivate",
            }
            return TemplateResponse(request, "accounts/deactivate.html", context)
        if not request.user.is_superuser and chosen.filter(is_superuser=True).exists():
            self.message_user(request, "Only a superuser deactivates a superuser.", messages.ERROR)
            return None
        for player in chosen:
            players.deactivate(player.pk, actor_id=request.user.pk)
        self.message_user(request, f"{len(chosen)} players are deactivated.")
        return None

    def has_impersonate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.impersonate_player")

    @admin.action(permissions=["impersonate"], description="Look at the game as this player (asks why)")
    def look_as(self, request: HttpRequest, chosen: QuerySet[Player]) -> HttpResponse | None:
        if len(chosen) != 1:
            self.message_user(request, "Choose one player.", messages.ERROR)
            return None
        (player,) = chosen
        context = {**self.admin_site.each_context(request), "title": f"Look as {player.username}?"}
        if "reason" not in request.POST:
            return TemplateResponse(request, "accounts/impersonate.html", {**context, "player": player})
        try:
            impersonation.start(request, player, request.POST["reason"])
        except SimGameError as refusal:
            context |= {"player": player, "refusal": refusal}
            return TemplateResponse(request, "accounts/impersonate.html", context, status=refusal.status)
        return redirect("/desk/")


class ReadOnly(admin.ModelAdmin):
    show_full_result_count = False
    actions: ClassVar[list[str]] = []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly):
    list_display: ClassVar = [
        "key_id",
        "player",
        "portfolio_id",
        "name",
        "scopes",
        "expires_at",
        "created_at",
        "used_at",
        "revoked_at",
    ]
    search_fields: ClassVar = ["key_id", "player__username"]
    list_select_related = True
    exclude: ClassVar = ["secret_hash"]
    actions: ClassVar = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")

    @admin.action(permissions=["revoke"], description="Revoke")
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        working = list(chosen.filter(revoked_at=None))
        for key in working:
            keys.revoke(key.player_id, key.key_id, actor_id=request.user.pk)
        self.message_user(request, f"{len(working)} keys are revoked.")


@admin.register(Login)
class LoginAdmin(ReadOnly):
    list_display: ClassVar = ["player", "kind", "device", "address", "created_at", "used_at", "why_revoked"]
    list_filter: ClassVar = ["kind", "revoked_at"]
    search_fields: ClassVar = ["player__username", "address"]
    list_select_related = True
    exclude: ClassVar = ["session_key"]
    actions: ClassVar = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_login")

    @admin.action(permissions=["revoke"], description="Sign out")
    def revoke(self, request: HttpRequest, chosen: QuerySet[Login]) -> None:
        alive = list(chosen.filter(revoked_at=None))
        for login in alive:
            logins.revoke(login.player_id, login.pk, "by an operator")
        self.message_user(request, f"{len(alive)} devices are signed out.")


# What allauth registers: addresses and accounts of other sites are the players' own, and the secrets of
# other sites come from the settings. A lost authenticator is removed here.
admin.site.unregister([EmailAddress, SocialAccount, SocialApp, SocialToken, Authenticator])


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnly):
    list_display: ClassVar = ["user", "type", "created_at", "last_used_at"]
    list_filter: ClassVar = ["type"]
    search_fields: ClassVar = ["user__username"]
    list_select_related = True
    exclude: ClassVar = ["data"]

    def has_delete_permission(self, request: HttpRequest, obj: Authenticator | None = None) -> bool:
        return request.user.has_perm("mfa.delete_authenticator") and _may_touch(request, obj and obj.user)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display: ClassVar = ["at", "actor_id", "action", "subject", "facts", "address"]
    list_filter: ClassVar = ["action", "at"]
    search_fields: ClassVar = ["subject", "=actor_id"]

    def get_search_results(self, request: HttpRequest, queryset: Any, term: str) -> tuple[Any, bool]:
        """A number looks for the actor, a word for the subject."""
        if term.isdigit() and len(term) < 19:
            return queryset.filter(actor_id=int(term)), False
        return queryset.filter(subject__icontains=term) if term else queryset, False
