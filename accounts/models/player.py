"""A person who plays. A guest has no password yet and keeps everything by choosing one later."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Player(AbstractUser):
    first_name = last_name = None  # a game needs a name, not a civil one
    guest = models.BooleanField(default=False)
    language = models.CharField(max_length=10, blank=True)  # "" follows the browser
    theme = models.CharField(max_length=8, blank=True)  # "", dark, light
    colours = models.CharField(max_length=10, blank=True)  # "", green-up, red-up, blue-up
    token_generation = models.PositiveIntegerField(default=1)  # bumped: every older token is void

    REQUIRED_FIELDS: list[str] = []
