"""What the engine heard between commands: with the commands, all that a replay needs."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("market", "0001_initial"), ("trading", "0003_order_terms")]
    operations = [
        migrations.CreateModel(
            name="Heard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.BigIntegerField()),
                ("page", models.BinaryField()),
                (
                    "world",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="market.world",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["world", "id"], name="heard_of_world")]},
        ),
        migrations.RunSQL(
            "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON trading_heard "
            "FOR EACH ROW EXECUTE FUNCTION trading_refuse_change()",
            "DROP TRIGGER append_only ON trading_heard",
        ),
    ]
