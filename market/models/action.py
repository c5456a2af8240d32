"""Corporate actions as issuers announce them: facts about an instrument. What the books did: trading."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from market.models.instrument import Instrument
from market.models.world import World

KEY = RegexValidator(r"^[a-z0-9][a-z0-9.-]{0,21}\Z", "1 to 22 of: a-z, 0-9, dot, dash.")


class CorporateAction(models.Model):
    """Amounts are in the instrument's currency, per share; ratios are `new` for `old`."""

    class Kind(models.TextChoices):
        DIVIDEND = "dividend"
        SPLIT = "split"  # 10 for 1; 1 for 10 is a reverse split
        BONUS = "bonus"  # 13 for 10: 3 new ones for every 10
        RIGHTS = "rights"  # 3 for 10: every 10 may buy 3
        RENAME = "rename"
        DELISTING = "delisting"

    class Unused(models.TextChoices):
        SELL = "sell"  # at what they are worth on the last day: last price less subscription price
        LAPSE = "lapse"

    world = models.ForeignKey(World, models.CASCADE, related_name="actions")
    key = models.CharField(max_length=22, validators=[KEY])  # unique in its world: an action happens once
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="actions")
    kind = models.CharField(max_length=10, choices=Kind)
    amount = models.DecimalField(max_digits=20, decimal_places=8, null=True, blank=True)  # dividend
    new = models.PositiveBigIntegerField(default=1)
    old = models.PositiveBigIntegerField(default=1)
    price = models.DecimalField(max_digits=20, decimal_places=8, null=True, blank=True)
    into = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="former_names")
    record_on = models.DateField(null=True, blank=True)  # told to players; who holds at the ex-date gets it
    ex_on = models.DateField()
    pay_on = models.DateField(null=True, blank=True)  # dividend: on the ex-date when not given
    last_on = models.DateField(null=True, blank=True)  # rights: the last day to use them
    unused = models.CharField(max_length=5, choices=Unused, default=Unused.SELL, blank=True)
    withdrawn = models.BooleanField(default=False)
    note = models.CharField(max_length=200, blank=True)  # where it was announced
    announced_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-ex_on", "key"]
        constraints = [
            models.UniqueConstraint(fields=["world", "key"], name="action_once"),
            models.CheckConstraint(condition=Q(new__gt=0, old__gt=0), name="action_ratio"),
            models.CheckConstraint(
                condition=~Q(kind="dividend") | Q(amount__isnull=False, amount__gt=0),
                name="action_dividend_has_amount",
            ),
            models.CheckConstraint(
                condition=~Q(kind="rights")
                | Q(price__isnull=False, price__gt=0, last_on__isnull=False, last_on__gte=F("ex_on")),
                name="action_rights_have_price_and_end",
            ),
            models.CheckConstraint(condition=~Q(kind="rename") | Q(into__isnull=False), name="action_name"),
            models.CheckConstraint(
                condition=Q(pay_on__isnull=True) | Q(pay_on__gte=F("ex_on")), name="action_paid_after_ex"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.kind} of {self.instrument.symbol}"
