"""Games: the Season of a world, and how a player gets a portfolio in it."""

from __future__ import annotations

from typing import Any

import msgspec
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import Player
from market import caller, worlds
from market.models import World
from simgame.kernel import clock, money
from simgame.kernel.errors import NotFound
from trading.engine.commands import MarginTerms, OpenPortfolio
from trading.errors import NotJoined
from trading.exchange.client import ask_sync
from trading.models import Game, Portfolio, PortfolioKind

OPEN_TIMEOUT_S = 5.0


def ensure_season(world: World, margin: MarginTerms | None = None) -> Game:
    """The running Season of a world, made when there is none. Idempotent.

    Its portfolios are cash portfolios, or margin portfolios: on the terms `margin`, and in any case where
    the world trades contracts. A Season that runs keeps its own.
    """
    found = Game.objects.filter(world=world, season=True, status=Game.Status.RUNNING).first()
    if found:
        return found
    kind = PortfolioKind.MARGIN if worlds.trades_contracts(world) else PortfolioKind.CASH
    number = Game.objects.filter(world=world, season=True).count() + 1
    return Game.objects.create(
        slug=f"season-{world.slug}-{number}"[:64],
        name=f"Season {number}",
        world=world,
        season=True,
        currency=world.currency,
        start_cash=money.parse(settings.START_CASH, money.CURRENCY_EXPONENT[world.currency]),
        starts_at=clock.now(),
        **{"portfolio_kind": kind, **_margin_fields(margin)},
    )


def _margin_fields(terms: MarginTerms | None) -> dict[str, Any]:
    if terms is None:
        return {}
    return {
        "portfolio_kind": PortfolioKind.MARGIN,
        "leverage": terms.leverage,
        "shorts_allowed": terms.shorts,
        "interest_ppb": terms.interest_ppb,
        "margin_call_s": terms.call_s,
    }


def running_season() -> Game:
    """The Season that newcomers join: of the world that this installation plays now.

    Raises UnknownWorld, or NotFound when the world has none.
    """
    seasons = Game.objects.filter(season=True, status=Game.Status.RUNNING).select_related("world")
    found = seasons.filter(world=caller.world_played()).first()
    if found is None:
        raise NotFound("No season is running: an operator starts one with `manage.py seed`.")
    return found


def margin_terms(game: Game) -> MarginTerms | None:
    """What a portfolio of the game is opened with; None for a cash portfolio."""
    if game.portfolio_kind != PortfolioKind.MARGIN:
        return None
    return MarginTerms(game.leverage, game.shorts_allowed, game.interest_ppb, game.margin_call_s)


def join(player: Player, game: Game) -> Portfolio:
    """The player's portfolio in the game, opened with its start cash. Idempotent.

    When the exchange cannot be reached the portfolio stays `opening`; the next call finishes it. In a game
    that waits for its host it stays so until the game begins (trading.hosting).
    """
    try:
        with transaction.atomic():
            terms = margin_terms(game)
            portfolio, _made = Portfolio.objects.get_or_create(
                player=player,
                game=game,
                defaults={"kind": game.portfolio_kind, "margin": terms and msgspec.to_builtins(terms)},
            )
    except IntegrityError:  # two first calls at once: the other one made it
        portfolio = Portfolio.objects.get(player=player, game=game)
    if portfolio.status == Portfolio.Status.OPENING and game.status == Game.Status.RUNNING:
        terms = portfolio.margin and msgspec.convert(portfolio.margin, MarginTerms)
        command = OpenPortfolio(
            portfolio.id, game.currency, game.start_cash, client_id=f"open-{portfolio.id}", margin=terms
        )
        ask_sync(game.world_id, command, timeout_s=OPEN_TIMEOUT_S)
        portfolio.refresh_from_db()
    return portfolio


def joined(player: Player, game: Game) -> Portfolio:
    """As `join`, for who only looks: what is not open stays so. Raises NotJoined."""
    found = Portfolio.objects.filter(player=player, game=game).exclude(status=Portfolio.Status.OPENING)
    portfolio = found.select_related("game__world").first()
    if portfolio is None:
        raise NotJoined(
            _("%(name)s has not joined %(game)s yet.") % {"name": player.username, "game": game.name}
        )
    return portfolio
