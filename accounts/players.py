"""Players come into being, prove who they are, and change their password."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import Final

from django.contrib import auth
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from accounts import audit, logins
from accounts.errors import BadCredentials, BadName, NameTaken, NotAGuest, RegistrationClosed, WeakPassword
from accounts.models import Player
from accounts.models.player import USERNAME, USERNAME_RULE
from simgame.kernel import viewer
from simgame.kernel.errors import Invalid
from simgame.switches import runtime

GUEST_PREFIX: Final = "Guest-"
PASSWORD_CHARS_MAX: Final = 1024  # hashing a novel is work that an attacker would love to give us


@viewer.door()
def register(username: str, password: str, email: str = "", *, address: str | None = None) -> Player:
    """A new player. Raises RegistrationClosed, BadName, NameTaken, WeakPassword or Invalid (email)."""
    _refuse_when_closed()
    player = Player(username=good_name(username), email=_good_email(email))
    refuse_taken(player.username)
    _set_password(player, password)
    return _stored(player, "player.register", address)


@viewer.door()
def start_guest(*, address: str | None = None) -> Player:
    """A player without a password, who may choose name and password later and keeps everything."""
    _refuse_when_closed()
    player = Player(username=f"{GUEST_PREFIX}{secrets.token_hex(5)}", guest=True)
    player.set_unusable_password()
    return _stored(player, "player.start_guest", address)


@viewer.door()
def keep_guest(player_id: int, username: str, password: str, email: str = "") -> Player:
    """The guest becomes a named player. Raises NotAGuest and what `register` raises about the fields."""
    with transaction.atomic():
        player = Player.objects.select_for_update().get(pk=player_id)
        if not player.guest:
            raise NotAGuest
        player.username, player.email = good_name(username), _good_email(email)
        refuse_taken(player.username)
        _set_password(player, password)
        player.guest = False
        return _stored(player, "player.keep_guest", None)


@viewer.door()
def authenticate(username: str, password: str) -> Player:
    """BadCredentials whatever was wrong, after the same work (a hash is computed either way)."""
    if len(password) > PASSWORD_CHARS_MAX:
        raise BadCredentials
    name = Player.normalize_username(username)
    player = auth.authenticate(None, username=name, password=password) if "\x00" not in name else None
    if not isinstance(player, Player):
        raise BadCredentials
    viewer.become(player.pk)
    return player


def change_password(player_id: int, old: str, new: str) -> Player:
    """Every other sign-in of the player ends. The caller keeps this browser (logins.keep_signed_in)."""
    player = Player.objects.get(pk=player_id)
    if not player.check_password(old):
        raise BadCredentials(pointer="/old_password")
    _set_password(player, new, pointer="/new_password")
    with transaction.atomic():
        player.save(update_fields=["password"])
        sign_out_everywhere(player.pk, "password changed")
    return player


def sign_out_everywhere(player_id: int, why: str, *, actor_id: int | None = None) -> None:
    """Revokes every login; tokens that are still young are of an older generation from now on."""
    with transaction.atomic():
        Player.objects.filter(pk=player_id).update(token_generation=models.F("token_generation") + 1)
        logins.revoke_all(player_id, why, actor_id=actor_id)


def sign_out_elsewhere(player_id: int, why: str, *, but: uuid.UUID | None) -> None:
    """As `sign_out_everywhere`, but for the browser that asks."""
    with transaction.atomic():
        Player.objects.filter(pk=player_id).update(token_generation=models.F("token_generation") + 1)
        logins.revoke_all(player_id, why, but=but)


def deactivate(player_id: int, *, actor_id: int | None) -> None:
    """The player can no longer sign in; what they own stays in the books."""
    with transaction.atomic():
        Player.objects.filter(pk=player_id).update(is_active=False)
        sign_out_everywhere(player_id, "deactivated", actor_id=actor_id)
        audit.record(actor_id, "player.deactivate", player_id)


def _refuse_when_closed() -> None:
    if not runtime.get("accounts.registration_open"):
        raise RegistrationClosed


def good_name(username: str) -> str:
    """The name as we store it. Raises BadName."""
    name = Player.normalize_username(username)
    if not re.match(USERNAME, name):
        raise BadName(
            USERNAME_RULE,
            pointer="/username",
        )
    if name.casefold().startswith(GUEST_PREFIX.casefold()):
        raise BadName(
            _("Names that begin with %(prefix)s are given to guests.") % {"prefix": GUEST_PREFIX},
            pointer="/username",
        )
    return name


def refuse_taken(name: str) -> None:
    """Raises NameTaken."""
    if Player.objects.named(name).exists():
        raise NameTaken(_("The name %(name)s is taken.") % {"name": name}, pointer="/username")


def _good_email(email: str) -> str:
    if email:
        try:
            validate_email(email)
        except ValidationError:
            raise Invalid("This is no e-mail address; leave it out if you like.", pointer="/email") from None
    return Player.objects.normalize_email(email)


def _set_password(player: Player, password: str, pointer: str = "/password") -> None:
    if len(password) > PASSWORD_CHARS_MAX:
        raise WeakPassword(
            _("A password has at most %(most)s characters.") % {"most": PASSWORD_CHARS_MAX}, pointer=pointer
        )
    try:
        validate_password(password, player)
    except ValidationError as weak:
        raise WeakPassword(" ".join(weak.messages), pointer=pointer) from None
    player.set_password(password)


def _stored(player: Player, action: str, address: str | None) -> Player:
    try:
        with transaction.atomic():
            player.save()
            audit.record(player.pk, action, player.username, address=address)
    except IntegrityError:  # another request took the name since we looked
        raise NameTaken(f"The name {player.username} is taken.", pointer="/username") from None
    viewer.become(player.pk)
    return player
