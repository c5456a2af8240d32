"""The audit trail is a chain: each entry carries the hash of the one before and of itself.

Made by a trigger, so that no writer can forget it; the one row of `accounts_audithead` puts writers into one
order and tells when entries are missing at the end. Entries of earlier releases are chained as they stand.
`accounts.chain` computes the same to verify it.
"""

from django.db import migrations, models

CHAIN = """
CREATE FUNCTION accounts_audit_hash(previous bytea, entry accounts_auditentry) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(entry.id,
        (extract(epoch FROM entry.at) * 1000000)::bigint, entry.actor_id, entry.impersonator_id,
        entry.action, entry.subject, entry.facts, entry.before, entry.after, host(entry.address),
        entry.agent)::text, 'UTF8'))
$$;
CREATE FUNCTION accounts_audit_link() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO accounts_audithead AS head (id, last, hash) VALUES (1, 1, sha256(''))
        ON CONFLICT (id) DO UPDATE SET last = head.last + 1 RETURNING head.last, head.hash INTO NEW.id, NEW.previous;
    NEW.hash := accounts_audit_hash(NEW.previous, NEW);
    UPDATE accounts_audithead SET hash = NEW.hash;
    RETURN NEW;
END $$;
ALTER TABLE accounts_auditentry DISABLE TRIGGER audit_append_only;
DO $$
DECLARE
    link bytea := sha256('');
    number bigint := 0;
    entry accounts_auditentry;
BEGIN
    FOR entry IN SELECT * FROM accounts_auditentry ORDER BY id LOOP
        UPDATE accounts_auditentry SET previous = link, hash = accounts_audit_hash(link, entry)
            WHERE id = entry.id RETURNING id, hash INTO number, link;
    END LOOP;
    IF number > 0 THEN INSERT INTO accounts_audithead (id, last, hash) VALUES (1, number, link); END IF;
END $$;
ALTER TABLE accounts_auditentry ENABLE TRIGGER audit_append_only;
CREATE TRIGGER audit_chain BEFORE INSERT ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_link();
CREATE TRIGGER audit_never_emptied BEFORE TRUNCATE ON accounts_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER audit_head_by_the_chain BEFORE INSERT OR UPDATE OR DELETE ON accounts_audithead
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION accounts_refuse_change();
CREATE TRIGGER audit_head_never_emptied BEFORE TRUNCATE ON accounts_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION accounts_refuse_change();
"""
BACK = """
DROP TRIGGER audit_chain ON accounts_auditentry;
DROP TRIGGER audit_never_emptied ON accounts_auditentry;
DROP TRIGGER audit_head_by_the_chain ON accounts_audithead;
DROP TRIGGER audit_head_never_emptied ON accounts_audithead;
DROP FUNCTION accounts_audit_link();
DROP FUNCTION accounts_audit_hash(bytea, accounts_auditentry);
"""


def field(name, kind):
    return migrations.AddField("auditentry", name, kind)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_audit_append_only")]
    operations = [
        migrations.CreateModel(
            "AuditHead",
            [
                ("id", models.SmallIntegerField(primary_key=True, default=1, serialize=False)),
                ("last", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
            ],
        ),
        field("impersonator_id", models.BigIntegerField(null=True)),
        field("before", models.JSONField(null=True)),
        field("after", models.JSONField(null=True)),
        field("agent", models.CharField(max_length=200, blank=True, default="")),
        field("previous", models.BinaryField(max_length=32, editable=False, default=bytes)),
        field("hash", models.BinaryField(max_length=32, editable=False, default=bytes)),
        migrations.AlterField("auditentry", "agent", models.CharField(max_length=200, blank=True)),
        migrations.RunSQL(CHAIN, BACK),
    ]
