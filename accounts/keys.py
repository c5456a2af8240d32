"""API keys for bots: a key belongs to one portfolio; its secret is shown once and only hashed here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from accounts import audit
from accounts.errors import BadKey, TooManyKeys, UnknownKey
from accounts.logins import recent
from accounts.models import ApiKey, Player
from simgame.kernel import clock

KEYS_PER_PORTFOLIO_MAX: Final = 20
_NOBODYS_HASH: Final = bytes(32)


def make(player_id: int, portfolio_id: int, name: str = "") -> tuple[ApiKey, str]:
    """A key and its secret. The caller has checked that the portfolio is the player's."""
    secret = secrets.token_urlsafe(32)
    key_id = "SG" + base64.b32encode(secrets.token_bytes(11)).decode().rstrip("=")
    with transaction.atomic():
        Player.objects.select_for_update().get(pk=player_id)  # two requests at once: one count
        if of_player(player_id).filter(portfolio_id=portfolio_id).count() >= KEYS_PER_PORTFOLIO_MAX:
            raise TooManyKeys(limit=KEYS_PER_PORTFOLIO_MAX)
        key = ApiKey.objects.create(
            key_id=key_id,
            player_id=player_id,
            portfolio_id=portfolio_id,
            secret_hash=_hash(secret),
            name=name,
        )
        audit.record(player_id, "key.make", key_id, portfolio_id=portfolio_id)
    return key, secret


def of_player(player_id: int) -> QuerySet[ApiKey]:
    """The keys that work, the newest first."""
    return ApiKey.objects.filter(player_id=player_id, revoked_at=None).order_by("-created_at", "key_id")


def revoke(player_id: int, key_id: str, *, actor_id: int | None = None) -> None:
    """UnknownKey when it is not the player's or does not work any more."""
    if not of_player(player_id).filter(pk=key_id).update(revoked_at=clock.now()):
        raise UnknownKey
    transaction.on_commit(recent.forget)  # not before: another request might remember the old row
    audit.record(actor_id or player_id, "key.revoke", key_id)


def verified(key_id: str, secret: str) -> ApiKey:
    """The key, with its player. BadKey for an unknown id as for a wrong secret, by the same work."""
    key = ApiKey.objects.select_related("player").filter(pk=key_id).first()
    same = hmac.compare_digest(bytes(key.secret_hash) if key else _NOBODYS_HASH, _hash(secret))
    if not key or not same or key.revoked_at or not key.player.is_active:
        raise BadKey
    return key


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
