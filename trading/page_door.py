"""What every door of the pages shares: refusals as pages, no caching, and whose books are shown."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from simgame.kernel.errors import SimGameError
from trading import pages
from trading.models import Portfolio

PORTFOLIO = "portfolio"  # in the session: number of the portfolio that the pages show

View = Callable[..., HttpResponse]
get_or_post = require_http_methods(["GET", "HEAD", "POST"])


def page(view: View) -> View:
    """A refusal becomes a page with its sentence; pages of people are never cached."""

    @wraps(view)
    def seen(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except SimGameError as refusal:
            response = render(request, "error.html", {"refusal": refusal}, status=refusal.status)
            for name, value in refusal.headers.items():
                response[name] = value
            return response

    return never_cache(seen)


def chosen(request: HttpRequest) -> Portfolio:
    """Whose books this browser shows: the game that was chosen last (views_games.play)."""
    return pages.portfolio_of(request.user, request.session.get(PORTFOLIO))
