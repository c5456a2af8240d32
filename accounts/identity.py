"""Who asks: from an API key, an access token or a browser session to an Identity.

The first credential that is presented counts, in this order, and there is no falling back to the
next: a request with a bad key is refused although its cookie is good. What was good is remembered in
this process for RECENT_S, so that a revocation holds within 5 s and the hot path asks the database
once in that time.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from io import BytesIO
from typing import Any, Final, Literal, NamedTuple

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.core.handlers.asgi import ASGIRequest
from django.db import DatabaseError
from django.http import HttpRequest, parse_cookie
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.crypto import constant_time_compare

from accounts import keys, tokens
from accounts.errors import BadToken, ExpiredToken, LookingOnly, MissingScope
from accounts.logins import LOGIN_ID, recent
from accounts.models import ApiKey, Login, Player
from simgame.kernel import clock, viewer
from simgame.kernel.errors import Malformed, Unauthenticated
from simgame.problem import CsrfFailed

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOKING: Final = frozenset({"read"})
USED_EVERY: Final = timedelta(minutes=1)  # `used_at` is exact to this: not one write per request
CREDENTIAL_CHARS_MAX: Final = 8192
RENEW_BEFORE_S: Final = 1.5  # keys in use are renewed when they would be forgotten so soon …
RENEW_AFTER_S: Final = 0.2  # … after others have had the time to join in one question
RENEWED_AT_ONCE: Final = 128

log = structlog.get_logger(__name__)
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


@dataclass(frozen=True, slots=True)
class Identity:
    player_id: int
    portfolio_id: int | None  # the key's; with a session or token the request picks one
    login_id: uuid.UUID | None
    key_id: str | None
    how: Literal["session", "token", "key"]
    scopes: frozenset[str] = keys.EVERY_SCOPE  # of a key; a player who signed in may do all

    impersonator_id: int | None = None  # the operator who looks at the game as this player

    def require(self, scope: str) -> None:
        """Raises MissingScope, which names the scope; LookingOnly to an operator who acts as the player."""
        if scope not in self.scopes:
            if self.impersonator_id is not None:
                raise LookingOnly
            has = ", ".join(sorted(self.scopes))
            raise MissingScope(
                f"This needs a key with the scope {scope}; yours has: {has}.",
                scope=scope,
                scopes=sorted(self.scopes),
            )

    @property
    def session(self) -> str:
        """Names what let them in: the thing that one revocation ends."""
        return f"key:{self.key_id}" if self.key_id else f"login:{self.login_id}"


class Known(NamedTuple):
    """`player`: None where a key was renewed since; orders never look at it, and who does asks anew."""

    identity: Identity
    player: Player | None


_to_renew: dict[bytes, Known] = {}
_renewing: set[asyncio.Task[None]] = set()


class Credential(NamedTuple):
    """What a request presents; `how` is empty when it presents nothing."""

    how: Literal["session", "token", "key", ""]
    value: str = ""
    secret: str = ""


class Presented(NamedTuple):
    """A credential and the name under which it is remembered."""

    credential: Credential
    digest: bytes


async def identify(scope: Mapping[str, Any]) -> Identity:
    """Who sends the request (or opens the socket) of this ASGI scope.

    Raises Unauthenticated or one of its kinds, and CsrfFailed for an unsafe request by cookie. For a
    socket the caller checks the Origin.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return await identify_headers(headers, scope)


async def identify_headers(headers: Mapping[str, str], scope: Mapping[str, Any]) -> Identity:
    """As `identify`, when the caller has decoded the headers already (lower-case names)."""
    return await identify_presented(presented(headers), scope)


def presented(headers: Mapping[str, str]) -> Presented:
    """What the headers present. Raises Unauthenticated and Malformed for what cannot be ours."""
    cookie = headers.get("cookie")
    credential = _presented(headers.get, parse_cookie(cookie) if cookie else {})
    return Presented(credential, _digest(credential))


