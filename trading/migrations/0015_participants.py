"""What is public of a portfolio, as a view: it reads as its owner, so the rows themselves stay walled."""

from django.db import migrations, models

VIEW = """
CREATE VIEW trading_participant AS
SELECT portfolio.id AS portfolio_id, portfolio.game_id, player.username, player.guest
  FROM trading_portfolio portfolio JOIN accounts_player player ON player.id = portfolio.player_id"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0014_desk_notes"), ("accounts", "0001_initial")]
    operations = [
        migrations.RunSQL(
            VIEW,
            "DROP VIEW trading_participant",
            state_operations=[
                migrations.CreateModel(
                    name="Participant",
                    fields=[
                        (
                            "portfolio",
                            models.OneToOneField(
                                db_constraint=False,
                                on_delete=models.DO_NOTHING,
                                primary_key=True,
                                serialize=False,
                                to="trading.portfolio",
                            ),
                        ),
                        ("username", models.CharField(max_length=24)),
                        ("guest", models.BooleanField()),
                        (
                            "game",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=models.DO_NOTHING,
                                related_name="participants",
                                to="trading.game",
                            ),
                        ),
                    ],
                    options={"db_table": "trading_participant", "managed": False},
                )
            ],
        ),
    ]
