"""Named watchlists, and a way to what moved in a portfolio's books without a fill.

The indexes are partial: the transfers of orders, nearly all there are, cost no entry.
"""

import django.db.models.deletion
from django.db import migrations, models

import simgame.kernel.ids

MOVED = "1, 6, 7, 8, 20, 21, 22, 23, 24"  # trading.activities.WORDS
INDEX = "CREATE INDEX transfer_moved_{side} ON trading_transfer ({side}_account) WHERE code IN ({moved})"


def index(side):
    return migrations.RunSQL(
        INDEX.format(side=side, moved=MOVED), f"DROP INDEX transfer_moved_{side}"
    )


class Migration(migrations.Migration):
    dependencies = [("trading", "0012_receipts_as_written")]

    operations = [
        migrations.CreateModel(
            name="Watchlist",
            fields=[
                ("id", models.UUIDField(default=simgame.kernel.ids.uuid7, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=64)),
                ("symbols", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "portfolio",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="watchlists",
                        to="trading.portfolio",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("portfolio", "name"), name="watchlist_name")
                ],
            },
        ),
        index("debit"),
        index("credit"),
    ]
