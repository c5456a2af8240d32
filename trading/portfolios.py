"""Whose portfolio a request speaks for, and what a portfolio is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from channels.db import database_sync_to_async
from rest_framework.request import Request

from accounts.identity import Identity
from accounts.recent import Recent
from market import caller, worlds
from market.models import World
from simgame.kernel import money
from simgame.kernel.errors import Invalid, NotFound
from trading.engine.rates import base_of, inverse_ppb, pair_ppb
from trading.messages import Scale
from trading.models import Game, Portfolio, Position

NOT_JOINED = (
    "You have no portfolio in the Season that is played now: join it (GET /api/v1/games lists it, "
    "POST /api/v1/games/{id}/join), or name another portfolio with X-Portfolio."
)
CACHE_S = 5  # which portfolio is meant without a name changes when a season begins
NAMED_CACHE_S, NAMED_SPREAD_S = 600, 300  # a portfolio's owner and world never change


class PortfolioRef(msgspec.Struct, frozen=True):
    """Enough to send a command for a portfolio."""

    id: int
    player_id: int
    game_id: int
    world_number: int
    world_slug: str
    currency: str


class Worth(msgspec.Struct, frozen=True):
    """A portfolio in money, minor units of its own currency. equity = cash + value, to the cent (I6p)."""

    cash: int  # of every currency
    value: int  # long holdings + short ones (less than nothing) + open results of contracts
    day_start: int  # worth of what was held when the market day began, at the previous close
    long: int = 0
    short: int = 0

    @property
    def equity(self) -> int:
        return self.cash + self.value


_meant: Recent[PortfolioRef] = Recent(CACHE_S, size_max=20_000)
_named: Recent[PortfolioRef] = Recent(NAMED_CACHE_S, size_max=20_000, spread_s=NAMED_SPREAD_S)


async def portfolio_for(identity: Identity, wanted: str | None) -> PortfolioRef:
    """The portfolio a request acts on: its key's, else `X-Portfolio`, else the one in the Season.

    Raises Invalid for a header that is no number and NotFound for a portfolio that is not theirs.
    """
    return known_portfolio(identity, wanted) or await database_sync_to_async(_find)(identity, wanted)


def portfolio_for_sync(identity: Identity, wanted: str | None) -> PortfolioRef:
    return known_portfolio(identity, wanted) or _find(identity, wanted)


def known_portfolio(identity: Identity, wanted: str | None) -> PortfolioRef | None:
    """As `portfolio_for`, from memory: None where the database has to be asked."""
    return _known(identity, wanted).get(_cache_key(identity, wanted))


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
    cash: Mapping[str, int],
    positions: Iterable[Position],
    marks: Mapping[str, tuple[int, int]],
    scales: Mapping[str, Scale],
    home: str,
) -> Worth:
    """What cash and positions are worth in the currency `home`: the one formula of net liquidation.

    `marks` gives (last price, previous close) per symbol, scaled; an instrument without one is
    worth what it cost. Today's result of a position = value now + today's net cash − value of what
    was held at the previous close; so the day's start of the whole is equity − Σ of those. A contract
    is worth its result since it was opened or last settled. Other currencies count at the marks of the
    world's pairs, rounded down; one that no pair prices counts as nothing.
    """
    rates = Rates(marks, scales, home)
    long = short = results = today = 0
    for position in positions:
        scale = scales[position.symbol]
        now, gained = value_now(position, marks.get(position.symbol, (0, 0)), scale)
        now, gained = rates.home(now, scale.currency), rates.home(gained, scale.currency)
        today += gained
        if scale.is_contract:
            results += now
        elif position.qty < 0:
            short += now
        else:
            long += now
    money_now = sum(rates.home(amount, currency) for currency, amount in cash.items())
    value = long + short + results
    return Worth(money_now, value, money_now + value - today, long, short)


def value_now(position: Position, mark: tuple[int, int], scale: Scale) -> tuple[int, int]:
    """What a position is worth now, and what it has gained today, in its own currency."""
    last, previous = mark
    if scale.is_contract:
        now = value_of(position.qty, last, scale) - position.cost if last else 0
        return now, now + position.day_cash if last else 0
    if not last:
        return position.cost, 0
    now = value_of(position.qty, last, scale)
    return now, now + position.day_cash - value_of(position.day_start_qty, previous or last, scale)


class Rates:
    """Other currencies in `home`, at the marks of the world's pairs (as trading.engine.rates)."""

    def __init__(self, marks: Mapping[str, tuple[int, int]], scales: Mapping[str, Scale], home: str):
        self._home = home
        self._ppb = {home: money.PPB}
        for symbol, scale in scales.items():
            if symbol in marks and scale.is_pair:
                self._note(base_of(symbol, scale.currency), scale, marks[symbol][0])

    def _note(self, base: str, scale: Scale, price: int) -> None:
        if base not in money.CURRENCY_EXPONENT:
            return
        if scale.currency == self._home:
            self._ppb[base] = pair_ppb(price, scale.price_exponent, base, self._home)
        elif base == self._home:
            back = inverse_ppb(price, scale.price_exponent, scale.currency, base)
            self._ppb.setdefault(scale.currency, back)

    def home(self, amount: int, currency: str) -> int:
        ppb = self._ppb.get(currency, 0)
        return amount if ppb == money.PPB else amount * ppb // money.PPB
