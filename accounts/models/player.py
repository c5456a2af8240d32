"""A person who plays. A guest has no password yet and keeps everything by choosing one later."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower

# Letters and digits of any script, then also _ . and -; Django normalises names to NFKC first.
USERNAME = r"^[^\W_][\w.\-]{2,23}\Z"
USERNAME_RULE = (
    "A name has 3 to 24 letters, digits, dots, dashes or underscores and begins with a letter or digit."
)


class Players(UserManager["Player"]):
    """Names are found whatever their case: "Alice" and "alice" are the same player."""

    def named(self, username: str) -> models.QuerySet[Player]:
        return self.alias(folded=Lower("username")).filter(folded=Lower(models.Value(username)))

    def get_by_natural_key(self, username: str | None) -> Player:
        return self.named(username or "").get()


class Player(AbstractUser):
    username = models.CharField(
        max_length=24,
        unique=True,
        validators=[RegexValidator(USERNAME, USERNAME_RULE)],
        error_messages={"unique": "This name is taken."},
    )
    first_name = last_name = None  # a game needs a name, not a civil one
    guest = models.BooleanField(default=False)
    language = models.CharField(max_length=10, blank=True)  # "" follows the browser
    theme = models.CharField(max_length=8, blank=True)  # "", dark, light
    colours = models.CharField(max_length=10, blank=True)  # "", green-up, red-up, blue-up
    token_generation = models.PositiveIntegerField(default=1)  # bumped: every older token is void

    objects = Players()
    REQUIRED_FIELDS: list[str] = []

    class Meta:
        verbose_name = "player"
        permissions = [("impersonate_player", "Can look at the game as a player")]
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="player_name_any_case",
                violation_error_message="This name is taken.",
            )
        ]
