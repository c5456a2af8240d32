"""What orders ask for beyond price and quantity: one column that stays NULL for most of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_books")]
    operations = [migrations.AddField("order", "terms", models.JSONField(null=True))]
