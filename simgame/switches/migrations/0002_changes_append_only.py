"""The history of the switches only grows: the database refuses to change or delete a row of it."""

from django.db import migrations

SQL = """
CREATE FUNCTION switches_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER switch_changes_append_only BEFORE UPDATE OR DELETE ON switches_switchchange
    FOR EACH ROW EXECUTE FUNCTION switches_refuse_change();
"""
BACK = "DROP TRIGGER switch_changes_append_only ON switches_switchchange; DROP FUNCTION switches_refuse_change();"


class Migration(migrations.Migration):
    dependencies = [("switches", "0001_initial")]
    operations = [migrations.RunSQL(SQL, BACK)]
