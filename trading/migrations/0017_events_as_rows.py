"""Account events are stored as the engine's rows (decision 0085). Those that are there keep their message."""

from django.db import migrations, models

from trading.models.stored import StoredJSON


class Migration(migrations.Migration):
    dependencies = [("trading", "0016_luck_band")]
    operations = [
        migrations.AddField("accountevent", "rows", models.TextField(null=True)),
        migrations.AlterField("accountevent", "body", StoredJSON(null=True)),
    ]
