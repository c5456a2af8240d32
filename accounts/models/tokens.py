"""How a player is known again: logins (one per device), refresh tokens, API keys. Only hashes stay."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models


class Login(models.Model):
    """One sign-in on one device: a browser session or a token family."""

    class Kind(models.TextChoices):
        BROWSER = "browser"
        TOKEN = "token"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="logins")
    kind = models.CharField(max_length=8, choices=Kind)
    session_key = models.CharField(max_length=40, blank=True, db_index=True)  # Django's, for a browser
    device = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(auto_now_add=True)  # to the minute
    revoked_at = models.DateTimeField(null=True)
    why_revoked = models.CharField(max_length=40, blank=True)
    impersonator_id = models.BigIntegerField(null=True)  # the operator who looks as the player


class RefreshToken(models.Model):
    """A refresh token of a login. One atomic UPDATE consumes it; its reuse revokes the login."""

    jti = models.UUIDField(primary_key=True)
    login = models.ForeignKey(Login, models.CASCADE, related_name="refresh_tokens")
    token_hash = models.BinaryField(unique=True)  # SHA-256
    kid = models.CharField(max_length=32)  # the key that signed it: signing it again gives the same bytes
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    consumed_at = models.DateTimeField(null=True)
    successor = models.UUIDField(null=True)


class Scope(models.TextChoices):
    """What an API key may do. Neither contains the other."""

    READ = "read"  # see orders, positions, the account; open streams
    TRADE = "trade"  # send, change and cancel orders, and whatever else changes something


class ApiKey(models.Model):
    """For bots: belongs to one portfolio (its id; accounts knows nothing of money)."""

    key_id = models.CharField(max_length=24, primary_key=True)
    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    portfolio_id = models.BigIntegerField()
    secret_hash = models.BinaryField()  # SHA-256 of 256 random bits: needs no salt
    name = models.CharField(max_length=60, blank=True)
    scopes = models.CharField(max_length=40, default="read trade")  # with spaces, as OAuth writes them
    expires_at = models.DateTimeField(null=True)  # null: works until it is revoked
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)  # to the minute
    revoked_at = models.DateTimeField(null=True)
