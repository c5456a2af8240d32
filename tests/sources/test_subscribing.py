"""An operator subscribes everything, asks how it stands, and repairs: commands against a running feed."""

from __future__ import annotations

import asyncio
import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command

from market import worlds
from tests.feed.conftest import Runner, until
from tests.venues.crypto import SYMBOLS
from tests.venues.process import Street, Venue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def binance(settings: Any, street: Street) -> Venue:
    there = street.fresh("binance")
    settings.CRYPTO_SYMBOLS, settings.CRYPTO_SOURCES = SYMBOLS[:6], ["binance"]
    settings.BINANCE_WS = f"ws://{there.address}/stream"
    settings.BINANCE_REST = f"http://{there.address}"
    return there


def run(command: str, *arguments: str) -> tuple[int, Any]:
    """Exit code and the JSON of a command."""
    out, progress = StringIO(), StringIO()
    with pytest.raises(SystemExit) as end:
        call_command(
            command, *arguments, "--world", "crypto", "--format", "json", stdout=out, stderr=progress
        )
    return int(end.value.code or 0), json.loads(out.getvalue())


async def test_everything_is_subscribed_in_batches_and_the_audit_names_each(
    binance: Venue, tmp_path: Path
) -> None:
    world = await sync_to_async(worlds.ensure)("crypto")
    async with Runner(tmp_path).running(world) as feed:
        await until(lambda: len(feed.state.quotes) == 6, "quotes of all")
        more = ["--batch", "4", "--rate", "50", "--audit", str(tmp_path / "audit")]
        code, told = await asyncio.to_thread(run, "full_feed_subscription", *more)
        assert (code, told["sources"]) == (0, {"binance": {"live": 6}})
        csv_file, json_file = (Path(name) for name in told["audit"])
        rows = list(csv.DictReader(csv_file.open(encoding="utf-8")))
        assert [(row["symbol"], row["state"], row["batch"]) for row in rows][3:5] == [
            (SYMBOLS[3], "live", "1"),
            (SYMBOLS[4], "live", "2"),
        ]
        batches = json.loads(json_file.read_text())["batches"]
        assert [(one["acknowledged"], one["broke_rate"]) for one in batches] == [(4, False), (2, False)]

        json_file.write_text(json_file.read_text().replace('"broke_rate":false', '"broke_rate":true', 1))
        code, told = await asyncio.to_thread(run, "full_feed_subscription", "--check", *more)
        assert (code, told["batches_over_the_rate"], told["silent"]) == (5, [1], [])
        assert json.loads(json_file.read_text())["batches"][1] == batches[1]  # a look forgets nothing
        json_file.write_text("{torn")
        with pytest.raises(CommandError, match="cannot be read") as end:
            await asyncio.to_thread(run, "full_feed_subscription", "--check", *more)
        assert end.value.returncode == 1


async def test_a_venue_that_does_not_answer_in_time_is_told_by_a_code_of_its_own(
    binance: Venue, tmp_path: Path
) -> None:
    world = await sync_to_async(worlds.ensure)("crypto")
    async with Runner(tmp_path).running(world) as feed:
        await until(lambda: len(feed.state.quotes) == 6, "quotes of all")
        binance.control("forget")
        more = ["--patience", "0.2", "--audit", str(tmp_path / "audit")]
        code, told = await asyncio.to_thread(run, "full_feed_subscription", *more)
        assert (code, told["unanswered"]) == (3, sorted(SYMBOLS[:6]))
        with pytest.raises(CommandError, match="1 to 10000") as end:
            await asyncio.to_thread(run, "full_feed_subscription", "--batch", "0")
        assert end.value.returncode == 2
        with pytest.raises(CommandError, match="Live sources of crypto: binance") as end:
            await asyncio.to_thread(run, "full_feed_subscription", "--source", "nobody")
        assert end.value.returncode == 1


async def test_what_the_venue_refuses_is_found_told_and_repaired(binance: Venue, tmp_path: Path) -> None:
    binance.control("deny", symbol=SYMBOLS[2])
    world = await sync_to_async(worlds.ensure)("crypto")
    plan = await Runner(tmp_path).plan(world)
    plan.source.batch_size = 1  # type: ignore[attr-defined]
    async with Runner(tmp_path).running(world, source=plan.source) as feed:
        await until(lambda: len(feed.state.quotes) == 5, "quotes of the others")
        code, told = await asyncio.to_thread(run, "check_feed_health")
        assert code == 3
        assert "unknown stream" in told[0]["refused"][SYMBOLS[2]]
        code, told = await asyncio.to_thread(
            run, "full_feed_subscription", "--check", "--audit", str(tmp_path / "audit")
        )
        assert (code, set(told["refused"])) == (4, {SYMBOLS[2]})
        binance.control("allow", symbol=SYMBOLS[2])
        code, told = await asyncio.to_thread(run, "check_feed_health", "--repair")
        assert code == 0
        assert told[0]["acknowledged"] == 6


def test_a_feed_that_does_not_run_is_said_and_not_guessed(binance: Venue) -> None:
    worlds.ensure("crypto")
    with pytest.raises(CommandError) as end:
        call_command("check_feed_health", "--world", "crypto")
    assert end.value.returncode == 1
