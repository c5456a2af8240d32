"""Private games: a host makes one, lets others in by invitation, starts, pauses, ends and exports it.

Who pauses a game freezes its portfolios one by one, so the exchange itself refuses; who resumes it lets
those go on that the pause froze, and leaves alone what the checker froze.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Player
from market import caller
from simgame.kernel import clock, money, viewer
from simgame.kernel.errors import Forbidden, Invalid, NotFound
from trading import errors, games, luck, ranking, standings
from trading.engine.commands import Freeze
from trading.exchange.client import ask_sync
from trading.messages import fill_json, order_json
from trading.models import Fill, Game, Order, Portfolio

GAMES_MAX: Final = 10  # that one host keeps unended: a class room each, and no way to fill the table
NAME_MAX: Final = 80
START_CASH_MAX: Final = 1_000_000_000  # major units: far below what a 64-bit book can hold
NO_GUESTS: Final = "A guest hosts no game: keep the account first, so that your players find you again."
PAUSED: Final = "Your host has paused the game."
ENDED: Final = "The game is over."
GOES_ON: Final = "Your host lets the game go on."
ASK_S: Final = 5.0
_S = Game.Status
STATES: Final = {  # as parts/state.html names them
    _S.OPEN: "not begun",
    _S.RUNNING: "running",
    _S.PAUSED: "paused by its host",
    _S.ENDED: "over",
}
EXPORTED_MAX: Final = 50_000  # orders, and as many fills: what one answer may hold


def make(host: Player, name: str, start_cash: str, ends_at: dt.datetime | None = None) -> Game:
    """A private game of the world that is played, not begun yet. Raises Invalid or Forbidden."""
    if host.guest:
        raise Forbidden(_(NO_GUESTS))
    if not 0 < len(name.strip()) <= NAME_MAX:
        raise Invalid(
            _("A game has a name of 1 to %(most)s characters.") % {"most": NAME_MAX}, pointer="/name"
        )
    if ends_at is not None and ends_at <= clock.now():
        raise Invalid(_("A game ends in the future, or when you end it."), pointer="/ends_at")
    unended = Game.objects.filter(host=host).exclude(status=Game.Status.ENDED)
    if unended.count() >= GAMES_MAX:
        raise Invalid(
            _("You host %(most)s games already: end one first.") % {"most": GAMES_MAX}, pointer="/name"
        )
    world = caller.world_played()
    token = secrets.token_hex(4)
    game = Game.objects.create(
        slug=f"private-{token}",
        name=name.strip(),
        world=world,
        status=Game.Status.OPEN,
        currency=world.currency,
        start_cash=_cash(start_cash, world.currency),
        starts_at=clock.now(),
        ends_at=ends_at,
        host=host,
        invitation=secrets.token_hex(4),
    )
    audit.record(host.pk, "game.make", game.slug)
    return game


def of(host: Player, slug: str) -> Game:
    """The host's game. Raises NotFound, also for somebody else's."""
    found = Game.objects.filter(host=host, slug=slug).select_related("world").first()
    if found is None:
        raise NotFound(_("You host no such game."))
    return found


def act(host: Player, slug: str, verb: str) -> None:
    """start, pause, resume or end. Raises NotFound, or Invalid where the game is in no state for it.

    Each may be said again: what the exchange did not hear the first time is made up for.
    """
    if verb not in ACTS:
        raise NotFound(f"A host can {', '.join(ACTS)}.")
    wanted, becomes, does = ACTS[verb]
    game = of(host, slug)
    with transaction.atomic():
        held = Game.objects.select_for_update().get(pk=game.pk)
        if held.status not in wanted:
            raise Invalid(
                _("This cannot be done with the game as it is now: it is %(status)s.")
                % {"status": _(STATES[held.status])}
            )
        if held.status == _S.OPEN:
            held.starts_at = clock.now()
        held.status = becomes
        held.save(update_fields=["status", "starts_at"])
    game.status = becomes
    audit.record(host.pk, f"game.{verb}", game.slug)
    with viewer.house():  # the host's word holds for every portfolio of the game
        does(game)


def end_due() -> int:
    """End the private games whose time is over; returns how many."""
    due = Game.objects.filter(host__isnull=False, ends_at__lte=clock.now())
    rows = list(due.exclude(status__in=(Game.Status.ENDED, Game.Status.OPEN)).select_related("world"))
    for game in rows:
        Game.objects.filter(pk=game.pk).update(status=Game.Status.ENDED)
        _end(game)
    return len(rows)


@viewer.house()  # the host's, of all who play: the caller has the game from `of`
def export(game: Game) -> dict[str, Any]:
    """What a host needs to talk the game over: rows as the API shows them, by player."""
    portfolios = Portfolio.objects.filter(game=game).select_related("player").order_by("id")
    scales = ranking.scales_of(game.world_id)
    orders = Order.objects.filter(portfolio__game=game).order_by("id")[:EXPORTED_MAX]
    fills = Fill.objects.filter(portfolio__game=game).order_by("id")[:EXPORTED_MAX]
    return {
        "game": {"slug": game.slug, "name": game.name, "status": game.status, "currency": game.currency},
        "exported_at": clock.rfc3339(clock.now_ns()),
        "players": [
            {"portfolio_id": row.id, "player": row.player.username, "status": row.status}
            for row in portfolios
        ],
        "standings": standings.table(game)["rows"],
        "orders": [
            {"portfolio_id": row.portfolio_id, **order_json(row, scales[row.symbol])} for row in orders
        ],
        "fills": [{"portfolio_id": row.portfolio_id, **fill_json(row, scales[row.symbol])} for row in fills],
    }


def _start(game: Game) -> None:
    for row in Portfolio.objects.filter(game=game).select_related("player"):
        games.join(row.player, game)


def _pause(game: Game) -> None:
    for row in _active(game):
        _freeze(game, row, True, PAUSED)


def _resume(game: Game) -> None:
    for row in Portfolio.objects.filter(game=game, status=Portfolio.Status.FROZEN, paused=True):
        _freeze(game, row, False, GOES_ON)
    for row in Portfolio.objects.filter(game=game, status=Portfolio.Status.OPENING).select_related("player"):
        games.join(row.player, game)  # who came in the pause


def _end(game: Game) -> None:
    for row in _active(game):
        _freeze(game, row, True, ENDED)
    ranking.rank(game)
    luck.judge(game)
    standings.renew(game)


def _active(game: Game) -> list[Portfolio]:
    return list(Portfolio.objects.filter(game=game, status=Portfolio.Status.ACTIVE))


def _freeze(game: Game, row: Portfolio, frozen: bool, why: str) -> None:
    reply = ask_sync(game.world_id, Freeze(row.id, frozen, why, secrets.token_hex(8)), timeout_s=ASK_S)
    if reply.outcome != "executed":
        raise errors.make(reply.code, reply.detail, reply.result.get("facts"))
    Portfolio.objects.filter(pk=row.pk).update(paused=frozen)


def _cash(text: str, currency: str) -> int:
    try:
        cash = money.parse(text.replace(",", "").strip(), money.CURRENCY_EXPONENT[currency])
    except ValueError as error:
        raise Invalid(
            _("“%(text)s” is no amount of %(currency)s.") % {"text": text[:24], "currency": currency},
            pointer="/start_cash",
        ) from error
    if not 0 < cash <= START_CASH_MAX * 10 ** money.CURRENCY_EXPONENT[currency]:
        raise Invalid(
            _("Players begin with up to %(most)s %(currency)s.")
            % {"most": f"{START_CASH_MAX:,}", "currency": currency},
            pointer="/start_cash",
        )
    return cash


ACTS: Final[dict[str, tuple[tuple[str, ...], str, Callable[[Game], None]]]] = {
    "start": ((_S.OPEN, _S.RUNNING), _S.RUNNING, _start),
    "pause": ((_S.RUNNING, _S.PAUSED), _S.PAUSED, _pause),
    "resume": ((_S.PAUSED, _S.RUNNING), _S.RUNNING, _resume),
    "end": ((_S.OPEN, _S.RUNNING, _S.PAUSED, _S.ENDED), _S.ENDED, _end),
}
