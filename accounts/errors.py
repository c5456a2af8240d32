"""Every way the accounts say no."""

from __future__ import annotations

from simgame.kernel.errors import Forbidden, Invalid, NotFound, Unauthenticated, Unavailable


class BadCredentials(Unauthenticated):
    code = "BAD_CREDENTIALS"
    title = "Name and password do not belong together"


class SecondFactorNeeded(Unauthenticated):
    code = "SECOND_FACTOR_NEEDED"
    title = "This account has a second factor: send its code too"


class BadKey(Unauthenticated):
    code = "BAD_KEY"
    title = "The API key is not valid, or it was revoked"


class ExpiredKey(Unauthenticated):
    code = "EXPIRED_KEY"
    title = "The API key has expired: make another one"


class MissingScope(Forbidden):
    code = "MISSING_SCOPE"
    title = "The API key was not given the scope that this needs"


class BadToken(Unauthenticated):
    code = "BAD_TOKEN"
    title = "The token is not valid"


class ExpiredToken(Unauthenticated):
    code = "EXPIRED_TOKEN"
    title = "The token is no longer valid: refresh it, or sign in again"


class ReusedToken(Unauthenticated):
    code = "REUSED_TOKEN"
    title = "The refresh token was used before: this device is signed out, sign in again"


class MayNotActAs(Forbidden):
    code = "MAY_NOT_ACT_AS"
    title = "You may not look at the game as this player"


class LookingOnly(Forbidden):
    code = "LOOKING_ONLY"
    title = "Who looks at the game as somebody else changes nothing"


class RegistrationClosed(Forbidden):
    code = "REGISTRATION_CLOSED"
    title = "New players cannot join at the moment"


class BadName(Invalid):
    code = "BAD_NAME"
    title = "This name cannot be used"


class NameTaken(Invalid):
    code = "NAME_TAKEN"
    title = "Another player has this name"


class WeakPassword(Invalid):
    code = "WEAK_PASSWORD"
    title = "This password is too easy to guess"


class NotAGuest(Invalid):
    code = "NOT_A_GUEST"
    title = "This account has a name and a password already"


class TooManyKeys(Invalid):
    code = "TOO_MANY_KEYS"
    title = "This portfolio has as many API keys as one may have: revoke one first"


class UnknownKey(NotFound):
    code = "UNKNOWN_KEY"
    title = "You have no such API key"


class UnknownLogin(NotFound):
    code = "UNKNOWN_LOGIN"
    title = "You are not signed in on such a device"


class KeyForAnotherRequest(Invalid):
    code = "KEY_FOR_ANOTHER_REQUEST"
    title = "This Idempotency-Key came with another request before"


class OtherSiteAway(Unavailable):
    code = "OTHER_SITE_AWAY"
    title = "The other site does not answer"
