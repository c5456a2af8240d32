"""What a command would do, found by doing it: a copy of the books, the engine itself, nothing stored.

So a preview shows the very fills, amounts, orders and ranks that applying it would touch, and the very
refusal that it would meet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from market import queries as market_queries
from market.models import World
from market.ticks import PhaseTick
from simgame.kernel import money
from trading import ranking
from trading.engine.engine import Engine
from trading.engine.events import FillRow, Notice, OrderRow, Refused
from trading.exchange import recovery, ticks
from trading.exchange.database import connect
from trading.messages import currency_of
from trading.models import Game, Portfolio
from trading.portfolios import worth

SHOWN_MAX = 200  # rows of each kind in a preview


@dataclass
class Rehearsal:
    refusal: Refused | None = None
    fills: int = 0
    orders: list[dict[str, Any]] = field(default_factory=list)
    touched: list[dict[str, Any]] = field(default_factory=list)
    portfolios: int = 0
    ranks: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        no = self.refusal
        return {
            "refusal": no and {"code": no.code, "detail": no.detail, "facts": no.facts},
            "portfolios": self.portfolios,
            "fills": self.fills,
            "touched": self.touched,
            "orders": self.orders,
            "ranks": self.ranks,
        }


def rehearse(world: World, command: Any) -> Rehearsal:
    """Applies it to a copy of the books as they are stored this moment."""
    with connect("rehearsal") as connection:
        connection.execute("SET simgame.viewer TO 'house'")  # staff ask; a connection outside Django's pool
        connection.execute(recovery.SNAPSHOT)
        books = recovery.rows(connection, world.number)
        connection.rollback()
    rules = ticks.Rules(world)
    day = market_queries.market_day(world)
    engine = recovery.engine_of(books, world.number, rules.of(day), rules.halted)
    head = books.head
    engine.apply(PhaseTick(day, "pre_open", "", 0, head.at_ns, head.at_ns), head.seq, head.at_ns)
    events = engine.apply(command, head.seq + 1, head.at_ns)
    if events and isinstance(events[0], Refused):
        return Rehearsal(refusal=events[0])
    names = dict(Portfolio.objects.filter(game__world=world).values_list("id", "player__username"))
    notices = [each for each in events if isinstance(each, Notice)]
    touched = sorted({each.portfolio for each in notices})
    return Rehearsal(
        fills=sum(isinstance(each, FillRow) for each in events),
        orders=[_order(each, names) for each in _last_rows(events)[:SHOWN_MAX]],
        touched=[
            {
                "portfolio": each.portfolio,
                "player": names.get(each.portfolio, ""),
                "text": each.text,
                **each.facts,
            }
            for each in notices[:SHOWN_MAX]
        ],
        portfolios=len(touched),
        ranks=_ranks(world, engine, touched, names)[:SHOWN_MAX],
    )


def _last_rows(events: list[Any]) -> list[OrderRow]:
    return list({each.id: each for each in events if isinstance(each, OrderRow)}.values())


def _order(row: OrderRow, names: dict[int, str]) -> dict[str, Any]:
    was = row.receipt.get("was", {})
    return {
        "order": row.id,
        "player": names.get(row.portfolio, ""),
        "symbol": row.symbol,
        "side": row.side,
        "status": row.status,
        "reason": row.reason,
        "qty": row.qty,
        "limit_price": row.limit_price,
        "was_qty": was.get("qty"),
        "was_limit_price": was.get("limit_price"),
    }


def _ranks(world: World, engine: Engine, touched: list[int], names: dict[int, str]) -> list[dict[str, Any]]:
    """Equity and rank before and after, of the touched and in each game of the world."""
    rows: list[dict[str, Any]] = []
    marks, scales = market_queries.marks(world), ranking.scales_of(world.number)
    cash = _cash(engine, set(touched))
    for game in Game.objects.filter(world=world, status=Game.Status.RUNNING):
        before = {number: value.equity for number, value in ranking.worths(game).items()}
        after = dict(before)
        for number in touched:
            if number not in before:
                continue
            portfolio = engine.state.portfolios[number]
            held = [each.row() for each in portfolio.positions.values()]
            after[number] = worth(cash[number], held, marks, scales, game.currency).equity
        was, becomes, exponent = _places(before), _places(after), money.CURRENCY_EXPONENT[game.currency]
        rows += [
            {
                "game": game.slug,
                "portfolio": number,
                "player": names.get(number, ""),
                "rank": was[number],
                "rank_after": becomes[number],
                "equity": money.show(before[number], exponent),
                "equity_after": money.show(after[number], exponent),
            }
            for number in sorted(before, key=was.__getitem__)
            if was[number] != becomes[number] or before[number] != after[number]
        ]
    return rows


def _cash(engine: Engine, portfolios: set[int]) -> dict[int, dict[str, int]]:
    """Cash of each by currency, with what it is owed."""
    cash: dict[int, dict[str, int]] = {number: {} for number in portfolios}
    for each in engine.state.balances.values():
        currency = currency_of(each.asset)
        if each.account in portfolios and currency:
            mine = cash[each.account]
            mine[currency] = mine.get(currency, 0) + each.posted
    return cash


def _places(equity: dict[int, int]) -> dict[int, int]:
    ordered = sorted(equity, key=lambda number: (-equity[number], number))
    return {number: place for place, number in enumerate(ordered, start=1)}
