"""Doors of the pages: parse, one call, answer."""

from __future__ import annotations

import uuid
from functools import partial

from django.contrib.auth.decorators import login_required
from django.contrib.staticfiles import finders
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_POST

from accounts import keys, logins
from simgame.kernel.errors import NotFound
from trading import forms, pages, rights
from trading.page_door import chosen, get_or_post, page


@page
@gzip_page
@require_GET
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "landing.html", pages.landing())


@page
@require_POST
def play(request: HttpRequest) -> HttpResponse:
    return forms.start_guest(request)


@page
@get_or_post
def login(request: HttpRequest) -> HttpResponse:
    return forms.answer(request, "login.html", partial(forms.sign_in, request))


@page
@get_or_post
def register(request: HttpRequest) -> HttpResponse:
    return forms.answer(request, "register.html", partial(forms.register, request))


@page
@login_required
@get_or_post
def keep(request: HttpRequest) -> HttpResponse:
    return forms.answer(request, "keep.html", partial(forms.keep_guest, request))


@page
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    logins.sign_out(request)
    return redirect("landing")


@page
@gzip_page
@login_required
@require_GET
def desk(request: HttpRequest, symbol: str = "") -> HttpResponse:
    return render(request, "desk.html", pages.desk(chosen(request), symbol))


@page
@require_GET
def standings(request: HttpRequest, slug: str = "") -> HttpResponse:
    player = request.user if request.user.is_authenticated else None
    return render(request, "standings.html", pages.standings_page(player, slug))


@page
@require_GET
def guide(request: HttpRequest) -> HttpResponse:
    return render(request, "help.html", pages.guide())


@page
@login_required
@get_or_post
def settings_page(request: HttpRequest) -> HttpResponse:
    shown = pages.settings_page(request.user, request.session.get(logins.LOGIN_ID, ""))
    return forms.answer(request, "settings.html", partial(forms.choose_looks, request), **shown)


@page
@login_required
@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    shown = pages.settings_page(request.user, request.session.get(logins.LOGIN_ID, ""))
    return forms.answer(request, "settings.html", partial(forms.change_password, request), **shown)


@page
@login_required
@require_POST
def make_key(request: HttpRequest) -> HttpResponse:
    shown = pages.settings_page(request.user, request.session.get(logins.LOGIN_ID, ""))
    return forms.answer(request, "settings.html", partial(forms.make_key, request), **shown)


@page
@login_required
@require_POST
def use_rights(request: HttpRequest, key: str) -> HttpResponse:
    mine = pages.own_portfolio(request.user, request.POST.get("portfolio", ""))
    rights.exercise(mine, key, request.POST.get("qty", ""))
    return redirect("portfolio")


@page
@login_required
@require_POST
def revoke_key(request: HttpRequest, key_id: str) -> HttpResponse:
    keys.revoke(request.user.pk, key_id)
    return redirect("settings")


@page
@login_required
@require_POST
def revoke_login(request: HttpRequest, login_id: uuid.UUID) -> HttpResponse:
    logins.revoke(request.user.pk, login_id)
    return redirect("settings")


@page
@login_required
@require_POST
def revoke_other_logins(request: HttpRequest) -> HttpResponse:
    logins.revoke_all(request.user.pk, "revoked by the player", but=logins.of_browser(request))
    return redirect("settings")


@require_GET
def service_worker(request: HttpRequest) -> FileResponse:
    """At the root, so that its scope is the whole site; it caches static files only."""
    path = finders.find("js/sw.js")
    if path is None:
        raise NotFound
    return FileResponse(open(path, "rb"), content_type="text/javascript")
