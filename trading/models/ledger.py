"""The books. Only the exchange writes here; transfers are never changed or deleted (trigger).

An account id is the portfolio's id, or negative for a system account of a world:
`system_account(world_number, code)`. An asset is a currency code or an instrument's symbol, whose
amounts are scaled by the currency's or the instrument's quantity exponent.
Foreign keys of hot tables are not enforced by the database: `manage.py reconcile` holds them.
"""

from __future__ import annotations

from django.db import models


class LedgerAccount(models.Model):
    id = models.BigIntegerField(primary_key=True)
    world = models.ForeignKey("market.World", models.PROTECT)
    name = models.CharField(max_length=40)  # "portfolio", "market", "fees", "mint"
    portfolio = models.OneToOneField("trading.Portfolio", models.PROTECT, null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} {self.id}"


class Transfer(models.Model):
    """`amount` of `asset` left the debit account and reached the credit account."""

    class Code(models.IntegerChoices):
        GRANT = 1
        TRADE_CASH = 2
        TRADE_ASSET = 3
        FEE = 4
        REVERSAL = 5
        ADJUST = 6
        CORPORATE_ACTION = 7
        SETTLEMENT = 8  # shares that a correction finds missing, at its fair price
        VARIATION = 20  # the result of a contract, closed or marked to its settlement price
        INTEREST = 21
        BORROW_FEE = 22
        CONVERSION = 23
        EXPIRY = 24  # an expired contract leaves the position

    id = models.BigIntegerField(primary_key=True)  # world_key(world, n), n dense from 1
    seq = models.BigIntegerField()  # the command that caused it
    code = models.SmallIntegerField(choices=Code)
    debit_account = models.BigIntegerField()
    credit_account = models.BigIntegerField()
    asset = models.CharField(max_length=32)
    amount = models.BigIntegerField()
    fill_id = models.BigIntegerField(null=True)
    reverses = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="transfer_positive"),
            models.CheckConstraint(
                condition=~models.Q(debit_account=models.F("credit_account")), name="transfer_two_accounts"
            ),
            # Partial: the many that reverse nothing cost no index entry.
            models.UniqueConstraint(
                fields=["reverses"], condition=models.Q(reverses__isnull=False), name="transfer_reversed_once"
            ),
        ]


class Balance(models.Model):
    """What an account holds of an asset: the fold of its transfers, and what open orders reserve."""

    pk = models.CompositePrimaryKey("account", "asset")
    account = models.BigIntegerField()
    asset = models.CharField(max_length=32)
    posted = models.BigIntegerField()
    reserved = models.BigIntegerField(default=0)
    may_owe = models.BooleanField(db_default=False)  # of a margin portfolio: it may be less than nothing

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(account__lt=0)
                | models.Q(may_owe=True)
                | models.Q(posted__gte=models.F("reserved")),
                name="balance_available",
            ),
            models.CheckConstraint(condition=models.Q(reserved__gte=0), name="balance_reserved"),
        ]


class Position(models.Model):
    """What a portfolio's holding cost and earned: cash amounts in minor units."""

    pk = models.CompositePrimaryKey("portfolio_id", "symbol")
    portfolio = models.ForeignKey("trading.Portfolio", models.PROTECT, db_constraint=False)
    symbol = models.CharField(max_length=32)
    qty = models.BigIntegerField()  # equals the balance's posted; less than nothing: short
    bought_today = models.BigIntegerField(default=0)  # locked under T+1; of a contract: opened today
    market_day = models.IntegerField(default=0)  # the day `bought_today` and the day figures speak of
    cost = models.BigIntegerField()  # what the held quantity cost, fees included; of a contract: its worth
    # when it was opened or last settled; of a short position less than nothing: what it brought
    realised = models.BigIntegerField(default=0)  # since the start, fees included
    day_start_qty = models.BigIntegerField(default=0)  # held when the market day began
    day_cash = models.BigIntegerField(default=0)  # net cash of today's fills (sells +, buys −, fees −)
