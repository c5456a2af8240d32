"""After all that people did in these worlds, seeded and replayed: the journal makes what is stored, and
every receipt follows from the stored ticks.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.scenarios.town import MANAGE, Town


@pytest.mark.usefixtures("seeded")
def test_the_journal_of_every_world_makes_what_is_stored(town: Town) -> None:
    report = told(town, "replay_journal", "--verify")
    assert report["different"] == 0
    assert all(world["state_hash"] == world["stored_hash"] for world in report["worlds"])


@pytest.mark.usefixtures("seeded")
def test_every_receipt_of_every_world_is_what_its_ticks_make_of_it(town: Town) -> None:
    report = told(town, "verify_receipts")
    assert report["mistakes"] == 0
    assert {each["world"] for each in report["worlds"]} >= set(town.slugs.values())


def told(town: Town, *command: str) -> Any:
    """Both commands end with exit code 3, and so here, when they find something."""
    return msgspec.json.decode(town.run([*MANAGE, *command, "--format", "json"]).stdout)
