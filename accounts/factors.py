"""Signing in with all that a player has set up: password, e-mailed code, passkey, authenticator app.

The steps of a browser are django-allauth's; programs send a code beside the password. Only processes that
serve pages import this.
"""

from __future__ import annotations

from typing import Any, Final

from allauth.account import signals as account_signals
from allauth.account.internal.flows.email_verification import send_verification_email_to_address
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import EmailAddress
from allauth.account.models import Login as Step
from allauth.mfa import signals as mfa_signals
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social_signals
from django.dispatch import Signal, receiver
from django.http import HttpRequest, HttpResponse

from accounts import audit, limits
from accounts.errors import BadCredentials, SecondFactorNeeded
from accounts.models import Player
from simgame.kernel import viewer
from simgame.kernel.errors import RateLimited

CODES: Final = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
GUESSES: Final = 10  # of a code, per player …
GUESSES_S: Final = 300  # … in so many seconds: a million codes would take a year


def sign_in(request: HttpRequest, player: Player, to: str) -> HttpResponse:
    """After the password: signed in and on the way `to`, or to the page that asks for the second factor."""
    if not hasattr(player, "backend"):
        player.backend = "django.contrib.auth.backends.ModelBackend"  # type: ignore[attr-defined]
    step = Step(user=player, redirect_url=to)
    with viewer.door():
        response = perform_password_login(request, {"username": player.username}, step)
    viewer.become(player.pk)
    return response


def check(player: Player, code: str) -> None:
    """For programs. Raises SecondFactorNeeded without a code, BadCredentials for a wrong one, RateLimited."""
    mine = Authenticator.objects.filter(user=player)
    if not mine.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
        return
    if not code:
        raise SecondFactorNeeded(pointer="/code")
    allowance = limits.take(f"second-factor:{player.pk}", GUESSES, GUESSES_S)
    if not allowance.ok:
        raise RateLimited(headers=allowance.headers())
    for known in mine.filter(type__in=CODES):
        if known.wrap().validate_code(code):
            known.record_usage()
            return
    raise BadCredentials("This code is not right, or it was used already.", pointer="/code")


def remember_address(request: HttpRequest, player: Player) -> None:
    """The address that a new player gave: unproven until they follow the link that is sent there."""
    if player.email:
        address = EmailAddress.objects.create(user=player, email=player.email.lower(), primary=True)
        send_verification_email_to_address(request, address, signup=True)


_ACTS: Final[dict[Signal, str]] = {
    account_signals.user_signed_up: "player.register",  # with an account of another site
    mfa_signals.authenticator_added: "factor.add",
    mfa_signals.authenticator_removed: "factor.remove",
    mfa_signals.authenticator_reset: "factor.reset",
    account_signals.email_confirmed: "email.confirm",
    account_signals.email_added: "email.add",
    account_signals.email_removed: "email.remove",
    account_signals.email_changed: "email.change",
    account_signals.password_reset: "password.reset",
    account_signals.password_set: "password.set",
    social_signals.social_account_added: "social.add",
    social_signals.social_account_removed: "social.remove",
}


@receiver(list(_ACTS), dispatch_uid="accounts.note_factor")
def note(
    sender: object, signal: Signal, request: HttpRequest, user: Player | None = None, **said: Any
) -> None:
    """django-allauth's signals: what changed about how a player is known."""
    address, factor = said.get("email_address"), said.get("authenticator")
    told = said.get("to_email_address") or address
    whose = user or getattr(address, "user", None) or getattr(said.get("sociallogin"), "user", None)
    facts = {"kind": factor.type} if factor else {}
    if told is not None:
        facts["email"] = getattr(told, "email", str(told))
    if account := said.get("socialaccount") or getattr(said.get("sociallogin"), "account", None):
        facts["provider"] = account.provider
        whose = whose or account.user
    audit.record(whose.pk if whose else None, _ACTS[signal], whose.pk if whose else "", **facts)
