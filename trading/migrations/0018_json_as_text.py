"""What every order writes is kept as text: `json` is parsed to be checked, each time (decision 0088).

Each table is rewritten once; what is in it stays readable.
"""

from django.db import migrations

COLUMNS = {
    "trading_command": ("payload", "result"),
    "trading_accountevent": ("body",),
    "trading_order": ("receipt",),
    "trading_fill": ("receipt",),
}


def _altered(table, columns, kind):
    changes = ", ".join(f"ALTER COLUMN {name} TYPE {kind} USING {name}::{kind}" for name in columns)
    return f"ALTER TABLE {table} {changes}"


class Migration(migrations.Migration):
    dependencies = [("trading", "0017_events_as_rows")]
    operations = [
        migrations.RunSQL(_altered(table, columns, "text"), _altered(table, columns, "json"))
        for table, columns in COLUMNS.items()
    ]
