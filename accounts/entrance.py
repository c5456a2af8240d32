"""In front of django-allauth's pages (`/account/…`): how often one may try, and what guests need first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts import limits, logins
from simgame.kernel.errors import RateLimited

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
        return get_response(request)

    return guarded


def _too_often(request: HttpRequest, allowance: limits.Allowance) -> HttpResponse:
    seconds = {"seconds": f"{allowance.reset_s:.0f}"}
    refusal = RateLimited(_("Too many attempts from here: try again in %(seconds)s s.") % seconds)
    page = render(request, "error.html", {"refusal": refusal}, status=refusal.status)
    for name, value in allowance.headers().items():
        page[name] = value
    return page
