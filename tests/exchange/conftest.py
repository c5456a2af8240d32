from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import Player
from market.models import World
from tests.exchange import street


@pytest.fixture
def world(transactional_db: None) -> World:
    return street.make_world()


@pytest.fixture
def feed(world: World) -> Iterator[street.Feed]:
    feed = street.Feed(world)
    yield feed
    feed.close()


@pytest.fixture
def exchange(world: World, feed: street.Feed) -> Iterator[street.InThread]:
    running = street.InThread(world)
    yield running
    running.stop()


@pytest.fixture
def staff(transactional_db: None) -> list[Player]:
    """Two people who may propose and approve."""
    return [
        Player.objects.create(username=name, is_staff=True, is_superuser=True) for name in ("carol", "dave")
    ]
