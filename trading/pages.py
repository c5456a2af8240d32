"""What the pages show: each function gathers one page's rows. Reads only; verbs are elsewhere."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import keys, logins, origin
from accounts.models import Player
from market import pinyin
from market import queries as market_queries
from market.models import Instrument, World
from simgame.kernel import money
from simgame.kernel.errors import NotFound
from trading import drawn, games, lobby, queries, standings, watchlists
from trading.errors import NotJoined
from trading.models import Game, Portfolio

JSON = dict[str, Any]

INTERVALS: Final = (
    ("1m", "1m"),
    ("5m", "5m"),
    ("15m", "15m"),
    ("1h", "1h"),
    ("1d", gettext_lazy("Day")),
    ("1w", gettext_lazy("Week")),
)
KEY_DAYS: Final = (30, 90, 365)  # how long a key may be made to work
BOARD_ROWS: Final = 9  # of the landing page


def landing() -> JSON:
    """The live board of the world that newcomers join."""
    game = games.running_season()
    page = market_page(game.world)
    busiest = sorted(page["instruments"], key=lambda row: -_turnover(page["quotes"].get(row["symbol"])))
    page["instruments"] = busiest[:BOARD_ROWS]
    shown = {row["symbol"] for row in page["instruments"]}
    for rows in ("quotes", "sparks"):
        page[rows] = {symbol: row for symbol, row in page[rows].items() if symbol in shown}
    exponent = money.CURRENCY_EXPONENT[game.currency]
    return {
        "page": page,
        "game": game,
        "world": game.world,
        "start_cash": f"{money.rescale_down(game.start_cash, exponent):,}",
    }


def desk(portfolio: Portfolio, symbol: str = "") -> JSON:
    """The desk of a portfolio."""
    snapshot = queries.desk_snapshot(portfolio.id)
    page = {**market_page(portfolio.game.world), "desk": snapshot, "phase": snapshot["phase"]}
    page["watchlists"] = [
        {"id": str(row.id), "name": row.name, "symbols": row.symbols} for row in watchlists.of(portfolio.id)
    ]
    known = [row["symbol"] for row in page["instruments"]]
    if symbol and symbol not in known:
        raise NotFound(_("This world has no instrument %(symbol)s.") % {"symbol": symbol})
    page["symbol"] = symbol or _first_symbol(snapshot, known)
    return {
        **frame(portfolio),
        "page": page,
        "symbol": page["symbol"],
        "rules": snapshot["rules"],
        "intervals": INTERVALS,
        "holds": any(row["qty"] != "0" for row in snapshot["positions"]),
    }


def standings_page(player: Player | None, slug: str = "") -> JSON:
    """How the players of a game stand; `player` may be a visitor. A private game is shown to those in it."""
    game = lobby.find(slug, player and player.pk) if slug else games.running_season()
    mine = Portfolio.objects.filter(player=player, game=game).first() if player else None
    table = standings.table(game, mine.id if mine else None)
    shared = frame(mine) if mine else {"game": game, "world": game.world}
    page = {"world": _world_json(game.world), "phase": market_queries.phase(game.world)}
    if mine:  # the top bar says what the portfolio is worth
        page = market_page(game.world) | {"sparks": {}, "desk": queries.desk_snapshot(mine.id)}
    rows = [*table["rows"], *table["neighbours"]]
    edge = drawn.luck_edge(rows)
    for row in rows:
        row["drawn"] = drawn.luck(row, edge)
    tallest = max((bucket["n"] for bucket in table["returns"]), default=0)
    return {
        **shared,
        "page": page,
        "table": table,
        "edge": edge,
        "alike": _alike(table["mine"]),
        "bars": [_bar(bucket, tallest, table["mine"]) for bucket in table["returns"]],
        "rules": market_queries.rules_today(game.world),
    }


def portfolio_of(player: Player, wanted: int | None = None) -> Portfolio:
    """The portfolio that the pages show: the one the player chose, else the one in the running Season.

    A game that waits for its host has no books to show yet. The first look joins; that of an operator who
    looks as the player does not: NotJoined.
    """
    books_in = games.join if origin.current().impersonator_id is None else games.joined
    mine = Portfolio.objects.filter(player=player, id=wanted).select_related("game__world") if wanted else ()
    for chosen in mine:
        if chosen.game.status != Game.Status.OPEN:
            return books_in(player, chosen.game)
    return books_in(player, games.running_season())


def portfolio_if_any(player: Player | None, wanted: int | None = None) -> Portfolio | None:
    """As `portfolio_of`; None for a visitor, and for a player looked at who has not joined."""
    try:
        return portfolio_of(player, wanted) if player else None
    except NotJoined:
        return None


def settings_page(player: Player, session_login: str = "") -> JSON:
    return {
        "languages": settings.LANGUAGES,
        "logins": logins.of_player(player.id),
        "this_login": session_login,
        "keys": keys.of_player(player.id),
        "key_days": KEY_DAYS,
        "social": bool(settings.SOCIAL),
        "portfolios": Portfolio.objects.filter(player=player).select_related("game"),
    }


def own_portfolio(player: Player, wanted: str) -> Portfolio:
    """The player's portfolio of this number. Raises NotFound for any other."""
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else 0
    found = Portfolio.objects.filter(player=player, id=number).first()
    if found is None:
        raise NotFound(_("You have no such portfolio."))
    return found


