"""A hidden day as a source: when it is over, it says which day it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from channels.db import database_sync_to_async

from market.sources.base import Stage, State
from market.sources.replay.source import ReplaySource
from simgame.kernel import tasks


class HiddenSource(ReplaySource):
    """`reveal` is called once, in a thread of the database, when the recording was played to its end."""

    def __init__(self, *arguments: Any, reveal: Callable[[], object], **more: Any):
        super().__init__(*arguments, **more)
        self._reveal = reveal
        self._over = asyncio.Event()

    def become(self, state: State, note: str = "") -> None:
        super().become(state, note)
        if state is State.ENDED:
            self._over.set()

    async def run(self, stage: Stage) -> None:
        revealing = asyncio.create_task(self._reveal_at_the_end(), name="reveal")
        try:
            await super().run(stage)
        finally:
            await tasks.end([revealing])

    async def _reveal_at_the_end(self) -> None:
        await self._over.wait()
        await database_sync_to_async(self._reveal)()
