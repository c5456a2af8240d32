"""Whose portfolio a request speaks for, and what a portfolio is worth."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from channels.db import database_sync_to_async
from rest_framework.request import Request

from accounts.identity import Identity
from accounts.recent import Recent
from market import caller, worlds
from market.models import World
from simgame.kernel import money
from simgame.kernel.errors import Invalid, NotFound
from trading.messages import Scale
from trading.models import Game, Portfolio, Position

NOT_JOINED = (
    "You have no portfolio in the Season that is played now: join it (GET /api/v1/games lists it, "
    "POST /api/v1/games/{id}/join), or name another portfolio with X-Portfolio."
)
CACHE_S = 5  # which portfolio is meant without a name changes when a season begins
NAMED_CACHE_S = 600  # a portfolio's owner and world never change


class PortfolioRef(msgspec.Struct, frozen=True):
    """Enough to send a command for a portfolio."""

    id: int
    player_id: int
    game_id: int
    world_number: int
    world_slug: str
    currency: str


class Worth(msgspec.Struct, frozen=True):
    """A portfolio in money, minor units. equity = cash + value, to the cent (I6p)."""

    cash: int
    value: int
    day_start: int  # worth of what was held when the market day began, at the previous close

    @property
    def equity(self) -> int:
        return self.cash + self.value


_meant: Recent[PortfolioRef] = Recent(CACHE_S, size_max=20_000)
_named: Recent[PortfolioRef] = Recent(NAMED_CACHE_S, size_max=20_000)


async def portfolio_for(identity: Identity, wanted: str | None) -> PortfolioRef:
    """The portfolio a request acts on: its key's, else `X-Portfolio`, else the one in the Season.

    Raises Invalid for a header that is no number and NotFound for a portfolio that is not theirs.
    """
    known = _known(identity, wanted).get(_cache_key(identity, wanted))
    return known or await database_sync_to_async(_find)(identity, wanted)


def portfolio_for_sync(identity: Identity, wanted: str | None) -> PortfolioRef:
    return _known(identity, wanted).get(_cache_key(identity, wanted)) or _find(identity, wanted)


def world_of(request: Request) -> World:
    """The world a request on /v2 speaks of: that of the caller's portfolio, else the played one.

    Raises NotFound when the request names a portfolio that is not the caller's.
    """
    identity, wanted = request.auth, request.headers.get("X-Portfolio")
    if not isinstance(identity, Identity):
        return caller.world_played()
    try:
        return worlds.named(portfolio_for_sync(identity, wanted).world_slug)
    except NotFound:
        if wanted is None and identity.portfolio_id is None:
            return caller.world_played()  # somebody who has not joined yet may look
        raise


def forget() -> None:
    """For tests, which make the same numbers again."""
    _meant.forget()
    _named.forget()


def _known(identity: Identity, wanted: str | None) -> Recent[PortfolioRef]:
    return _meant if identity.portfolio_id is None and wanted is None else _named


def _cache_key(identity: Identity, wanted: str | None) -> tuple[int, int | None, str | None]:
    return identity.player_id, identity.portfolio_id, wanted


def _find(identity: Identity, wanted: str | None) -> PortfolioRef:
    rows = Portfolio.objects.filter(player_id=identity.player_id).select_related("game__world")
    if identity.portfolio_id is not None:
        if wanted is not None and wanted != str(identity.portfolio_id):
            raise NotFound("This key belongs to another portfolio.")
        rows = rows.filter(id=identity.portfolio_id)
    elif wanted is not None:
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 19):
            raise Invalid("X-Portfolio must be the number of a portfolio.", pointer="/X-Portfolio")
        rows = rows.filter(id=int(wanted))
    else:
        rows = rows.filter(game__season=True, game__status=Game.Status.RUNNING)
        rows = rows.filter(game__world=caller.world_played()).order_by("-game_id")
    found = rows.first()
    if found is None and wanted is None and identity.portfolio_id is None:
        raise NotFound(NOT_JOINED)
    if found is None:
        raise NotFound("You have no such portfolio.")
    ref = PortfolioRef(
        id=found.id,
        player_id=found.player_id,
        game_id=found.game_id,
        world_number=found.game.world_id,
        world_slug=found.game.world.slug,
        currency=found.game.currency,
    )
    _known(identity, wanted).put(_cache_key(identity, wanted), ref)
    return ref


def value_of(qty: int, price: int, scale: Scale) -> int:
    """What `qty` is worth at `price`, in minor units, rounded down."""
    shift = scale.price_exponent + scale.qty_exponent - scale.cash_exponent
    return money.rescale_down(qty * price * scale.multiplier, shift)


def worth(
    cash: int, positions: list[Position], marks: Mapping[str, tuple[int, int]], scales: Mapping[str, Scale]
) -> Worth:
    """What cash and positions are worth.

    `marks` gives (last price, previous close) per symbol, scaled; an instrument without one is
    worth what it cost. Today's result of a position = value now + today's net cash − value of what
    was held at the previous close; so the day's start of the whole is equity − Σ of those.
    """
    value = today = 0
    for position in positions:
        scale = scales[position.symbol]
        last, previous = marks.get(position.symbol, (0, 0))
        now = value_of(position.qty, last, scale) if last else position.cost
        value += now
        if last:
            before = value_of(position.day_start_qty, previous or last, scale)
            today += now + position.day_cash - before
    return Worth(cash=cash, value=value, day_start=cash + value - today)
