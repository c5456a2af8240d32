"""RS256 tokens: access for minutes, refresh that rotates. Only hashes of refresh tokens are stored.

An access token names its login (`sid`) and the player's generation (`gen`); accounts.identity checks
both, so a revoked login ends within seconds although the token is still young.

Refreshing is one atomic UPDATE: of any number at once, exactly one makes a successor. For
REFRESH_GRACE_S the same device gets that same successor again (a lost answer, two tabs); after that,
a consumed token means that somebody has a copy, and the whole login is revoked (RFC 9700, 4.14.2).
"""

from __future__ import annotations

import hashlib
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

import jwt
import msgspec
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token

from accounts import audit, logins
from accounts.errors import BadToken, ExpiredToken, ReusedToken, UnknownLogin
from accounts.models import Login, Player, RefreshToken
from accounts.signing import keyring
from simgame.kernel import clock, viewer

TOKEN_CHARS_MAX: Final = 4096  # ours have about 700; a longer one is not ours


class Claims(msgspec.Struct, frozen=True):
    """What a token of ours says, with the exact types it says it in."""

    sub: str
    sid: uuid.UUID
    jti: uuid.UUID
    iat: int
    exp: int
    gen: int = 0


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str
    expires_in: int  # seconds that the access token lives


class KeyringBackend(TokenBackend):
    """Signs with the newest key of the ring and verifies with the one that `kid` names."""

    def __init__(self, audience: str):
        super().__init__("RS256", audience=audience, issuer=settings.JWT_ISSUER)

    def encode(self, payload: dict[str, Any], kid: str = "") -> str:
        key = keyring.signer(kid)
        claims = {**payload, "aud": self.audience, "iss": self.issuer}
        return jwt.encode(claims, key.private, algorithm=self.algorithm, headers={"kid": key.kid})

    def get_verifying_key(self, token: Any) -> Any:
        if key := keyring.verifier(jwt.get_unverified_header(token).get("kid")):
            return key
        raise TokenBackendError("signed by a key that is not ours")


class OurToken(Token):
    claims: Claims

    def verify(self) -> None:
        super().verify()
        self.claims = msgspec.convert(self.payload, Claims)


class Access(OurToken):
    token_type = "access"
    lifetime: ClassVar = timedelta(seconds=settings.ACCESS_TOKEN_S)
    _token_backend = KeyringBackend(settings.JWT_AUDIENCE)


class Refresh(OurToken):
    token_type = "refresh"
    lifetime: ClassVar = timedelta(seconds=settings.REFRESH_TOKEN_S)
    # Another audience: no verifier of access tokens, ours or foreign, can take it for one.
    _token_backend = KeyringBackend(f"{settings.JWT_AUDIENCE}/refresh")


@viewer.door()
def issue(player: Player, device: str = "", address: str | None = None) -> Pair:
    """Sign a device in: a login with its first pair of tokens."""
    with transaction.atomic():
        login = logins.open_family(player, device, address)
        return _pair(login.pk, player.pk, player.token_generation, uuid.uuid4())


def access_claims(text: str) -> Claims:
    """What a valid access token says; BadToken or ExpiredToken. The login may have been revoked since."""
    return _read(Access, text)


@viewer.door()
def refresh(text: str, device: str = "", address: str | None = None) -> Pair:
    """The next pair. Raises BadToken, ExpiredToken, or ReusedToken (and then the login is revoked)."""
    claims = _read(Refresh, text)
    token_hash = _hash(text)
    with transaction.atomic():
        successor = uuid.uuid4()
        if consumed := _consume(token_hash, claims.gen, successor):
            Login.objects.filter(pk=claims.sid).update(used_at=clock.now())
            return _pair(*consumed, successor)
    return _consumed_before(claims, token_hash, device, address)


def void_all(why: str, *, actor_id: int | None = None) -> dict[str, int]:
    """Every token and browser session that there is works no more: everybody signs in again.

    For the time after a restore: a backup brings back sessions that were ended and tokens that were used up
    since. Each player's generation goes on by one, so no older token of theirs is ever believed again.
    """
    with transaction.atomic():
        players = Player.objects.update(token_generation=F("token_generation") + 1)
        ended = logins.revoke_everybodys(why)
        audit.record(actor_id, "tokens.void", "", why=why, players=players, logins=ended)
    return {"players": players, "logins": ended}


