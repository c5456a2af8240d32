"""The journal and the private streams keep the text that was written: `json` instead of `jsonb`.

Each table is rewritten once; what is in it stays readable.
"""

from django.db import migrations

from trading.models.stored import StoredJSON

COLUMNS = {
    ("command", "trading_command"): ("payload", "result"),
    ("accountevent", "trading_accountevent"): ("body",),
}
NO_NOTICES = "DROP INDEX accountevent_notices"
NOTICES = """
CREATE INDEX accountevent_notices ON trading_accountevent (portfolio_id, seq DESC)
WHERE body {} 'notices' <> '[]'"""


def _altered(table, columns, kind):
    changes = ", ".join(f"ALTER COLUMN {name} TYPE {kind} USING {name}::{kind}" for name in columns)
    return f"ALTER TABLE {table} {changes}"


def _operation(model, table, columns):
    fields = [migrations.AlterField(model, name, StoredJSON()) for name in columns]
    return migrations.SeparateDatabaseAndState(
        [migrations.RunSQL(_altered(table, columns, "json"), _altered(table, columns, "jsonb"))], fields
    )


class Migration(migrations.Migration):
    dependencies = [("trading", "0009_margin")]
    operations = [
        migrations.RunSQL(NO_NOTICES, NOTICES.format("->")),
        *[_operation(model, table, columns) for (model, table), columns in COLUMNS.items()],
        migrations.RunSQL(NOTICES.format("->>"), NO_NOTICES),
    ]
