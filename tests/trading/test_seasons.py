"""Several worlds in one installation: newcomers join the Season of the one that is played now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accounts.identity import Identity
from accounts.models import Player
from market import worlds
from market.errors import UnknownWorld
from simgame.kernel.errors import NotFound
from tests.feed import recordings
from trading import games
from trading.models import Portfolio
from trading.portfolios import portfolio_for_sync

pytestmark = pytest.mark.django_db


def test_who_goes_back_to_an_older_recording_joins_its_season(tmp_path: Path, settings: Any):
    """The played world is named by its recording, as `play --world replay:…` does; a newer one exists."""
    older, newer = f"replay:{recordings.ctp(tmp_path)}", f"replay:{recordings.lobster(tmp_path)}"
    seasons = {name: games.ensure_season(worlds.ensure(name)) for name in (older, newer)}
    for name, season in seasons.items():
        settings.WORLD = name
        assert games.running_season() == season
    settings.WORLD = "nowhere"
    with pytest.raises(UnknownWorld):
        games.running_season()


def test_alice_of_another_season_is_told_how_to_join_this_one(tmp_path: Path, settings: Any):
    older, newer = f"replay:{recordings.ctp(tmp_path)}", f"replay:{recordings.lobster(tmp_path)}"
    alice = Player.objects.create_user("Alice", password="correct horse battery")
    hers = Portfolio.objects.create(player=alice, game=games.ensure_season(worlds.ensure(older)))
    games.ensure_season(worlds.ensure(newer))
    identity = Identity(player_id=alice.id, portfolio_id=None, login_id=None, key_id=None, how="token")
    settings.WORLD = newer
    with pytest.raises(NotFound, match=r"POST /api/v1/games/\{id\}/join"):
        portfolio_for_sync(identity, None)
    assert portfolio_for_sync(identity, str(hers.id)).id == hers.id
    settings.WORLD = older
    assert portfolio_for_sync(identity, None).id == hers.id
