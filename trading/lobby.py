"""The games there are, for whoever looks for one to join."""

from __future__ import annotations

import hmac
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts.models import Player
from simgame.kernel import money, viewer
from simgame.kernel.errors import NotFound
from trading import games
from trading.errors import GameEnded
from trading.models import Game, Participant, Portfolio

GAMES_SHOWN = 200


def find(text: str, player_id: int | None = None, invitation: str = "") -> Game:
    """The game of this number or slug. Raises NotFound, also for a private game of others."""
    by_number = text.isascii() and text.isdigit() and len(text) < 19
    found = _games().filter(id=int(text)) if by_number else _games().filter(slug=text)
    with viewer.house():  # a private one is found by its invitation; who may see it is decided below
        game = found.first()
    if game and (_invited(game, invitation) or _visible(found, player_id).exists()):
        return game
    raise NotFound(_("There is no game “%(name)s”.") % {"name": text[:80]})


def join(player: Player, game: Game) -> Portfolio:
    """The player's portfolio in the game. Raises GameEnded for a newcomer to a game that is over.

    The caller has found the game with `find`, so a private one was shown the invitation.
    """
    if game.status == Game.Status.ENDED and portfolio_in(game, player.pk) is None:
        raise GameEnded(
            _("%(name)s is over: its standings can be read, but nobody joins any more.") % {"name": game.name}
        )
    return games.join(player, game)


def visible(player_id: int | None) -> QuerySet[Game]:
    """The games that the player, or who has not signed in, may see."""
    return _visible(Game.objects.all(), player_id)


def _invited(game: Game, invitation: str) -> bool:
    shown = invitation.encode("utf-8", "surrogatepass")  # bytes: of texts it compares only ASCII
    return bool(game.invitation) and hmac.compare_digest(game.invitation.encode(), shown)


def _visible(rows: QuerySet[Game], player_id: int | None) -> QuerySet[Game]:
    """Public games, and of the private ones those that the player hosts or plays."""
    if player_id is None:
        return rows.filter(host=None)
    plays = Exists(Portfolio.objects.filter(game=OuterRef("pk"), player_id=player_id))
    return rows.filter(Q(host=None) | Q(host_id=player_id) | plays)


def rows(player_id: int | None, limit: int = GAMES_SHOWN, before: int | None = None) -> list[dict[str, Any]]:
    """The newest games first; `before`: those older than the game of this number."""
    found = _visible(_games(), player_id).order_by("-id")
    shown = list((found if before is None else found.filter(id__lt=before))[:limit])
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
    seats = Participant.objects.filter(game=OuterRef("pk")).order_by().values("game")
    players = Coalesce(Subquery(seats.annotate(count=Count("pk")).values("count")), 0)
    return Game.objects.select_related("world").annotate(players=players)


def _row(game: Game, portfolio_id: int | None) -> dict[str, Any]:
    return {
        "id": game.id,
        "slug": game.slug,
        "name": game.name,
        "season": game.season,
        "private": game.host_id is not None,
        "status": game.status,
        "world": game.world.slug,
        "currency": game.currency,
        "start_cash": money.show(game.start_cash, money.CURRENCY_EXPONENT[game.currency]),
        "starts_at": game.starts_at,
        "ends_at": game.ends_at,
        "players": game.players,  # type: ignore[attr-defined]  annotated in _games
        "portfolio_id": portfolio_id,
    }
