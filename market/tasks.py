"""Celery's doors."""

from __future__ import annotations

from typing import Any

import msgspec
from celery import shared_task

from market.sources.polled import carry
from market.sources.polled.dialect import Request


@shared_task(ignore_result=True)
def poll(request: dict[str, Any], number: int, key: str, per_minute: int) -> None:
    """Carry one request of a polled source to its venue, and the answer back to the feed."""
    carry.carry(msgspec.convert(request, Request), number, key, per_minute)
