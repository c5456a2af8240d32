"""The status page: what `/readyz` says, for people; and the reference of the API."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from ops import health, reference
from simgame.kernel import clock


@never_cache
@require_GET
def status(request: HttpRequest) -> HttpResponse:
    words = _words()
    found = {name: health.run(check) for name, check in health.CHECKS.items()}
    parts = [
        {"name": words[name][0], "what": words[name][1], "ok": not wrong, "wrong": wrong}
        for name, wrong in found.items()
    ]
    wrong_ones = {name for name, wrong in found.items() if wrong}
    broken = wrong_ones - health.OPTIONAL
    shown = {"parts": parts, "broken": bool(broken), "slow": bool(wrong_ones), "at": clock.now()}
    return render(request, "status.html", shown, status=503 if broken else 200)


@require_GET
def api(request: HttpRequest) -> HttpResponse:
    shown = {"groups": reference.groups(), "messages": reference.messages(), "version": reference.version()}
    return render(request, "api.html", shown)


def _words() -> dict[str, tuple[str, str]]:
    """Name and use of each check, in the page's language."""
    return {
        "database": (_("Database"), _("Keeps every order and every cent.")),
        "migrations": (_("Tables"), _("Are as this release needs them.")),
        "redis": (
            _("News"),
            _("Carries prices to the pages at once; without it they ask every few seconds."),
        ),
        "feed": (_("Market"), _("Brings quotes, trades and the clock.")),
        "exchange": (_("Exchange"), _("Decides orders and writes the books.")),
        "books": (_("Checker"), _("Adds the books up again, all the time.")),
    }
