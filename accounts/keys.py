"""API keys for bots: a key belongs to one portfolio; its secret is shown once and only hashed here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts import audit
from accounts.errors import BadKey, ExpiredKey, TooManyKeys, UnknownKey
from accounts.logins import recent
from accounts.models import ApiKey, Player, Scope
from simgame.kernel import clock
from simgame.kernel.errors import Invalid

KEYS_PER_PORTFOLIO_MAX: Final = 20
EVERY_SCOPE: Final = frozenset(Scope.values)
_NOBODYS_HASH: Final = bytes(32)


def make(
    player_id: int,
    portfolio_id: int,
    name: str = "",
    *,
    scopes: Iterable[str] = EVERY_SCOPE,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key and its secret. The caller has checked that the portfolio is the player's.

    Raises TooManyKeys; Invalid for scopes that there are not, and for a time that has passed.
    """
    may = _scopes(scopes)
    if expires_at is not None and expires_at <= clock.now():
        raise Invalid(_("A key must expire later than now."), pointer="/expires_at")
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
            scopes=may,
            expires_at=expires_at,
        )
        until = expires_at.isoformat() if expires_at else None
        audit.record(player_id, "key.make", key_id, portfolio_id=portfolio_id, scopes=may, expires_at=until)
    return key, secret


def of_player(player_id: int) -> QuerySet[ApiKey]:
    """The keys that work, the newest first."""
    return working().filter(player_id=player_id).order_by("-created_at", "key_id")


def working() -> QuerySet[ApiKey]:
    """Neither revoked nor expired."""
    return ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=clock.now()), revoked_at=None)


def revoke(player_id: int, key_id: str, *, actor_id: int | None = None) -> None:
    """UnknownKey when it is not the player's or does not work any more."""
    if not of_player(player_id).filter(pk=key_id).update(revoked_at=clock.now()):
        raise UnknownKey
    transaction.on_commit(recent.forget)  # not before: another request might remember the old row
    audit.record(actor_id or player_id, "key.revoke", key_id)


def revoke_everybodys(why: str, *, actor_id: int | None = None) -> int:
    """No key of anybody works any more. How many did."""
    with transaction.atomic():
        count = working().update(revoked_at=clock.now())
        transaction.on_commit(recent.forget)
        audit.record(actor_id, "key.revoke_everybodys", "", why=why, keys=count)
    return count


def verified(key_id: str, secret: str) -> ApiKey:
    """The key, with its player. BadKey for an unknown id as for a wrong secret, by the same work.

    ExpiredKey, to who knows the secret.
    """
    key = ApiKey.objects.select_related("player").filter(pk=key_id).first()
    same = hmac.compare_digest(bytes(key.secret_hash) if key else _NOBODYS_HASH, _hash(secret))
    if not key or not same or key.revoked_at or not key.player.is_active:
        raise BadKey
    if key.expires_at and key.expires_at <= clock.now():
        raise ExpiredKey
    return key


def _scopes(wanted: Iterable[str]) -> str:
    asked = list(wanted)
    if not asked or not EVERY_SCOPE.issuperset(asked):
        raise Invalid(_("A key has one scope or more of: read, trade."), pointer="/scopes")
    return " ".join(scope for scope in Scope.values if scope in asked)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
