"""Our rules inside django-allauth: names, passwords, letters, secrets at rest, who may sign up.

Only processes that serve pages import this: feed and exchange run without allauth.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from smtplib import SMTPException
from typing import Any, Final

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts import logins, players
from accounts.models import Player
from simgame.kernel.errors import SimGameError
from simgame.switches import runtime

NOT_SAID: Final = ("account/messages/logged_in.txt", "account/messages/logged_out.txt")  # one sees it
log = structlog.get_logger(__name__)


class Accounts(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(runtime.get("accounts.registration_open"))

    def clean_username(self, username: str, shallow: bool = False) -> str:
        try:
            name = players.good_name(username)
            if not shallow:
                players.refuse_taken(name)
        except SimGameError as refusal:
            raise ValidationError(refusal.detail) from None
        return name

    def set_password(self, user: Player, password: str) -> None:
        """After a reset, and for who had none: every other device is signed out."""
        user.set_password(password)
        user.save(update_fields=["password"])
        here = logins.of_browser(context.request) if context.request else None
        players.sign_out_elsewhere(user.pk, "password reset", but=here)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail server that is away is said to the person; the page they asked for still comes."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            log.error("mail_not_sent", letter=template_prefix, why=str(error))
            if request := context.get("request"):
                messages.error(request, _("The e-mail could not be sent just now: try again later."))

    def add_message(
        self, request: Any, level: Any, message_template: Any = None, *args: Any, **kw: Any
    ) -> None:
        if message_template not in NOT_SAID:
            super().add_message(request, level, message_template, *args, **kw)


class SocialAccounts(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(runtime.get("accounts.registration_open"))


class SecondFactors(DefaultMFAAdapter):
    """Secrets that must be read again (TOTP, the seed of recovery codes) lie encrypted in the database."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()

    def get_totp_issuer(self) -> str:
        return "SimGame"

    def get_totp_label(self, user: Player) -> str:
        return user.username


@cache
def _cipher() -> Fernet:
    """Another SECRET_KEY cannot read them: players would set their second factor up again."""
    key = hashlib.sha256(b"accounts.second-factor\x00" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
