"""An operator looks at the game as a player sees it: with a reason, a banner, a record, and an end.

Looking only: an order, a form or a message sent meanwhile would stand in the books under a name that did not
send it. The player sees the sign-in among their devices and can end it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.db import InternalError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from psycopg.errors import ReadOnlySqlTransaction

from accounts import audit, logins, origin
from accounts.errors import LookingOnly, MayNotActAs
from accounts.identity import SAFE_METHODS
from accounts.models import Login, Player
from simgame import problem
from simgame.kernel import viewer
from simgame.kernel.errors import Invalid

ACTING: Final = "acting"  # in the session: {operator, reason}
REASON_CHARS: Final = (10, 300)
LASTS_S: Final = 3600
END: Final = "/impersonation/end/"
ALLOWED: Final = (END, "/logout/", "/i18n/")  # what may be sent meanwhile
DEVICE: Final = "SimGame operator"
View = Callable[[HttpRequest], HttpResponse]


def start(request: HttpRequest, target: Player, reason: str) -> None:
    """From now on this browser sees what `target` sees. Raises MayNotActAs and Invalid (reason)."""
    operator, reason = request.user, reason.strip()
    least, most = REASON_CHARS
    if not operator.has_perm("accounts.impersonate_player") or target.pk == operator.pk:
        raise MayNotActAs
    if (target.is_staff or target.is_superuser) and not operator.is_superuser:
        raise MayNotActAs("Only a superuser looks at the game as staff sees it.")
    if not target.is_active:
        raise MayNotActAs("This player is deactivated.")
    if not least <= len(reason) <= most:
        raise Invalid(f"Say why, in {least} to {most} characters: it is on record.", pointer="/reason")
    # From here it must succeed.
    audit.record(operator.pk, "impersonate.start", target.pk, name=target.username, reason=reason)
    was_here = target.last_login
    logins.sign_out(request)
    logins.sign_in(request, target)
    Player.objects.filter(pk=target.pk).update(last_login=was_here)  # it was not the player
    here = Login.objects.filter(pk=logins.of_browser(request))
    here.update(device=DEVICE, impersonator_id=operator.pk)
    request.session[ACTING] = {"operator": operator.pk, "reason": reason}
    request.session.set_expiry(LASTS_S)


def acting(request: HttpRequest) -> dict[str, Any] | None:
    """Who acts here as somebody else, and why; None for everybody else."""
    session = getattr(request, "session", None)
    return session.get(ACTING) if session is not None else None


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Back to the operator's own name, where they still are one."""
    if (state := acting(request)) is None:
        return redirect("/")
    player = request.user
    logins.sign_out(request)
    audit.record(state["operator"], "impersonate.end", player.pk)
    with viewer.door():
        operator = Player.objects.filter(pk=state["operator"], is_active=True, is_staff=True).first()
    if operator is None:
        return redirect("/login/")
    logins.sign_in(request, operator)
    return redirect("admin:accounts_player_change", player.pk)


def middleware(get_response: View) -> View:
    """Pages; the doors of the API hold the same rule by `Identity.require`."""

    def guarded(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(problem.API_PREFIXES) or (state := acting(request)) is None:
            return get_response(request)
        origin.impersonated_by(state["operator"])
        sends = request.method not in SAFE_METHODS
        if sends and request.path.startswith(ALLOWED):
            return get_response(request)
        if sends or request.path.startswith("/admin/"):
            refusal = _refusal()
            return render(request, "error.html", {"refusal": refusal}, status=refusal.status)
        if request.method == "GET" and request.user.is_authenticated:
            audit.record(request.user.pk, "impersonate.look", request.path)
        with _looking_only():
            return get_response(request)

    return guarded


@contextmanager
def _looking_only() -> Iterator[None]:
    """PostgreSQL takes no write of this connection until the end, whoever tries it."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only TO on")
    try:
        with connection.execute_wrapper(_refuse_writes):
            yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET default_transaction_read_only")


def _refuse_writes(execute: Callable[..., Any], *statement: Any) -> Any:
    try:
        return execute(*statement)
    except InternalError as error:
        if isinstance(error.__cause__, ReadOnlySqlTransaction):
            raise _refusal() from error
        raise


def _refusal() -> LookingOnly:
    return LookingOnly(_("You look at the game as somebody else: end that first."))
