"""Games, the portfolios in them, and how they rank."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from market.models import World


class PortfolioKind(models.TextChoices):
    CASH = "cash"  # owes nothing ever
    MARGIN = "margin"  # credit, short positions, contracts: docs/guide.md


class Game(models.Model):
    class Status(models.TextChoices):
        OPEN = "open"
        RUNNING = "running"
        PAUSED = "paused"  # by its host: every portfolio in it is cancel-only
        ENDED = "ended"

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=80)
    world = models.ForeignKey(World, models.PROTECT, related_name="games")
    season = models.BooleanField(default=False)  # the public game that newcomers join
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    currency = models.CharField(max_length=8)
    start_cash = models.BigIntegerField()  # minor units
    portfolio_kind = models.CharField(max_length=8, choices=PortfolioKind, default=PortfolioKind.CASH)
    # Of margin portfolios, taken over when one is opened (trading.engine.commands.MarginTerms):
    leverage = models.PositiveSmallIntegerField(default=1)  # securities: at most this times their own money
    shorts_allowed = models.BooleanField(default=False)
    interest_ppb = models.BigIntegerField(default=0)  # a year, on what is owed
    margin_call_s = models.PositiveIntegerField(default=1_800)  # world seconds to meet a margin call
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    # Of a private game: who made it, and the word that lets others in.
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="hosted"
    )
    invitation = models.CharField(max_length=16, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["world"],
                condition=models.Q(season=True, status="running"),
                name="game_one_running_season",
            ),
            models.CheckConstraint(
                condition=models.Q(leverage__gte=1, leverage__lte=100, interest_ppb__gte=0)
                & (models.Q(portfolio_kind="margin") | models.Q(leverage=1, shorts_allowed=False)),
                name="game_margin",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Portfolio(models.Model):
    """A player's money and positions in one game. The exchange writes its books; see models.ledger."""

    class Status(models.TextChoices):
        OPENING = "opening"  # the exchange has not granted the start cash yet
        ACTIVE = "active"
        FROZEN = "frozen"  # cancel-only

    player = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="portfolios")
    game = models.ForeignKey(Game, models.PROTECT, related_name="portfolios")
    status = models.CharField(max_length=8, choices=Status, default=Status.OPENING)
    kind = models.CharField(max_length=8, choices=PortfolioKind, default=PortfolioKind.CASH)
    margin = models.JSONField(null=True)  # MarginTerms that it was opened with; NULL for a cash portfolio
    margin_call_ns = models.BigIntegerField(default=0)  # world time to meet a margin call by; 0: none
    accrued_day = models.IntegerField(default=0)  # market day up to which interest and borrow fees are paid
    paused = models.BooleanField(default=False, db_default=False)  # frozen because its host paused the game
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["player", "game"], name="portfolio_one_per_game"),
            models.CheckConstraint(
                condition=models.Q(kind="cash", margin__isnull=True)
                | models.Q(kind="margin", margin__isnull=False),
                name="portfolio_margin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.player} in {self.game}"


class Rank(models.Model):
    """A portfolio's standing when it was last computed: equity in minor units of the game's currency."""

    portfolio = models.OneToOneField(Portfolio, models.CASCADE, primary_key=True)
    game = models.ForeignKey(Game, models.CASCADE, related_name="ranks")
    rank = models.PositiveIntegerField()
    previous_rank = models.PositiveIntegerField(null=True)
    equity = models.BigIntegerField()
    day_start_equity = models.BigIntegerField()
    market_day = models.IntegerField(default=0)
    fills = models.PositiveIntegerField(default=0)
    max_drawdown_ppb = models.BigIntegerField(default=0)
    peak_equity = models.BigIntegerField(default=0)
    # Results in minor units between which ninety in a hundred coins end (trading.luck); NULL: too early.
    luck_low = models.BigIntegerField(null=True)
    luck_high = models.BigIntegerField(null=True)
    luck_beats = models.PositiveSmallIntegerField(null=True)  # per mille of the coins that end lower
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["game", "rank"], name="rank_order")]


class Participant(models.Model):
    """What is public of a portfolio: that a player of this name is in the game. A view, to read."""

    portfolio = models.OneToOneField(Portfolio, models.DO_NOTHING, primary_key=True, db_constraint=False)
    game = models.ForeignKey(Game, models.DO_NOTHING, related_name="participants", db_constraint=False)
    username = models.CharField(max_length=24)
    guest = models.BooleanField()

    class Meta:
        managed = False
        db_table = "trading_participant"
