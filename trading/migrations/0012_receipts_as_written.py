"""Receipts are kept as the text that was written, as the journal is; and an account event says itself whether
it tells the player something, where an index parsed each body to find that out.

Orders and fills are rewritten once; what is in them stays readable.
"""

from django.db import migrations, models

from trading.models.stored import StoredJSON

COLUMNS = [
    ("order", "trading_order", "receipt", StoredJSON(default=dict)),
    ("fill", "trading_fill", "receipt", StoredJSON()),
]
NO_NOTICES = "DROP INDEX accountevent_notices"
NOTICES_BY_BODY = """
CREATE INDEX accountevent_notices ON trading_accountevent (portfolio_id, seq DESC)
WHERE body ->> 'notices' <> '[]'"""
NOTICED = """
ALTER TABLE trading_accountevent ADD COLUMN noticed boolean NOT NULL DEFAULT false;
ALTER TABLE trading_accountevent DISABLE TRIGGER append_only;
UPDATE trading_accountevent SET noticed = true WHERE body ->> 'notices' <> '[]';
ALTER TABLE trading_accountevent ENABLE TRIGGER append_only;
ALTER TABLE trading_accountevent ALTER COLUMN noticed DROP DEFAULT"""
NOTICES = "CREATE INDEX accountevent_notices ON trading_accountevent (portfolio_id, seq DESC) WHERE noticed"


def _operation(model, table, column, field):
    altered = f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {{0}} USING {column}::{{0}}"
    return migrations.SeparateDatabaseAndState(
        [migrations.RunSQL(altered.format("json"), altered.format("jsonb"))],
        [migrations.AlterField(model, column, field)],
    )


class Migration(migrations.Migration):
    dependencies = [("trading", "0011_listing")]
    operations = [
        *[_operation(*each) for each in COLUMNS],
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(NOTICED, "ALTER TABLE trading_accountevent DROP COLUMN noticed")],
            [migrations.AddField("accountevent", "noticed", models.BooleanField(default=False))],
        ),
        migrations.RunSQL(NO_NOTICES, NOTICES_BY_BODY),
        migrations.RunSQL(NOTICES, NO_NOTICES),
    ]
