"""Where a player is signed in: one Login per browser or token family, listed and revoked one by one."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.contrib import auth
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest

from accounts import audit
from accounts.errors import UnknownLogin
from accounts.models import Login, Player
from accounts.recent import Recent
from simgame.kernel import clock, viewer

LOGIN_ID: Final = "login_id"  # in the browser session
RECENT_S: Final = 4.0  # a revocation holds everywhere within this, plus a round trip: 5 s are promised
DEVICE_CHARS_MAX: Final = 200

recent: Recent[Any] = Recent(RECENT_S, size_max=50_000)  # credentials that were good; see accounts.identity


def device_of(request: HttpRequest) -> tuple[str, str | None]:
    """What to show the player about this device: its User-Agent and its address."""
    return request.META.get("HTTP_USER_AGENT", "")[:DEVICE_CHARS_MAX], address_of(request)


def address_of(request: HttpRequest) -> str | None:
    return request.META.get("REMOTE_ADDR") or None


def sign_in(request: HttpRequest, player: Player) -> None:
    """A browser session for `player`, with a new session key."""
    with viewer.door():
        auth.login(request, player, backend="django.contrib.auth.backends.ModelBackend")
    viewer.become(player.pk)


def sign_out(request: HttpRequest) -> None:
    auth.logout(request)


def keep_signed_in(request: HttpRequest, player: Player) -> None:
    """After a change of password: this browser stays signed in, under a new session key."""
    auth.update_session_auth_hash(request, player)
    _of_session(request).update(session_key=request.session.session_key or "")


@receiver(user_logged_in, dispatch_uid="accounts.remember_browser")
def remember_browser(sender: object, request: HttpRequest, user: Player, **_: Any) -> None:
    """Django's signal: whoever signs a browser in (our pages, the admin) makes a Login."""
    _revoke(_of_session(request), "signed in again")
    if request.session.session_key is None:
        request.session.save()
    device, address = device_of(request)
    login = Login.objects.create(
        player=user,
        kind=Login.Kind.BROWSER,
        session_key=request.session.session_key,
        device=device,
        address=address,
    )
    request.session[LOGIN_ID] = str(login.pk)
    if user.is_staff:
        audit.record(user.pk, "login.staff", login.pk, address=address)


@receiver(user_logged_out, dispatch_uid="accounts.forget_browser")
def forget_browser(sender: object, request: HttpRequest, user: Player | None, **_: Any) -> None:
    _revoke(_of_session(request), "signed out")


def open_family(player: Player, device: str, address: str | None) -> Login:
    """A sign-in by tokens: every refresh token of the device descends from it."""
    return Login.objects.create(player=player, kind=Login.Kind.TOKEN, device=device, address=address)


def of_player(player_id: int) -> QuerySet[Login]:
    """Where the player is signed in now, the latest used first."""
    return Login.objects.filter(player_id=player_id, revoked_at=None).order_by("-used_at", "pk")


def revoke(player_id: int, login_id: uuid.UUID, why: str = "revoked by the player") -> None:
    """Sign one device out; UnknownLogin when it is not the player's or not signed in."""
    if not _revoke(of_player(player_id).filter(pk=login_id), why):
        raise UnknownLogin
    audit.record(player_id, "login.revoke", login_id, why=why)


def revoke_all(player_id: int, why: str, *, actor_id: int | None = None, but: uuid.UUID | None = None) -> int:
    """Sign the player out everywhere (except `but`); tokens that are still young are void too."""
    count = _revoke(of_player(player_id).exclude(pk=but), why)
    audit.record(actor_id or player_id, "login.revoke_all", player_id, why=why, logins=count)
    return count


def revoke_everybodys(why: str) -> int:
    """Every sign-in of every player ends. Writes no entry: the caller says what it was for."""
    with transaction.atomic():
        count = Login.objects.filter(revoked_at=None).update(revoked_at=clock.now(), why_revoked=why[:40])
        Session.objects.all().delete()
        transaction.on_commit(recent.forget)
    return count


def of_browser(request: HttpRequest) -> uuid.UUID | None:
    """The login of this browser's session."""
    return _of_session(request).values_list("pk", flat=True).first()


def _of_session(request: HttpRequest) -> QuerySet[Login]:
    return Login.objects.filter(pk=request.session.get(LOGIN_ID), revoked_at=None)


def _revoke(logins: QuerySet[Login], why: str) -> int:
    """Ends logins: the row, its Django session, and what we remembered."""
    with transaction.atomic():
        rows = list(logins.select_for_update().order_by("pk").values_list("pk", "session_key"))
        Login.objects.filter(pk__in=[pk for pk, _ in rows]).update(
            revoked_at=clock.now(), why_revoked=why[:40]
        )
        Session.objects.filter(session_key__in=[key for _, key in rows if key]).delete()
        transaction.on_commit(recent.forget)  # not before: another request might remember the old rows
    return len(rows)