@viewer.door()
def revoke(text: str) -> None:
    """Sign out with a refresh token. Raises BadToken or ExpiredToken when it is no token of ours."""
    claims = _read(Refresh, text)
    if Login.objects.filter(pk=claims.sid, revoked_at=None).exists():
        logins.revoke(int(claims.sub), claims.sid, "signed out")


def _read(kind: type[OurToken], text: str) -> Claims:
    if not isinstance(text, str) or len(text) > TOKEN_CHARS_MAX:
        raise BadToken
    try:
        return kind(text).claims  # type: ignore[arg-type]  simplejwt annotates the text as a Token
    except ExpiredTokenError:
        raise ExpiredToken from None
    except (TokenError, TokenBackendError, msgspec.ValidationError):
        raise BadToken from None
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise BadToken from None  # claims or a header of a shape that the libraries do not expect


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _consume(token_hash: bytes, generation: int, successor: uuid.UUID) -> tuple[uuid.UUID, int, int] | None:
    """Use the token up: (login, player, generation), or None when it is used up or its login ended."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE accounts_refreshtoken AS token SET consumed_at = now(), successor = %s
              FROM accounts_login AS login JOIN accounts_player AS player ON player.id = login.player_id
             WHERE token.token_hash = %s AND token.consumed_at IS NULL AND token.expires_at > now()
               AND login.id = token.login_id AND login.revoked_at IS NULL AND player.is_active
               AND player.token_generation = %s
            RETURNING login.id, player.id, player.token_generation
            """,
            [successor, token_hash, generation],
        )
        return cursor.fetchone()


def _consumed_before(claims: Claims, token_hash: bytes, device: str, address: str | None) -> Pair:
    """The token was not there to consume: within the grace its one successor again, else the alarm."""
    token = RefreshToken.objects.select_related("login__player").filter(token_hash=token_hash).first()
    if token is None or token.login.revoked_at or not token.login.player.is_active:
        raise BadToken
    if token.consumed_at is None:
        raise ExpiredToken
    age_s = (clock.now() - token.consumed_at).total_seconds()
    if age_s <= settings.REFRESH_GRACE_S and token.login.device == device:
        return _again(token)
    with suppress(UnknownLogin):  # of many at once the first has revoked it
        logins.revoke(token.login.player_id, token.login_id, "refresh token used twice")
        audit.record(token.login.player_id, "token.reuse", token.login_id, address=address, device=device)
    raise ReusedToken


def _again(token: RefreshToken) -> Pair:
    """Signing the same claims with the same key gives the same bytes: nothing secret had to be kept."""
    player, login = token.login.player, token.login
    heir = RefreshToken.objects.get(pk=token.successor)
    text = _refresh_text(heir, player.pk, player.token_generation)
    if _hash(text) != bytes(heir.token_hash):
        raise ExpiredToken  # its signing key left within the grace
    return Pair(_access_text(login.pk, player.pk, player.token_generation), text, settings.ACCESS_TOKEN_S)


def _pair(login_id: uuid.UUID, player_id: int, generation: int, jti: uuid.UUID) -> Pair:
    kid = keyring.signer().kid
    issued_at = clock.now().replace(microsecond=0)  # tokens speak in whole seconds
    expires_at = issued_at + Refresh.lifetime
    row = RefreshToken(jti=jti, login_id=login_id, kid=kid, issued_at=issued_at, expires_at=expires_at)
    text = _refresh_text(row, player_id, generation)
    row.token_hash = _hash(text)
    row.save(force_insert=True)
    return Pair(_access_text(login_id, player_id, generation), text, settings.ACCESS_TOKEN_S)


def _access_text(login_id: uuid.UUID, player_id: int, generation: int) -> str:
    token = Access()
    token["sub"], token["sid"], token["gen"] = str(player_id), str(login_id), generation
    return str(token)


def _refresh_text(row: RefreshToken, player_id: int, generation: int) -> str:
    token = Refresh()
    token.set_iat(at_time=row.issued_at)
    token.set_exp(from_time=row.expires_at, lifetime=timedelta())
    token["jti"], token["sub"], token["sid"] = str(row.jti), str(player_id), str(row.login_id)
    token["gen"] = generation
    return Refresh._token_backend.encode(token.payload, row.kid)
