"""Breaks are followed up: evidence, state, and how far the checker has come."""

import django.db.models.deletion
import simgame.kernel.clock
from django.db import migrations, models

ADOPT = """
UPDATE trading_break b SET world_id = r.world_id, state = 'explained',
  explanation = 'Found by a release that did not follow breaks up; what is still broken is found again.'
FROM trading_reconciliation r WHERE r.id = b.reconciliation_id"""


class Migration(migrations.Migration):

    dependencies = [
        ('market', '0001_initial'),
        ('trading', '0004_heard'),
    ]

    operations = [
        migrations.CreateModel(
            name='CheckerState',
            fields=[
                ('world', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='market.world')),
                ('beat_at', models.DateTimeField(null=True)),
                ('seq', models.BigIntegerField(default=0)),
                ('passes', models.BigIntegerField(default=0)),
                ('pass_ms', models.IntegerField(default=0)),
                ('round_at', models.DateTimeField(null=True)),
                ('round_ms', models.BigIntegerField(default=0)),
                ('coverage', models.JSONField(default=dict)),
                ('open_breaks', models.IntegerField(default=0)),
                ('why', models.TextField(blank=True, default='')),
            ],
        ),
        migrations.AddField(
            model_name='break',
            name='digest',
            field=models.CharField(default='', max_length=64),
        ),
        migrations.AddField(
            model_name='break',
            name='explained_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='break',
            name='explained_by',
            field=models.CharField(blank=True, default='', max_length=150),
        ),
        migrations.AddField(
            model_name='break',
            name='explanation',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='break',
            name='found_at',
            field=models.DateTimeField(default=simgame.kernel.clock.now),
        ),
        migrations.AddField(
            model_name='break',
            name='frozen_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='break',
            name='portfolios',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='break',
            name='query',
            field=models.TextField(default=''),
        ),
        migrations.AddField(
            model_name='break',
            name='seen_at',
            field=models.DateTimeField(default=simgame.kernel.clock.now),
        ),
        migrations.AddField(
            model_name='break',
            name='seq',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='break',
            name='state',
            field=models.CharField(choices=[('open', 'Open'), ('explained', 'Explained')], default='open', max_length=9),
        ),
        migrations.AddField(
            model_name='break',
            name='world',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='breaks', to='market.world'),
        ),
        migrations.AddField(
            model_name='reconciliation',
            name='business_date',
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name='reconciliation',
            name='coverage',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='reconciliation',
            name='kind',
            field=models.CharField(choices=[('full', 'Full'), ('incremental', 'Incremental'), ('nightly', 'Nightly'), ('continuous', 'Continuous')], default='full', max_length=12),
        ),
        migrations.AddField(
            model_name='reconciliation',
            name='since_seq',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='reconciliation',
            name='until_seq',
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunSQL(ADOPT, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='break',
            name='world',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='breaks', to='market.world'),
        ),
        migrations.AddIndex(
            model_name='break',
            index=models.Index(fields=['world', 'state'], name='break_of_world'),
        ),
        migrations.AddConstraint(
            model_name='break',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('world', 'invariant', 'subject'), name='break_open_once'),
        ),
        migrations.AddConstraint(
            model_name='reconciliation',
            constraint=models.UniqueConstraint(condition=models.Q(('business_date__isnull', False)), fields=('world', 'business_date'), name='reconciliation_once_a_day'),
        ),
    ]
