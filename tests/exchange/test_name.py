"""Whoever serves a world can be found under its name, whatever an exchange did that came too late."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from simgame.kernel.tasks import end
from trading.exchange import server as module
from trading.exchange.name import inode_of
from trading.exchange.server import Server


@pytest.fixture
async def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """It serves, and looks after its name."""
    monkeypatch.setattr(module, "LOOK_S", 0.002)
    server = Server(tmp_path / "exchange-1.sock", lambda arrival: None)
    await server.open()
    keeping = asyncio.create_task(server.keep())
    yield server
    await end([keeping])
    await server.close()
    assert not server.path.exists()


async def is_found(server: Server) -> bool:
    """Whether someone who looks for it by its name becomes a link of it, within 20 s."""
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while True:
                await asyncio.sleep(0)
                if not inode_of(server.path):
                    continue
                with suppress(ConnectionRefusedError):  # nobody listens there
                    _, writer = await asyncio.open_unix_connection(str(server.path))
                    for _ in range(100):  # who listens has heard of it by then
                        await asyncio.sleep(0)
                    found = bool(server.links)
                    writer.close()
                    if found:
                        return True
    return False


async def test_an_exchange_that_was_overtaken_as_it_began_takes_no_name_with_it(newer: Server):
    late = Server(newer.path, lambda arrival: None)
    await late.open()  # over the name of the newer one
    await late.close()  # and it leaves: another one has the lease
    assert await is_found(newer)


async def test_one_that_was_killed_after_it_took_the_name_does_not_keep_it(newer: Server):
    dead = newer.path.with_suffix(".dead")
    dead.touch()
    os.replace(dead, newer.path)  # nobody listens there any more
    assert await is_found(newer)


async def test_the_name_of_a_newer_one_is_left_alone_at_first(newer: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "STRANGE_LOOKS", 1_000_000)
    newest = Server(newer.path, lambda arrival: None)
    await newest.open()
    assert await is_found(newest)
    await newest.close()
    assert await is_found(newer)
