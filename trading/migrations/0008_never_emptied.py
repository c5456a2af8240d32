"""History is not emptied either: TRUNCATE passes by row triggers, so it has one of its own.

And the exchange works as a role that may write history but neither change nor delete it. A database whose
user may not make roles goes without: the triggers hold there too.
"""

from django.db import migrations, models

APPEND_ONLY = (
    "trading_transfer",
    "trading_fill",
    "trading_command",
    "trading_accountevent",
    "trading_heard",
    "trading_actionentry",
)
ROLE = "simgame_exchange"  # as in trading.exchange.database

MAKE_ROLE = f"""
DO $$ BEGIN
  CREATE ROLE {ROLE} NOLOGIN;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this server made it
  WHEN insufficient_privilege THEN RAISE NOTICE 'no role {ROLE}: this user may not make roles';
END $$;
DO $$ BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
     AND EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') THEN
    EXECUTE format('GRANT {ROLE} TO %I', current_user);
  END IF;
EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE '{ROLE} belongs to somebody else';
END $$;
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') THEN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {ROLE}', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO {ROLE}', current_schema());
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO {ROLE}', current_schema());
    -- Tables of later releases: append-only ones revoke again, as here.
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {ROLE}',
      current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE ON SEQUENCES TO {ROLE}', current_schema());
    REVOKE UPDATE, DELETE ON {", ".join(APPEND_ONLY)} FROM {ROLE};
  END IF;
END $$
"""
FORGET_ROLE = f"""
DO $$ BEGIN
  IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') THEN
    EXECUTE 'DROP OWNED BY {ROLE}';
  END IF;
END $$
"""


def _guard(table):
    return migrations.RunSQL(
        f"CREATE TRIGGER never_emptied BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION trading_refuse_change()",
        f"DROP TRIGGER never_emptied ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("trading", "0007_repair_guards")]
    operations = [
        *map(_guard, APPEND_ONLY),
        migrations.RunSQL(MAKE_ROLE, FORGET_ROLE),
        migrations.AlterField(
            model_name="reconciliation",
            name="kind",
            field=models.CharField(
                choices=[
                    ("full", "Full"),
                    ("incremental", "Incremental"),
                    ("nightly", "Nightly"),
                    ("continuous", "Continuous"),
                    ("batch", "Batch"),
                ],
                default="full",
                max_length=12,
            ),
        ),
    ]
