"""What players read of their own: the desk, orders, receipts, the account.

A snapshot is one REPEATABLE READ transaction, so its rows and its version belong together.
Everything is fetched by owner: a foreign id finds nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet

from market import queries as market_queries
from market import rulewords
from market.models import World
from simgame.kernel import clock, money, viewer
from simgame.kernel.errors import NotFound
from simgame.kernel.ids import row_number, world_key
from trading import account_events, margins, ranking, watchlist
from trading.messages import JSON, Scale, balance_json, currency_of, fill_json, order_json, position_json
from trading.models import (
    AccountEvent,
    Balance,
    Command,
    Fill,
    Game,
    Order,
    Participant,
    Portfolio,
    Position,
    Rank,
)
from trading.models.order import OPEN_STATUSES
from trading.portfolios import Worth

CLOSED_ORDERS_SHOWN = 50
FILLS_SHOWN = 100
NOTICES_SHOWN = 10
# The index of this condition makes it one look.
NOTICES = """
SELECT e.rows, e.body::json, simgame_command_at(e.command) FROM trading_accountevent e
WHERE e.portfolio_id = %s AND e.noticed ORDER BY e.seq DESC LIMIT %s"""


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All reads inside see one state of the database."""
    if connection.in_atomic_block:  # the caller's transaction is the snapshot
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def journal_head(world: World) -> int:
    """The number of the newest command that is committed."""
    mine = Command.objects.filter(id__lt=world_key(world.number + 1, 0), id__gte=world_key(world.number, 0))
    with viewer.house():  # a number, and nothing of anybody's
        head = mine.aggregate(head=Max("id"))["head"]
    return row_number(head) if head else 0


def halts(world: World) -> dict[str, str]:
    """Why each instrument that is halted now is."""
    return dict(world.instruments.filter(halted=True).values_list("symbol", "halt_reason"))


def desk_version(portfolio_id: int) -> int:
    """The head of the portfolio's stream: 0 before its first event."""
    rows = AccountEvent.objects.filter(portfolio_id=portfolio_id)
    return rows.aggregate(head=Max("seq"))["head"] or 0


def stream_epoch(portfolio_id: int) -> str:
    """The epoch of the portfolio's stream; "" when there is no such portfolio."""
    rows = Portfolio.objects.filter(id=portfolio_id)
    return rows.values_list("game__world__stream_epoch", flat=True).first() or ""


def desk_snapshot(portfolio_id: int) -> JSON:
    """Everything the desk shows of a portfolio, as of `version` of its stream."""
    with one_snapshot():
        portfolio = Portfolio.objects.select_related("game__world", "player").get(id=portfolio_id)
        world, game = portfolio.game.world, portfolio.game
        scales = ranking.scales_of(world.number)
        balances = list(Balance.objects.filter(account=portfolio_id))
        reserved = {balance.asset: balance.reserved for balance in balances}
        positions = Position.objects.filter(portfolio_id=portfolio_id).order_by("symbol")
        snapshot: JSON = {
            "epoch": world.stream_epoch,
            "version": desk_version(portfolio_id),
            "portfolio": _portfolio_json(portfolio),
            "balances": [balance_json(row) for row in balances if currency_of(row.asset)],
            "orders": [order_json(row, scales[row.symbol]) for row in _desk_orders(portfolio_id)],
            "fills": [
                fill_json(row, scales[row.symbol])
                for row in Fill.objects.filter(portfolio_id=portfolio_id).order_by("-id")[:FILLS_SHOWN]
            ],
            "positions": [
                position_json(row, scales[row.symbol], reserved.get(row.symbol, 0)) for row in positions
            ],
            "watchlist": watchlist.of(portfolio_id),
            "notices": notices(portfolio_id),
        }
        value = ranking.worths(game, [portfolio_id])[portfolio_id]
    snapshot["portfolio"] |= worth_json(value, game.currency)
    snapshot["game"] = _game_json(game, portfolio_id)
    snapshot["world"] = {
        "number": world.number,
        "slug": world.slug,
        "name": world.name,
        "kind": world.kind,
        "currency": world.currency,
        "timezone": world.timezone,
    }
    snapshot["phase"] = market_queries.phase(world)
    snapshot["rules"] = market_queries.rules_today(world)
    return snapshot


def worth_json(value: Worth, currency: str) -> JSON:
    exponent = money.CURRENCY_EXPONENT[currency]
    return {
        "cash": money.show(value.cash, exponent),
        "equity": money.show(value.equity, exponent),
        "day_start_equity": money.show(value.day_start, exponent),
        "day_change": money.show(value.equity - value.day_start, exponent),
    }


def _portfolio_json(portfolio: Portfolio) -> JSON:
    exponent = money.CURRENCY_EXPONENT[portfolio.game.currency]
    call_ns = portfolio.margin_call_ns
    return {
        "margin": margins.shown(portfolio),
        "margin_call_until": clock.rfc3339(call_ns) if call_ns else None,
        "id": portfolio.id,
        "status": portfolio.status,
        "currency": portfolio.game.currency,
        "start_cash": money.show(portfolio.game.start_cash, exponent),
        "player": {"id": portfolio.player_id, "username": portfolio.player.username},
    }


def _game_json(game: Game, portfolio_id: int) -> JSON:
    rank = Rank.objects.filter(portfolio_id=portfolio_id).values_list("rank", flat=True).first()
    return {
        "id": game.id,
        "slug": game.slug,
        "name": game.name,
        "status": game.status,
        "rank": rank,
        "players": Participant.objects.filter(game=game).count(),
    }


