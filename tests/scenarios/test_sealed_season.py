"""A season under seal: Alice moves the market, a teacher lets things happen, and all can be recomputed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from tests.scenarios.people import Client, Person
from tests.scenarios.town import MANAGE, Town, wait_for

SEASON = "autumn"
LESS_TAKEN = (
    "UPDATE market_marketevent SET detail = jsonb_set(detail, '{rows,0,3}', '100') WHERE what = 'taken'"
)


@pytest.fixture
def autumn(town: Town) -> Iterator[str]:
    assert told(town, "season", "seal", SEASON, "--name", "Autumn")["seed"] is None
    town.run([*MANAGE, "seed", "--world", SEASON])
    with town.open_world(SEASON):
        yield SEASON


def told(town: Town, *command: str, fails: int = 0) -> Any:
    ran = town.run([*MANAGE, *command, "--format", "json"], code=fails)
    return msgspec.json.decode(ran.stdout)


def test_every_tick_of_a_season_can_be_recomputed_when_its_seed_is_revealed(town: Town, autumn: str) -> None:
    anybody = Client(town)
    sealed = anybody.read(f"/api/v1/season?world={autumn}")
    assert (sealed["seed"], sealed["revealed_at"]) == (None, None)
    assert anybody.read(f"/api/v1/seed-state?world={autumn}")["seed"] is None

    alice = Person(town, "Alice", autumn)
    order = alice.placed("buy", 20_000, "ALB")
    alice.waits_until(order, "filled")

    def hers() -> int:
        journal = anybody.read(f"/api/v1/seed-state?world={autumn}")["journal"]
        rows = [row for event in journal if event["what"] == "taken" for row in event["detail"]["rows"]]
        return sum(size for symbol, side, _, size in rows if (symbol, side) == ("ALB", "buy"))

    wait_for(lambda: hers() == 20_000, "her taking in the market's journal, once")

    crash = town.ask_feed(autumn, op="source", what="scenario", kind="crash", sector="Energy", seconds=5)
    assert crash["symbols"] == ["BHG", "NFG", "SUF", "TDP"]
    told(town, "scenario", "halt", "--world", autumn, "--symbols", "PWS", "--seconds", "600")
    assert alice.refused("buy", 100, "PWS")["reason"] == "HALTED"
    told(town, "scenario", "resume", "--world", autumn, "--symbols", "PWS")
    town.kill(f"feed {autumn}")
    town.start(f"feed {autumn}", [*MANAGE, "run_feed", "--world", autumn])
    wait_for(lambda: quoted(anybody, autumn), "quotes after the feed was killed")
    assert hers() == 20_000

    told(town, "season", "end", autumn)
    assert told(town, "season", "reveal", autumn)["seed"] is not None
    town.close_world(autumn)
    verified = told(town, "verify_season", autumn, "--commitment", sealed["commitment"])
    assert verified["findings"] == []
    assert verified["compared"] == verified["ticks"] > 100

    with psycopg.connect(town.database_url, autocommit=True) as connection:
        connection.execute(LESS_TAKEN)
    assert told(town, "verify_season", autumn, fails=3)["findings"]


def quoted(anybody: Client, world: str) -> bool:
    answer = anybody.get(f"/api/v1/seed-state?world={world}")
    return answer.status == 200 and answer.json["mode"] == "continuous"