async def identify_presented(shown: Presented, scope: Mapping[str, Any]) -> Identity:
    """As `identify`, of what was read before: a connection presents the same again and again."""
    known = await _known(shown)
    if shown.credential.how == "session" and scope.get("method", "GET") not in SAFE_METHODS:
        check_csrf(ASGIRequest(dict(scope), BytesIO()))
    return known.identity


async def identify_token(token: str) -> Identity:
    """Who holds this access token: for sockets that authenticate with a message."""
    credential = Credential("token", token)
    return (await _known(Presented(credential, _digest(credential)))).identity


async def identify_key(key_id: str, secret: str) -> Identity:
    credential = Credential("key", key_id, secret)
    return (await _known(Presented(credential, _digest(credential)))).identity


async def _known(shown: Presented) -> Known:
    """What is remembered, else what the database says."""
    known = remembered(shown) or await database_sync_to_async(_find)(shown.credential)
    viewer.become(known.identity.player_id)
    return known


def remembered(shown: Presented) -> Known | None:
    """None where the database has to be asked. On an event loop only: a key that soon will be forgotten is
    renewed beside the request, together with all others."""
    credential, digest = shown
    known, left_s = recent.look(digest)
    if known is not None and left_s < RENEW_BEFORE_S and credential.how == "key":
        _to_renew[digest] = known
        if not _renewing:
            _renewing.add(task := asyncio.create_task(_renew()))
            task.add_done_callback(_renewing.discard)
    return known


async def _renew() -> None:
    await asyncio.sleep(RENEW_AFTER_S)
    asked = list(_to_renew.items())
    try:
        for start in range(0, len(asked), RENEWED_AT_ONCE):  # requests are answered between two handfuls
            await database_sync_to_async(_renew_keys)(dict(asked[start : start + RENEWED_AT_ONCE]))
    except DatabaseError as error:  # who asks after that hears of it
        log.info("keys_not_renewed", why=str(error))
    finally:
        _to_renew.clear()


def of_request(request: HttpRequest) -> Identity:
    """As `identify`, for a Django or DRF view."""
    return known_of_request(request).identity


def known_of_request(request: HttpRequest) -> Known:
    """The identity with a Player of the caller's own, at most RECENT_S old."""
    credential = _presented(request.headers.get, request.COOKIES)
    known = recent.get(_digest(credential))
    if known is None or known.player is None:
        known = _find(credential)
    if credential.how == "session" and request.method not in SAFE_METHODS:
        check_csrf(request)
    viewer.become(known.identity.player_id)
    return Known(known.identity, copy.copy(known.player))


def presents_credential(request: HttpRequest) -> bool:
    """Does the request say at all who sends it? A cookie without a living session does not."""
    credential = _presented(request.headers.get, request.COOKIES)
    if credential.how != "session":
        return bool(credential.how)
    try:
        return bool(recent.get(_digest(credential)) or _find(credential))
    except Unauthenticated:
        return False


def check_csrf(request: HttpRequest) -> None:
    """Django's own check, whatever the view is exempt from. Raises CsrfFailed."""
    check = _CsrfCheck(lambda _: None)  # type: ignore[arg-type, return-value]  it never answers by itself
    check.process_request(request)
    if reason := check.process_view(request, None, (), {}):
        raise CsrfFailed(f"{reason} Send the csrftoken cookie's value in X-CSRFToken, from our own origin.")


async def ended(player_id: int, session: str) -> bool:
    """Has this `Identity.session` been revoked, or its player deactivated? Asks the database."""
    return await database_sync_to_async(_ended)(player_id, session)


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> str:  # type: ignore[override]
        return reason


def _presented(header: Callable[[str], str | None], cookies: Mapping[str, str]) -> Credential:
    key_id, secret = header("apca-api-key-id"), header("apca-api-secret-key")
    if key_id is not None or secret is not None:
        return _short_enough(Credential("key", key_id or "", secret or ""))
    if authorization := header("authorization"):
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Authorization is read as `Bearer <access token>`.")
        return _short_enough(Credential("token", token.strip()))
    if session_key := cookies.get(settings.SESSION_COOKIE_NAME):
        return _short_enough(Credential("session", session_key))
    return Credential("")


