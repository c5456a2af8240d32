from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_first_answers")]
    operations = [
        migrations.AlterModelOptions(
            "player",
            {
                "verbose_name": "player",
                "permissions": [("impersonate_player", "Can look at the game as a player")],
            },
        ),
        migrations.AddField("login", "impersonator_id", models.BigIntegerField(null=True)),
    ]
