"""In front of django-allauth's pages (`/account/…`): how often one may try, and what guests need first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from requests import RequestException

from accounts import limits, logins, other_sites
from accounts.errors import OtherSiteAway
from simgame.kernel.errors import RateLimited, SimGameError

log = structlog.get_logger(__name__)
ROOT: Final = "/account/"
TRIES_A_MINUTE: Final = 20  # forms sent from one address, as on the sign-in page
FOR_GUESTS: Final = ("/account/login/", "/account/logout/", "/account/password/reset/", "/account/3rdparty/")


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """allauth's own limits live in Redis, which may be away; this one is the process's own."""

    def guarded(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(ROOT):
            return get_response(request)
        if request.method == "POST":
            allowance = limits.take(f"account:{logins.address_of(request)}", TRIES_A_MINUTE, 60)
            if not allowance.ok:
                return _too_often(request, allowance)
        asks_for_more = not request.path.startswith(FOR_GUESTS)
        if request.user.is_authenticated and request.user.guest and asks_for_more:
            return redirect("/keep/")  # what belongs to a guest hangs on a name and a password first
        response = get_response(request)
        if leads_to := other_sites.form_action(request):
            response._csp_update = {"form-action": leads_to}  # type: ignore[attr-defined]  as django-csp's own
        return response

    guarded.process_exception = _away  # type: ignore[attr-defined]  Django asks a middleware for it
    return guarded


def _away(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """allauth asks the other site while it answers; one that is away is no fault of ours."""
    if not isinstance(error, RequestException):
        return None
    log.warning("other_site_away", path=request.path, why=str(error))
    return _refused(request, OtherSiteAway())


def _too_often(request: HttpRequest, allowance: limits.Allowance) -> HttpResponse:
    seconds = {"seconds": f"{allowance.reset_s:.0f}"}
    page = _refused(
        request, RateLimited(_("Too many attempts from here: try again in %(seconds)s s.") % seconds)
    )
    for name, value in allowance.headers().items():
        page[name] = value
    return page


def _refused(request: HttpRequest, refusal: SimGameError) -> HttpResponse:
    return render(request, "error.html", {"refusal": refusal}, status=refusal.status)