def _desk_orders(portfolio_id: int) -> list[Order]:
    mine = Order.objects.filter(portfolio_id=portfolio_id).order_by("-id")
    open_ = list(mine.filter(status__in=OPEN_STATUSES))
    return open_ + list(mine.exclude(status__in=OPEN_STATUSES)[:CLOSED_ORDERS_SHOWN])


def events_after(portfolio_id: int, seq: int, limit: int) -> list[tuple[int, Any]]:
    """Account events after `seq`, oldest first: what a client missed."""
    return account_events.bodies(portfolio_id, seq, limit)


def orders(portfolio_id: int, wanted: str = "open", symbols: Iterable[str] = ()) -> QuerySet[Order]:
    """The portfolio's orders, newest first; `wanted` is open, closed or all."""
    rows = Order.objects.filter(portfolio_id=portfolio_id).order_by("-id")
    if wanted != "all":
        open_ = Q(status__in=OPEN_STATUSES)
        rows = rows.filter(open_ if wanted == "open" else ~open_)
    return rows.filter(symbol__in=list(symbols)) if symbols else rows


def order(portfolio_id: int, order_id: uuid.UUID) -> Order:
    found = Order.objects.filter(portfolio_id=portfolio_id, id=order_id).first()
    if found is None:
        raise NotFound("You have no such order.")
    return found


def receipt_of_order(portfolio_id: int, order_id: uuid.UUID) -> JSON:
    """Why an order rests, ended or was refused, with its fills and theirs."""
    row = order(portfolio_id, order_id)
    scale = _scale(row.world_id, row.symbol)
    fills = list(Fill.objects.filter(order_id=row.id, reverses=None).order_by("id"))
    gone = taken_back(fills)
    return {
        "order": order_json(row, scale),
        "receipt": receipt_json(row.receipt, scale),
        "fills": [
            {
                **fill_json(fill, scale),
                "receipt": receipt_json(fill.receipt, scale),
                "taken_back": gone.get(fill.pk),
            }
            for fill in fills
        ],
    }


def notices(portfolio_id: int) -> list[JSON]:
    """The last things that were told the player and that no row says, the newest first, with their time."""
    with connection.cursor() as cursor:
        cursor.execute(NOTICES, [portfolio_id, NOTICES_SHOWN])
        rows = cursor.fetchall()
    return [
        {**notice, "at": _instant(at)}
        for stored, body, at in rows
        for notice in account_events.notices_of(stored, body)
    ]


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def taken_back(fills: list[Fill]) -> dict[int, JSON]:
    """Of these fills, those that do not count any more: by which row, when and why."""
    rows = Fill.objects.filter(reverses__in=[fill.pk for fill in fills])
    undone = {row.pk for row in Fill.objects.filter(reverses__in=[row.pk for row in rows])}
    return {
        row.reverses: {"by": str(row.pk), "at": _instant(row.at), "reason": row.receipt["rule"]["text"]}
        for row in rows
        if row.pk not in undone
    }


def receipt_of_fill(portfolio_id: int, fill_id: int) -> JSON:
    fill = Fill.objects.select_related("order").filter(portfolio_id=portfolio_id, id=fill_id).first()
    if fill is None:
        raise NotFound("You have no such fill.")
    scale = _scale(fill.order.world_id, fill.symbol)
    return {
        "fill": fill_json(fill, scale),
        "order": order_json(fill.order, scale),
        "receipt": receipt_json(fill.receipt, scale),
        "taken_back": taken_back([fill]).get(fill.pk),
    }


PRICES = frozenset({"price", "limit_price", "collar", "limit_low", "limit_high", "best_bid", "best_ask"})
PRICES |= {"tick", "nearest_price", "previous_close", "cage", "last_price", "stop_loss", "take_profit"}
PRICES |= {"stop_price", "hwm", "reference", "close"}
SIZES = frozenset({"size", "taken", "queue_ahead", "qty", "lot", "sellable", "bought_today", "reserved_qty"})
SIZES |= {"volume", "bought", "sold"}  # of an auction
SIZES |= {"nearest_qty", "held", "leaves", "least_qty", "qty_max", "day_buys_max", "displayed", "print_size"}
AMOUNTS = frozenset({"amount", "base", "charged", "least", "cash", "cost", "needed", "available", "fee"})
AMOUNTS |= {"free", "posted", "reserved_cash", "notional", "equity", "initial", "maintenance"}
INSTANTS = frozenset({"at", "deadline", "expires", "now"})
LEVELS = frozenset({"bid", "ask"})  # [price, size]


def receipt_json(receipt: Any, scale: Scale) -> Any:
    """The stored receipt (or facts) with its scaled integers as decimals, its instants as RFC 3339."""
    if isinstance(receipt, list):
        return [receipt_json(item, scale) for item in receipt]
    if not isinstance(receipt, dict):
        return receipt
    return {name: _receipt_value(name, value, scale) for name, value in receipt.items()}


def _receipt_value(name: str, value: Any, scale: Scale) -> Any:
    if name in LEVELS and isinstance(value, list):
        return [scale.price(value[0]), scale.qty(value[1])]
    if name == "rule" and isinstance(value, dict):
        return rulewords.cited(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return receipt_json(value, scale)
    if name in INSTANTS:
        return clock.rfc3339(value)
    if name in PRICES:
        return scale.price(value)
    if name in SIZES:
        return scale.qty(value)
    return scale.cash(value) if name in AMOUNTS else value


def _scale(world_number: int, symbol: str) -> Scale:
    return ranking.scales_of(world_number)[symbol]


def percent(part: int, whole: int) -> str:
    """part / whole in percent with two decimals, halves away from zero; "0.00" of nothing."""
    if not whole:
        return "0.00"
    hundredths = money.half_up(abs(part) * 10_000, whole)
    return money.show(-hundredths if part < 0 else hundredths, 2)
