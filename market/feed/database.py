"""The feed's way to PostgreSQL: one thread, one connection, and never a reason to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import structlog
from django.db import Error as DatabaseError

from market.feed import store

NO_ANSWER: Any = object()

log = structlog.get_logger(__name__)
T = TypeVar("T")


class DatabaseThread:
    def __init__(self, name: str = "feed-db") -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.errors = 0

    async def run(self, work: Callable[..., T], *arguments: Any, default: Any = None) -> T | Any:
        """Run in this thread. A database that is away costs nothing but `default`."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.thread, work, *arguments)
        except DatabaseError as error:
            self.errors += 1
            log.warning("database_away", during=work.__name__, why=str(error).strip().splitlines()[:1])
            await loop.run_in_executor(self.thread, store.forget_connection)
            return default

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self.thread, store.forget_connection)
        self.thread.shutdown()
