"""What players keep beside their books: notes, alerts, the equity curve; the desk's list becomes the first of
the named ones; and who hosts a private game.
"""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


FIRST = "Watching"


def lists_of_their_own(apps, schema_editor):
    Portfolio, Watchlist = apps.get_model("trading", "Portfolio"), apps.get_model("trading", "Watchlist")
    for portfolio in Portfolio.objects.exclude(watchlist=[]).iterator():
        first = uuid.UUID(int=portfolio.pk)  # before every other: their ids sort by time
        name = FIRST if not Watchlist.objects.filter(portfolio=portfolio, name=FIRST).exists() else f"{FIRST} (desk)"
        Watchlist.objects.create(id=first, portfolio=portfolio, name=name, symbols=portfolio.watchlist)


def one_list_again(apps, schema_editor):
    Portfolio, Watchlist = apps.get_model("trading", "Portfolio"), apps.get_model("trading", "Watchlist")
    for row in Watchlist.objects.order_by("-id").iterator():
        Portfolio.objects.filter(pk=row.portfolio_id).update(watchlist=row.symbols)


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0013_watchlists'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='game',
            name='host',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='hosted', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='game',
            name='invitation',
            field=models.CharField(blank=True, max_length=16),
        ),
        migrations.AddField(
            model_name='portfolio',
            name='paused',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name='game',
            name='status',
            field=models.CharField(choices=[('open', 'Open'), ('running', 'Running'), ('paused', 'Paused'), ('ended', 'Ended')], default='running', max_length=8),
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('symbol', models.CharField(max_length=32)),
                ('way', models.CharField(choices=[('above', 'Above'), ('below', 'Below')], max_length=5)),
                ('price', models.BigIntegerField()),
                ('since', models.DateTimeField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('fired_at', models.DateTimeField(null=True)),
                ('fired_price', models.BigIntegerField(null=True)),
                ('portfolio', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='trading.portfolio')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['portfolio', '-id'], name='alert_of_portfolio'), models.Index(condition=models.Q(('fired_at', None)), fields=['symbol'], name='alert_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('price__gt', 0)), name='alert_price')],
            },
        ),
        migrations.CreateModel(
            name='EquityPoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('market_day', models.IntegerField()),
                ('equity', models.BigIntegerField()),
                ('exposure', models.BigIntegerField(default=0)),
                ('portfolio', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='curve', to='trading.portfolio')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('portfolio', 'at'), name='equity_point_once')],
            },
        ),
        migrations.CreateModel(
            name='JournalNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.CharField(max_length=4000)),
                ('tags', models.JSONField(default=list)),
                ('order_id', models.UUIDField(null=True)),
                ('symbol', models.CharField(blank=True, max_length=32)),
                ('day', models.DateField(null=True)),
                ('version', models.IntegerField(default=1)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('portfolio', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notes', to='trading.portfolio')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['portfolio', '-id'], name='note_of_portfolio')],
            },
        ),
        migrations.RunPython(lists_of_their_own, one_list_again),
        migrations.RemoveField(
            model_name='portfolio',
            name='watchlist',
        ),
    ]
