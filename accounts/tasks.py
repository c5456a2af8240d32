"""Celery's doors. Every task is idempotent: a redelivery changes nothing."""

from __future__ import annotations

from celery import shared_task

from accounts import idempotency


@shared_task(ignore_result=True)
def forget_answers() -> None:
    idempotency.forget()
