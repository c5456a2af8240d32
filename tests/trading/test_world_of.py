"""Which world a bot's question about the market speaks of."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.contrib.auth.hashers import make_password

from accounts.identity import Identity
from accounts.models import Player
from market import worlds
from simgame.kernel import clock
from simgame.kernel.errors import NotFound
from trading.models import Game, Portfolio
from trading.portfolios import world_of

pytestmark = pytest.mark.django_db


def asking(player: Player, portfolio_id: int | None = None, **headers: str) -> SimpleNamespace:
    identity = Identity(
        player_id=player.pk, portfolio_id=portfolio_id, login_id=None, key_id=None, how="token"
    )
    return SimpleNamespace(auth=identity, headers=headers)


@pytest.fixture
def alice() -> Player:
    return Player.objects.create(username="Alice", password=make_password(None))


@pytest.fixture
def harbour() -> Portfolio:
    """Somebody else's portfolio, in the seeded world."""
    world = worlds.ensure("seeded")
    bob = Player.objects.create(username="Bob", password=make_password(None))
    game = Game.objects.create(
        slug="season",
        name="Season",
        world=world,
        season=True,
        currency="CNY",
        start_cash=1,
        starts_at=clock.now(),
    )
    return Portfolio.objects.create(player=bob, game=game)


def test_who_has_not_joined_yet_sees_the_played_world(alice, harbour):
    assert world_of(asking(alice)).slug == "seeded"


def test_a_key_speaks_of_the_world_of_its_portfolio(harbour):
    assert world_of(asking(harbour.player, harbour.pk)) == harbour.game.world


def test_the_portfolio_of_somebody_else_is_not_found(alice, harbour):
    with pytest.raises(NotFound):
        world_of(asking(alice, **{"X-Portfolio": str(harbour.pk)}))
