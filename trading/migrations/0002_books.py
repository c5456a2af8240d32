"""What the database itself guards: the fence of the one writer, and rows that are never changed.

SQLSTATE SG001: fenced. SG002: append-only.
"""

from django.db import migrations

APPEND_ONLY = ("trading_transfer", "trading_fill", "trading_command", "trading_accountevent")
HOT = ("trading_order", "trading_balance", "trading_position")

ASSERT_EPOCH = """
CREATE FUNCTION assert_epoch(p_world bigint, p_epoch bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE found_epoch bigint;
BEGIN
  -- FOR SHARE waits for a takeover that is under way, and holds off the next one until we commit.
  SELECT epoch INTO found_epoch FROM trading_exchangelease WHERE world_id = p_world FOR SHARE;
  IF found_epoch IS DISTINCT FROM p_epoch THEN
    RAISE EXCEPTION 'FENCED: the lease of world % is at epoch %, the caller at %', p_world, found_epoch, p_epoch
      USING ERRCODE = 'SG001';
  END IF;
END $$
"""

REFUSE_CHANGE = """
CREATE FUNCTION trading_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: its rows are never changed or removed, a correction is a new row',
    TG_OP, TG_TABLE_NAME USING ERRCODE = 'SG002';
END $$
"""


def _guard(table):
    return migrations.RunSQL(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION trading_refuse_change()",
        f"DROP TRIGGER append_only ON {table}",
    )


def _leave_room(table):
    """Changed rows stay on their page and touch no index (HOT)."""
    return migrations.RunSQL(
        f"ALTER TABLE {table} SET (fillfactor = 80)", f"ALTER TABLE {table} RESET (fillfactor)"
    )


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial")]
    operations = [
        migrations.RunSQL(ASSERT_EPOCH, "DROP FUNCTION assert_epoch(bigint, bigint)"),
        migrations.RunSQL(REFUSE_CHANGE, "DROP FUNCTION trading_refuse_change()"),
        *map(_guard, APPEND_ONLY),
        *map(_leave_room, HOT),
    ]
