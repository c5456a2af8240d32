"""Doors of the games' pages: find, make, join, host, play."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import Player
from simgame.kernel.errors import Invalid
from trading import forms, game_pages, hosting, lobby
from trading.page_door import PORTFOLIO, get_or_post, page


@page
@get_or_post
def games(request: HttpRequest) -> HttpResponse:
    player = request.user if request.user.is_authenticated else None
    shown = game_pages.games(player, request.session.get(PORTFOLIO))
    if player is None:
        return render(request, "games.html", shown)
    return forms.answer(request, "games.html", partial(_make, player), **shown)


def _make(player: Player, sent: QueryDict) -> HttpResponse:
    ends = _in_utc(sent["ends_at"]) if sent.get("ends_at") else None
    made = hosting.make(player, sent.get("name", ""), sent.get("start_cash", ""), ends)
    return redirect("host", slug=made.slug)


def _in_utc(text: str) -> dt.datetime:
    """What the field says: its label names UTC, whatever zone Django shows times in."""
    try:
        at = parse_datetime(text)
    except ValueError:  # well written, but there is no such day
        at = None
    if at is None:
        raise Invalid(_("This is no day and time."), pointer="/ends_at")
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)


@page
@login_required
@get_or_post
def join(request: HttpRequest, slug: str) -> HttpResponse:
    """A link with the invitation comes here; the button joins."""
    invitation = request.POST.get("invitation") or request.GET.get("invitation", "")
    game = lobby.find(slug, request.user.pk, invitation)
    if request.method != "POST":
        return render(
            request, "join.html", {"game": game, "invitation": invitation, **game_pages.facts(game)}
        )
    mine = lobby.join(request.user, game)
    if game.status == game.Status.OPEN:
        return redirect("games")
    request.session[PORTFOLIO] = mine.id
    return redirect("desk")


@page
@login_required
@require_POST
def play(request: HttpRequest, slug: str) -> HttpResponse:
    """From now on this browser shows that game."""
    request.session[PORTFOLIO] = game_pages.portfolio_in(request.user, slug)
    return redirect("desk")


@page
@login_required
@require_GET
def host(request: HttpRequest, slug: str) -> HttpResponse:
    game = hosting.of(request.user, slug)
    link = request.build_absolute_uri(f"/games/{game.slug}/join/?invitation={game.invitation}")
    return render(request, "host.html", {**game_pages.host(game), "link": link})


@page
@login_required
@require_POST
def act(request: HttpRequest, slug: str, verb: str) -> HttpResponse:
    hosting.act(request.user, slug, verb)
    return redirect("host", slug=slug)


@page
@login_required
@require_GET
def export(request: HttpRequest, slug: str) -> HttpResponse:
    told = json.dumps(hosting.export(hosting.of(request.user, slug)), ensure_ascii=False, indent=1)
    response = HttpResponse(told, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{slug}.json"'
    return response
