"""The games there are, for whoever looks for one to join."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet

from accounts.models import Player
from simgame.kernel import money
from simgame.kernel.errors import NotFound
from trading import games
from trading.errors import GameEnded
from trading.models import Game, Portfolio

GAMES_SHOWN = 200


def find(text: str) -> Game:
    """The game of this number or slug. Raises NotFound."""
    by_number = text.isascii() and text.isdigit() and len(text) < 19
    found = _games().filter(id=int(text)) if by_number else _games().filter(slug=text)
    if game := found.first():
        return game
    raise NotFound(f"There is no game {text[:80]!r}.")


def join(player: Player, game: Game) -> Portfolio:
    """The player's portfolio in the game. Raises GameEnded for a newcomer to a game that is over."""
    if game.status == Game.Status.ENDED and portfolio_in(game, player.pk) is None:
        raise GameEnded(f"{game.name} is over: its standings can be read, but nobody joins any more.")
    return games.join(player, game)


def rows(player_id: int | None) -> list[dict[str, Any]]:
    """The newest games first."""
    shown = list(_games().order_by("-id")[:GAMES_SHOWN])
    mine = dict(
        Portfolio.objects.filter(player_id=player_id, game__in=shown).values_list("game_id", "id")
        if player_id
        else ()
    )
    return [_row(game, mine.get(game.id)) for game in shown]


def row(game: Game, player_id: int | None) -> dict[str, Any]:
    return _row(game, portfolio_in(game, player_id))


def portfolio_in(game: Game, player_id: int | None) -> int | None:
    """The player's portfolio in the game."""
    if player_id is None:
        return None
    return Portfolio.objects.filter(game=game, player_id=player_id).values_list("id", flat=True).first()


def _games() -> QuerySet[Game]:
    return Game.objects.select_related("world").annotate(players=Count("portfolios"))


def _row(game: Game, portfolio_id: int | None) -> dict[str, Any]:
    return {
        "id": game.id,
        "slug": game.slug,
        "name": game.name,
        "season": game.season,
        "status": game.status,
        "world": game.world.slug,
        "currency": game.currency,
        "start_cash": money.show(game.start_cash, money.CURRENCY_EXPONENT[game.currency]),
        "starts_at": game.starts_at,
        "ends_at": game.ends_at,
        "players": game.players,  # type: ignore[attr-defined]  annotated in _games
        "portfolio_id": portfolio_id,
    }
