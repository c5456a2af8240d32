"""What a Celery worker loads of this room: whatever task fails for good becomes a dead letter."""

from celery.signals import task_failure

from ops import dead_letters

task_failure.connect(dead_letters.keep, weak=False, dispatch_uid="ops.dead_letters")