def guide() -> JSON:
    """The player guide, with the figures of the Season that runs."""
    game = games.running_season()
    exponent = money.CURRENCY_EXPONENT[game.currency]
    return {
        "game": game,
        "world": game.world,
        "rules": market_queries.rules_today(game.world),
        "page": {"world": _world_json(game.world), "phase": market_queries.phase(game.world)},
        "start_cash": f"{money.rescale_down(game.start_cash, exponent):,}",
    }


def frame(portfolio: Portfolio) -> JSON:
    return {"portfolio": portfolio, "game": portfolio.game, "world": portfolio.game.world}


def market_page(world: World) -> JSON:
    return {
        "world": _world_json(world),
        "phase": market_queries.phase(world),
        "instruments": [_instrument_json(row) for row in market_queries.instruments(world.number)],
        "quotes": market_queries.quotes(world),
        "sparks": market_queries.sparks(world),
    }


def _world_json(world: World) -> JSON:
    names = ("number", "slug", "name", "kind", "currency", "timezone")
    return {name: getattr(world, name) for name in names}


def _instrument_json(row: Instrument) -> JSON:
    """What the script needs to read and write an instrument's numbers (steps as decimal strings)."""
    return {
        "symbol": row.symbol,
        "name": row.name,
        "name_zh": row.name_zh,
        "initials": pinyin.initials(row.name_zh),
        "kind": row.kind,
        "currency": row.currency,
        "price_exponent": row.price_exponent,
        "qty_exponent": row.qty_exponent,
        "multiplier": row.multiplier,
        "tick": money.show(row.tick, row.price_exponent),
        "lot": money.show_trimmed(row.lot, row.qty_exponent),
        "tradable": row.tradable,
        "halted": row.halted,
        "halt_reason": _(row.halt_reason) if row.halt_reason else "",
    }


def _turnover(quote: JSON | None) -> float:
    """For the order of the board only."""
    return float((quote or {}).get("turnover") or 0)


def _first_symbol(snapshot: JSON, known: list[str]) -> str:
    held = [row["symbol"] for row in snapshot["positions"] if row["qty"] != "0"]
    return next((symbol for symbol in [*held, *snapshot["watchlist"], *known] if symbol in known), "")


def _alike(mine: JSON | None) -> str:
    """How many in a hundred coins end as high as the player, or higher; "" where nobody can tell."""
    luck = mine and mine["luck"]
    return f"{100 - float(luck['beats_pct']):.0f}" if luck else ""


def _bar(bucket: JSON, tallest: int, mine: JSON | None) -> JSON:
    """A column of the histogram: height in percent of the tallest."""
    place = float(mine["return_pct"]) if mine else None
    here = place is not None and bucket["from"] <= place < bucket["to"]
    height = round(100 * bucket["n"] / tallest) if tallest else 0
    return {**bucket, "height": height, "top": 100 - height, "you": here}
