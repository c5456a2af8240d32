"""What the games' pages show. Reads only; the verbs are in trading.hosting and trading.lobby."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Player
from market import queries as market_queries
from simgame.kernel import viewer
from simgame.kernel.errors import NotFound
from trading import hosting, lobby, pages, queries, standings
from trading.models import Game, Portfolio

JSON = dict[str, Any]


def games(player: Player | None, chosen: int | None) -> JSON:
    """Every game the player may see, and those they host."""
    rows = lobby.rows(player.pk if player else None)
    hosted = Game.objects.filter(host=player).order_by("-id") if player else ()
    mine = pages.portfolio_if_any(player, chosen)
    return {
        **(pages.frame(mine) if mine else {}),
        **(_top(mine) if mine else {}),
        "rows": rows,
        "hosted": hosted,
        "playing": mine.game_id if mine else None,
    }


def facts(game: Game) -> JSON:
    with viewer.house():  # a host's name is told to whom he invited
        host = game.host
    found = lobby.find(game.slug, game.host_id, game.invitation)
    return {"row": lobby.row(found, None), "host": host}


def host(game: Game) -> JSON:
    """Who is in the game and how they stand, for who made it."""
    with viewer.house():  # the caller has the game from hosting.of
        players = list(Portfolio.objects.filter(game=game).select_related("player").order_by("id"))
    return {
        "game": game,
        "world": game.world,
        "players": players,
        "table": standings.table(game),
        "acts": [
            verb for verb, (wanted, becomes, _does) in hosting.ACTS.items() if _may(game, wanted, becomes)
        ],
    }


def _may(game: Game, wanted: tuple[str, ...], becomes: str) -> bool:
    """Whether the verb would change something; repeating one is for when the exchange was away."""
    return game.status in wanted and game.status != becomes


def portfolio_in(player: Player, slug: str) -> int:
    """The number of the player's portfolio in a game that has begun. Raises NotFound."""
    found = Portfolio.objects.filter(player=player, game__slug=slug).exclude(game__status=Game.Status.OPEN)
    row = found.values_list("id", flat=True).first()
    if row is None:
        raise NotFound(_("You do not play this game, or it has not begun."))
    return row


def _top(mine: Portfolio) -> JSON:
    """What the top bar needs."""
    snapshot = queries.desk_snapshot(mine.id)
    world = mine.game.world
    page = {**pages.market_page(world), "desk": snapshot, "phase": market_queries.phase(world)}
    return {"page": page, "rules": snapshot["rules"]}
