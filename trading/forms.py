"""Forms of the pages: what a form sent, the verb it asks for, and a refusal shown beside its field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts import factors, keys, limits, logins, players
from accounts.models import Player
from simgame.kernel import clock
from simgame.kernel.errors import Invalid, RateLimited, SimGameError
from trading import appearance, games, pages

SIGN_INS_A_MINUTE = 20  # per address: enough for a class room's slips, too few for guessing


def answer(
    request: HttpRequest, template: str, act: Callable[[QueryDict], HttpResponse], **context: object
) -> HttpResponse:
    """The empty form; or what `act` answers; or the form again with the refusal and what was typed."""
    if request.method != "POST":
        return render(request, template, {"values": request.GET, **context})
    try:
        return act(request.POST)
    except SimGameError as refusal:
        errors = {refusal.pointer.removeprefix("/") or "form": refusal.detail}
        status = refusal.status if refusal.status != 401 else 422  # 401 would ask for HTTP credentials
        page = render(request, template, {"values": request.POST, "errors": errors, **context}, status=status)
        for name, value in refusal.headers.items():
            page[name] = value
        return page


def sign_in(request: HttpRequest, sent: QueryDict) -> HttpResponse:
    _spend(f"sign-in:{logins.address_of(request)}", SIGN_INS_A_MINUTE)
    return _enter(request, players.authenticate(sent.get("username", ""), sent.get("password", "")), sent)


def register(request: HttpRequest, sent: QueryDict) -> HttpResponse:
    address = logins.address_of(request)
    _spend(f"register:{address}", settings.REGISTER_RATE)
    _same(sent)
    names = (sent.get("username", ""), sent.get("password", ""), sent.get("email", ""))
    player = players.register(*names, address=address)
    factors.remember_address(request, player)
    return _enter(request, player, sent)


def start_guest(request: HttpRequest) -> HttpResponse:
    """A visitor plays at once; who is signed in already goes to their desk."""
    if not request.user.is_authenticated:
        address = logins.address_of(request)
        _spend(f"register:{address}", settings.REGISTER_RATE)
        player = players.start_guest(address=address)
        logins.sign_in(request, player)
        games.join(player, games.running_season())
    return HttpResponseRedirect(settings.LOGIN_REDIRECT_URL)


def keep_guest(request: HttpRequest, sent: QueryDict) -> HttpResponse:
    _same(sent)
    names = (sent.get("username", ""), sent.get("password", ""), sent.get("email", ""))
    player = players.keep_guest(request.user.pk, *names)
    factors.remember_address(request, player)
    logins.keep_signed_in(request, player)
    return HttpResponseRedirect(settings.LOGIN_REDIRECT_URL)


def change_password(request: HttpRequest, sent: QueryDict) -> HttpResponse:
    player = players.change_password(
        request.user.pk, sent.get("old_password", ""), sent.get("new_password", "")
    )
    logins.sign_in(request, player)
    return HttpResponseRedirect("/settings/")


def make_key(request: HttpRequest, sent: QueryDict) -> HttpResponse:
    """The settings once more, with the secret: it is shown this once."""
    portfolio = pages.own_portfolio(request.user, sent.get("portfolio", ""))
    days = sent.get("days", "")
    if days and days not in {str(known) for known in pages.KEY_DAYS}:
        raise Invalid(_("Choose one of the times that are offered."), pointer="/days")
    until = clock.now() + timedelta(days=int(days)) if days else None
    key, secret = keys.make(
        request.user.pk,
        portfolio.id,
        sent.get("name", "")[:60],
        scopes=sent.getlist("scopes"),
        expires_at=until,
    )
    shown = pages.settings_page(request.user, request.session.get(logins.LOGIN_ID, ""))
    return render(request, "settings.html", {**shown, "made": key, "secret": secret})


def choose_looks(request: HttpRequest, sent: QueryDict) -> HttpResponse:
    appearance.choose(request.user, sent.get("language", ""), sent.get("theme", ""), sent.get("colours", ""))
    return appearance.remember(HttpResponseRedirect("/settings/"), request.user)


def _enter(request: HttpRequest, player: Player, sent: QueryDict) -> HttpResponse:
    wanted = sent.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    response = factors.sign_in(request, player, wanted if safe and wanted else settings.LOGIN_REDIRECT_URL)
    if request.user != player:
        return response  # to the second factor
    if not player.is_staff:
        games.join(player, games.running_season())
    return appearance.remember(response, player) if player.language or player.theme else response


def _same(sent: QueryDict) -> None:
    if "password2" in sent and sent["password2"] != sent.get("password"):
        raise Invalid(_("The two passwords differ."), pointer="/password2")


def _spend(key: str, a_minute: int) -> None:
    allowance = limits.take_all([limits.Bucket(key, a_minute, 60)])
    if not allowance.ok:
        seconds = {"seconds": f"{allowance.reset_s:.0f}"}
        wait = _("Too many attempts from here: try again in %(seconds)s s.") % seconds
        raise RateLimited(wait, headers=allowance.headers())
