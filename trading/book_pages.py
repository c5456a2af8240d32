"""What the pages of one's own books show: portfolio, orders, fills, journal, one instrument. Reads only."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Player
from market import queries as market_queries
from market.models import CorporateAction, Instrument
from simgame.kernel import money
from simgame.kernel.errors import NotFound
from trading import drawn, equity, games, journal, pages, queries, ranking, results, rights, shown
from trading.messages import fill_json, order_json
from trading.models import Fill, Order, Portfolio

JSON = dict[str, Any]

ROWS_SHOWN: Final = 100  # of a page of orders or fills
NOTES_SHOWN: Final = 50
TABLE_ROWS: Final = 12  # of the table behind the curve
KINDS: Final = {
    Instrument.Kind.STOCK: gettext_lazy("Stock"),
    Instrument.Kind.ETF: gettext_lazy("Fund (ETF)"),
    Instrument.Kind.FUTURE: gettext_lazy("Future"),
    Instrument.Kind.FX: gettext_lazy("Currency pair"),
    Instrument.Kind.CRYPTO: gettext_lazy("Coin"),
    Instrument.Kind.INDEX: gettext_lazy("Index"),
}


def portfolio(mine: Portfolio) -> JSON:
    """Money, positions, the curve, and what was earned where and when."""
    snapshot = queries.desk_snapshot(mine.id)
    known = equity.points(mine)
    points = equity.shown(mine, known)
    start = snapshot["portfolio"]["start_cash"]
    return {
        **pages.frame(mine),
        "page": {**pages.market_page(mine.game.world), "desk": snapshot, "phase": snapshot["phase"]},
        "desk": snapshot,
        "held": [row for row in snapshot["positions"] if row["qty"] != "0"],
        "owned_rights": rights.of(mine.id),
        "rules": snapshot["rules"],
        "equity_line": drawn.curve(points, "equity", start),
        "fall_line": drawn.curve(points, "drawdown", "0"),
        "deepest": equity.deepest(mine, known),
        "curve_rows": _spread(points),
        "exposure": results.exposure(mine),
        "by_instrument": results.by_instrument(mine),
        "by_day": results.by_day(mine, known),
    }


def _spread(points: list[JSON]) -> list[JSON]:
    """About a dozen points over the whole curve, the last among them."""
    step = max(1, len(points) // TABLE_ROWS)
    rows = points[::-1][::step][:TABLE_ROWS]
    return [{**row, "at": dt.datetime.fromtimestamp(row["t"], dt.UTC).isoformat()} for row in rows]


def orders(mine: Portfolio, wanted: str, symbol: str, before: str) -> JSON:
    """A page of orders (open, closed or all) or of fills, the newest first; `before` is where it goes on."""
    wanted = wanted if wanted in ("open", "closed", "all", "fills") else "all"
    scales = ranking.scales_of(mine.game.world_id)
    rows = (_fills if wanted == "fills" else _orders)(mine, wanted, symbol, before)
    page = list(rows[: ROWS_SHOWN + 1])
    make = fill_json if wanted == "fills" else order_json
    return {
        **_framed(mine),
        "wanted": wanted,
        "kinds": [
            ("all", _("All orders")),
            ("open", _("Waiting")),
            ("closed", _("Ended")),
            ("fills", _("Fills")),
        ],
        "symbol": symbol,
        "rows": [make(row, scales[row.symbol]) for row in page[:ROWS_SHOWN]],
        "more": str(page[ROWS_SHOWN - 1].pk) if len(page) > ROWS_SHOWN else "",
    }


def _orders(mine: Portfolio, wanted: str, symbol: str, before: str) -> Any:
    rows = queries.orders(mine.id, wanted, [symbol] if symbol else [])
    try:
        return rows.filter(id__lt=uuid.UUID(before)) if before else rows
    except ValueError:
        raise NotFound(_("There is no such page.")) from None


def _fills(mine: Portfolio, _wanted: str, symbol: str, before: str) -> Any:
    rows = Fill.objects.filter(portfolio=mine).order_by("-id")
    rows = rows.filter(symbol=symbol) if symbol else rows
    if not before:
        return rows
    if not (before.isascii() and before.isdigit() and len(before) < 19):
        raise NotFound(_("There is no such page."))
    return rows.filter(id__lt=int(before))


def notes(mine: Portfolio, words: str, tag: str) -> JSON:
    found = journal.search(mine.id, words, tag)
    return {
        **_framed(mine),
        "notes": [journal.row(note) for note in found[:NOTES_SHOWN]],
        "tags": journal.tags_of(mine.id),
        "searched": words,
        "tag": tag,
        "today": journal.today(mine.id),
    }


def instrument(player: Player | None, symbol: str) -> JSON:
    """One instrument: its facts, its actions, and what the player has to do with it."""
    game = games.running_season()
    world = game.world
    row = market_queries.instrument(world, symbol)
    mine = pages.portfolio_if_any(player)
    page = pages.market_page(world) | {
        "symbol": symbol,
        "sparks": {},
        "desk": queries.desk_snapshot(mine.id) if mine else None,
    }
    if not mine:  # else the top bar needs what the player holds, and the rates
        page["instruments"] = [one for one in page["instruments"] if one["symbol"] == symbol]
        page["quotes"] = {symbol: page["quotes"].get(symbol)}
    actions = CorporateAction.objects.filter(instrument=row).select_related("instrument", "into")
    return {
        **(pages.frame(mine) if mine else {"game": game, "world": world}),
        "page": page,
        "listed": row,
        "facts": facts(row),
        "actions": [shown.action(action) for action in actions.order_by("-ex_on")[:20]],
        "rules": market_queries.rules_today(world),
        "intervals": pages.INTERVALS,
        "own": _own(mine, symbol) if mine else None,
    }


def facts(row: Instrument) -> list[tuple[str, str]]:
    """What a player may want to know of it, in words."""
    told = [
        (_("Kind"), str(KINDS[row.kind])),
        (_("Sector"), _(row.sector) if row.sector else ""),
        (_("Currency"), row.currency),
        (_("Lot"), money.show_trimmed(row.lot, row.qty_exponent)),
        (_("Smallest price step"), money.show(row.tick, row.price_exponent)),
        (_("Multiplier"), str(row.multiplier) if row.multiplier != 1 else ""),
        (_("Listed on"), row.listed_on.isoformat() if row.listed_on else ""),
        (_("Last trading day"), row.expires_on.isoformat() if row.expires_on else ""),
        (_("Not traded here"), row.why_not_tradable),
    ]
    return [(name, value) for name, value in told if value]


def _own(mine: Portfolio, symbol: str) -> JSON:
    scale = ranking.scales_of(mine.game.world_id)[symbol]
    orders = Order.objects.filter(portfolio=mine, symbol=symbol).order_by("-id")[:20]
    result = next((row for row in results.by_instrument(mine) if row["symbol"] == symbol), None)
    return {
        "result": result,
        "orders": [order_json(row, scale) for row in orders],
        "notes": [journal.row(note) for note in journal.search(mine.id).filter(symbol=symbol)[:10]],
    }


def _framed(mine: Portfolio) -> JSON:
    snapshot = queries.desk_snapshot(mine.id)
    return {
        **pages.frame(mine),
        "page": {**pages.market_page(mine.game.world), "desk": snapshot, "phase": snapshot["phase"]},
        "rules": snapshot["rules"],
    }
