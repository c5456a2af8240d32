"""A day drawn by lot: while it is played nobody can learn which day it is, or of what."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.test import Client

from market import errors, hidden, queries, worlds
from market.feed import client
from market.models import World
from market.sources.base import State
from market.sources.replay import open_recording
from market.sources.replay.masked import MASKED_DAY
from market.ticks import Print
from simgame.kernel import clock
from tests.feed.conftest import until
from tests.feed.hidden_day import NAMES, betrayed, record


@pytest.fixture
def shares(tmp_path: Path) -> Path:
    return record(tmp_path)


def test_the_masked_recording_tells_neither_day_nor_name_and_keeps_the_clock_of_its_venue(shares, db):
    world = worlds.ensure(f"replay:random:{shares}")
    recording = open_recording(world.recording, world.options)
    secret = world.options["hidden"]
    true = open_recording(str(shares), {"from": secret["day"], "days": 1})
    items = list(recording.play())
    told = repr([item for _, item in items]) + msgspec.json.encode(recording.facts.instruments).decode()
    assert betrayed(told.replace(str(shares), ""), secret) == []
    assert not any(
        bar.start > clock.parse_rfc3339("2000-01-10T00:00:00Z") // 10**9 for bar in recording.history()
    )
    first = next(item for _, item in items if isinstance(item, Print))
    assert clock.rfc3339(first.at_ns) == "2000-01-10T14:30:00.000000Z"  # 09:30 in New York's winter
    prices = {item.price for _, item in true.play() if isinstance(item, Print)}
    assert {item.price for _, item in items if isinstance(item, Print)} == prices
    phase = recording.phase(first.at_ns)
    assert phase is not None
    assert (phase.phase, phase.market_day) == ("continuous", 20000110)
    assert recording.facts.timezone == "America/New_York"


def test_history_lies_on_the_weekdays_before_so_that_no_holiday_betrays_the_year(shares, db):
    world = worlds.ensure(f"replay:random:{shares}")
    starts = {bar.start for bar in open_recording(world.recording, world.options).history()}
    days = sorted(clock.from_ns(start * clock.NS_PER_S).date() for start in starts)
    assert len(days) >= hidden.HISTORY_LEAST
    weekdays = [d for n in range(1, 200) if (d := MASKED_DAY - timedelta(days=n)).weekday() < 5]
    assert days == sorted(weekdays[: len(days)])


def test_the_day_that_is_not_over_yet_is_played_on_and_the_next_draw_is_another_world(shares, db):
    world = worlds.ensure(f"replay:random:{shares}")
    assert worlds.ensure(f"replay:random:{shares}") == world
    assert worlds.resolve("replay:random") == world
    assert {row.name for row in world.instruments.all()} == {"S01", "S02"}
    shown = hidden.reveal(world)
    assert set(shown["instruments"].values()) == set(NAMES)
    assert hidden.reveal(world) == shown
    another = worlds.ensure(f"replay:random:{shares}")
    assert another != world
    assert worlds.resolve(f"replay:random:{shares}") == another


def test_a_world_that_hides_nothing_and_a_folder_without_days_are_refused(seeded, tmp_path):
    with pytest.raises(errors.NotHidden):
        hidden.reveal(seeded)
    (tmp_path / "notes.csv").write_text("nothing,of,use\n")
    with pytest.raises(errors.RecordingMissing, match="at least 60 days"):
        worlds.ensure(f"replay:random:{tmp_path}")
    with pytest.raises(errors.UnknownWorld):
        worlds.resolve("replay:random")
    with pytest.raises(CommandError) as refused:
        call_command("replay", "reveal", "--world", "seeded")
    assert refused.value.returncode == 1


def answers(world: World) -> str:
    """Everything that anybody may ask of a world."""
    asked = Client()
    symbols = [row.symbol for row in queries.instruments(world.number)]
    doors = [f"/api/v1/{door}?world={world.slug}" for door in ("quotes", "sparks", "instruments")]
    doors += ["/api/v1/worlds", f"/api/v1/worlds/{world.slug}"]
    for symbol in symbols:
        doors += [f"/api/v1/{door}/{symbol}?world={world.slug}" for door in ("depth", "trades", "bars")]
        doors += [f"/api/v1/bars/{symbol}?world={world.slug}&interval={kept}" for kept in ("5m", "1h", "1d")]
        where = f"symbol={world.slug}:{symbol}&from=0&to=9999999999"
        doors += [f"/api/v1/chart/{symbol}?world={world.slug}&interval=1d", f"/udf/symbols?{where}"]
        doors += [f"/udf/{door}?{where}&resolution=D" for door in ("history", "marks", "timescale_marks")]
        doors += [
            f"/udf/quotes?symbols={world.slug}:{symbol}",
            f"/udf/history?{where}&resolution=1&countback=9",
        ]
    doors += ["/udf/config", f"/udf/symbol_info?group={world.slug}", f"/udf/search?exchange={world.slug}"]
    said = [asked.get(door) for door in doors]
    assert {answer.status_code for answer in said} == {200}
    return "\n".join(answer.content.decode() for answer in said)


async def test_no_door_tells_the_day_until_it_is_over_and_then_all_do(runner, shares, transactional_db):
    world = await sync_to_async(worlds.ensure)(f"replay:random:{shares}")
    async with runner.running(world, speed=100) as feed:
        await until(lambda: feed.bars.series, "the first trades")
        while_played = await sync_to_async(answers)(world)
        assert betrayed(while_played, world.options["hidden"]) == []
        assert json.loads(while_played.splitlines()[4])["hidden"] == {
            "revealed": False,
            "day": None,
            "instruments": None,
        }
        await client.ask(feed.server.address, {"op": "control", "seek": "15:58"})
        await until(lambda: feed.source.state is State.ENDED, "the end of the day")
        over = sync_to_async(lambda: hidden.over(World.objects.get(pk=world.pk)))
        while not await over():
            pass
        told = await sync_to_async(answers)(world)
        assert {world.options["hidden"]["day"], *NAMES} <= set(betrayed(told, world.options["hidden"]))
    for segment in (feed.plan.folder / "world.json", *feed.plan.folder.glob("*.wal")):
        assert not [name for name in NAMES if name.encode() in segment.read_bytes()]
