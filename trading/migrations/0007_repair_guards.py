"""Entries of corporate actions are never changed; what was proposed stays what was approved (SG002)."""

from django.db import migrations

APPEND_ONLY = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading_actionentry
FOR EACH ROW EXECUTE FUNCTION trading_refuse_change()"""

FIXED = """
CREATE FUNCTION trading_proposal_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.status IN ('applied', 'withdrawn')
    OR (NEW.world_id, NEW.kind, NEW.payload, NEW.reason, NEW.proposed_by_id, NEW.undoes_id)
      IS DISTINCT FROM (OLD.world_id, OLD.kind, OLD.payload, OLD.reason, OLD.proposed_by_id, OLD.undoes_id)
    OR (OLD.approved_by_id IS NOT NULL AND NEW.approved_by_id IS DISTINCT FROM OLD.approved_by_id)
  THEN
    RAISE EXCEPTION '% of proposal % is refused: what was proposed and approved never changes', TG_OP, OLD.id
      USING ERRCODE = 'SG002';
  END IF;
  RETURN NEW;
END $$
"""
GUARD = """
CREATE TRIGGER fixed BEFORE UPDATE OR DELETE ON trading_proposal
FOR EACH ROW EXECUTE FUNCTION trading_proposal_is_fixed()"""

# A player who comes back is told what happened meanwhile: few events carry a notice.
NOTICES = """
CREATE INDEX accountevent_notices ON trading_accountevent (portfolio_id, seq DESC)
WHERE body -> 'notices' <> '[]'"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0006_repair")]
    operations = [
        migrations.RunSQL(APPEND_ONLY, "DROP TRIGGER append_only ON trading_actionentry"),
        migrations.RunSQL(FIXED, "DROP FUNCTION trading_proposal_is_fixed()"),
        migrations.RunSQL(GUARD, "DROP TRIGGER fixed ON trading_proposal"),
        migrations.RunSQL(NOTICES, "DROP INDEX accountevent_notices"),
    ]
