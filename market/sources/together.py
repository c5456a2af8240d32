"""Several markets in one world: each of its sources speaks for instruments of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from market.sources.base import Source, Stage, State
from market.sources.several import Several
from simgame.kernel import tasks

LOOK_S = 0.5


class Together(Several):
    """Live when one of them is: the others' instruments are stale, and nothing fills by them."""

    def __init__(self, sources: Sequence[Source]):
        super().__init__(sources)
        self.name = ",".join(source.name for source in sources)

    async def run(self, stage: Stage) -> None:
        self.become(State.CONNECTING)
        jobs = [
            asyncio.create_task(source.run(stage), name=f"source-{source.name}") for source in self.sources
        ]
        jobs.append(asyncio.create_task(self._look_for_ever(), name="together"))
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_EXCEPTION)
            for job in done:
                job.result()
        finally:
            await tasks.end(jobs)

    async def _look_for_ever(self) -> None:
        while True:
            ill = [source.name for source in self.sources if not source.live]
            if self.state is State.CONNECTING and len(ill) < len(self.sources):
                self.become(State.LIVE)
            elif self.state in (State.LIVE, State.DEGRADED):
                state = State.DEGRADED if ill else State.LIVE
                if state is not self.state:
                    self.become(state, f"not live: {', '.join(ill)}" if ill else "")
            await asyncio.sleep(LOOK_S)

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "sources": [source.describe() for source in self.sources]}