def _short_enough(credential: Credential) -> Credential:
    if len(credential.value) + len(credential.secret) > CREDENTIAL_CHARS_MAX:
        raise Unauthenticated("The credentials are too long to be ours.")
    if "\x00" in credential.value:
        raise Malformed("A credential holds a NUL character.")
    return credential


def _digest(credential: Credential) -> bytes:
    return hashlib.sha256("\n".join(credential).encode("utf-8", "surrogateescape")).digest()


@viewer.door()
def _find(credential: Credential) -> Known:
    """Ask the database. Many requests with one credential come here one after another: the first
    one's answer serves the others."""
    digest = _digest(credential)
    known = recent.get(digest)
    if known is not None and known.player is not None:
        return known
    match credential.how:
        case "key":
            known = _by_key(credential.value, credential.secret)
        case "token":
            known = _by_token(credential.value)
        case "session":
            known = _by_session(credential.value)
        case _:
            raise Unauthenticated
    recent.put(digest, known)
    return known


def _by_key(key_id: str, secret: str) -> Known:
    key = keys.verified(key_id, secret)
    now = clock.now()
    if key.used_at is None or key.used_at < now - USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(used_at=now)
    scopes = frozenset(key.scopes.split())
    return Known(Identity(key.player_id, key.portfolio_id, None, key.key_id, "key", scopes), key.player)


@viewer.door()
def _renew_keys(asked: Mapping[bytes, Known]) -> None:
    """One question for all of them: those that still work are remembered for another while."""
    wanted = [known.identity.key_id for known in asked.values()]
    work = keys.working().filter(pk__in=wanted, player__is_active=True)
    rows = dict(work.values_list("pk", "used_at"))  # two columns: this competes with orders for the processor
    now = clock.now()
    used = [pk for pk, used_at in rows.items() if used_at is None or used_at < now - USED_EVERY]
    if used:
        ApiKey.objects.filter(pk__in=used).update(used_at=now)
    for digest, known in asked.items():
        if known.identity.key_id in rows:
            recent.put(digest, Known(known.identity, None))


def _by_token(text: str) -> Known:
    claims = tokens.access_claims(text)
    login = _living(claims.sid)
    if login is None or login.player.token_generation != claims.gen or str(login.player_id) != claims.sub:
        raise ExpiredToken("This device was signed out.")
    if login.kind != Login.Kind.TOKEN:
        raise BadToken
    return Known(Identity(login.player_id, None, login.pk, None, "token"), login.player)


def _by_session(session_key: str) -> Known:
    session = SessionStore(session_key).load()
    login = _living(session.get(LOGIN_ID))
    if login is None or session.get(SESSION_KEY) != str(login.player_id):
        raise Unauthenticated
    if not constant_time_compare(session.get(HASH_SESSION_KEY, ""), login.player.get_session_auth_hash()):
        raise Unauthenticated  # the password changed since
    who = Identity(login.player_id, None, login.pk, None, "session")
    if login.impersonator_id is not None:
        who = replace(who, scopes=LOOKING, impersonator_id=login.impersonator_id)
    return Known(who, login.player)


def _living(login_id: object) -> Login | None:
    login = Login.objects.select_related("player").filter(pk=login_id, revoked_at=None).first()
    if login is None or not login.player.is_active:
        return None
    now = clock.now()
    if login.used_at < now - USED_EVERY:
        Login.objects.filter(pk=login.pk).update(used_at=now)
    return login


@viewer.door()
def _ended(player_id: int, session: str) -> bool:
    kind, _, name = session.partition(":")
    rows = keys.working() if kind == "key" else Login.objects.filter(revoked_at=None)
    return not rows.filter(pk=name, player_id=player_id, player__is_active=True).exists()
