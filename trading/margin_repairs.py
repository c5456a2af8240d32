"""What a correction makes of a margin portfolio's position: its history again, without some of its fills.

Refused where the history holds more than can be done again, because then nobody can say what the position
would be: such a fill is settled by hand (`Adjust`, by two people).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from market import queries as market_queries
from market import rulebook, worlds
from market.models import Instrument
from market.rulebook import InstrumentRules
from simgame.kernel import ids
from simgame.kernel.errors import Invalid
from trading import account_events
from trading.engine.commands import Settlement, Undone
from trading.messages import scale_of
from trading.models import AccountEvent, ActionEntry, Fill, Portfolio, Position, Transfer
from trading.portfolios import value_of
from trading.refold_margin import Folded, Step, fold

NUMBER = (1 << ids.WORLD_SHIFT) - 1
DAYS: dict[str, Any] = {"SETTLED": "mark", "EXPIRED": "expire"}  # notices that tell of a contract's day
Placed = tuple[int, int, Step]  # command, place in it


def is_on_margin(portfolio: int) -> bool:
    return Portfolio.objects.filter(id=portfolio, kind="margin").exists()


def settlement(
    row: Instrument, portfolio: int, fair: int, moved: Iterable[Undone], *, without: frozenset[int],
    again: frozenset[int] = frozenset(),
) -> Settlement:  # fmt: skip
    """`without`: fills (by n) that are taken back; `again`: fills taken back before, that count again.

    `moved`: every transfer that the correction moves back. Raises Invalid.
    """
    position = Position.objects.get(portfolio_id=portfolio, symbol=row.symbol)
    now = position.qty, position.cost, position.realised
    rules = _rules(row)
    steps = _history(row, portfolio, again)
    as_it_is = _fold(steps, row, rules, fair, again)
    if as_it_is[:3] != now:
        raise Invalid(
            f"Portfolio {portfolio} holds {row.symbol} on margin, and more has happened to that position "
            "than its fills and days say (an earlier correction that settled something): it cannot be "
            "worked out what it would be without these fills."
        )
    after = _fold(steps, row, rules, fair, without)
    qty, cash = _moves(portfolio, row, moved)
    stale = as_it_is.day != (position.bought_today, position.day_cash, position.day_start_qty)
    return Settlement(
        portfolio,
        row.symbol,
        fair,
        missing=after.qty - now[0] - qty,
        cost=after.cost,
        found=now,
        result=after.realised - now[2] - cash if rules.is_contract else 0,
        day=(0, 0, after.qty) if stale else after.day,  # stale: a day has begun since its last trade
    )


def _fold(
    steps: list[Step], row: Instrument, rules: InstrumentRules, fair: int, undone: frozenset[int]
) -> Folded:
    scale = scale_of(row)
    today = market_queries.market_day(row.world)
    return fold(
        steps,
        contract=rules.is_contract,
        locks=bool(rules.lock_days),
        fair=fair,
        worth=lambda qty, price: value_of(qty, price, scale),
        undone=undone,
        expired=0 < rules.last_day < today,
    )


def _rules(row: Instrument) -> InstrumentRules:
    day = market_queries.market_day(row.world)
    return rulebook.load(row.world.rulebook).rules_for(row, worlds.rules_day(row.world, day))


def _moves(portfolio: int, row: Instrument, moved: Iterable[Undone]) -> tuple[int, int]:
    """What moving back gives it: quantity, cash."""
    sums = {row.symbol: 0, row.currency: 0}
    for each in moved:
        if each.asset in sums and portfolio in (each.debit, each.credit):
            sums[each.asset] += each.amount if each.debit == portfolio else -each.amount
    return sums[row.symbol], sums[row.currency]


# --- its history ----------------------------------------------------------------------------------


def _history(row: Instrument, portfolio: int, again: frozenset[int]) -> list[Step]:
    steps = [
        *_trades(row, portfolio, again),
        *_given(row, portfolio),
        *_actions(row, portfolio),
        *_days(row, portfolio),
    ]
    return [step for _, _, step in sorted(steps, key=lambda each: each[:2])]


def _trades(row: Instrument, portfolio: int, again: frozenset[int]) -> Iterable[Placed]:
    """Fills that count, and those that are to count again."""
    mine = Fill.objects.filter(portfolio_id=portfolio, symbol=row.symbol)
    back = set(mine.filter(reverses__isnull=False).values_list("reverses", flat=True))
    for each in mine.filter(reverses=None).order_by("id"):
        n = each.pk & NUMBER
        if each.pk in back and n not in again:
            continue
        effect = each.receipt.get("effect", "open" if each.side == "buy" else "close")
        step = Step("trade", each.market_day, n, each.side == "buy", each.qty, each.cash, each.fee, effect)
        yield each.seq, n, step


def _given(row: Instrument, portfolio: int) -> Iterable[Placed]:
    either = Q(debit_account=portfolio) | Q(credit_account=portfolio)
    for each in Transfer.objects.filter(either, code=Transfer.Code.ADJUST, asset=row.symbol):
        yield each.seq, 0, Step("given", qty=each.amount, buys=each.credit_account == portfolio)


def _actions(row: Instrument, portfolio: int) -> Iterable[Placed]:
    for each in ActionEntry.objects.filter(world_id=row.world_id, portfolio_id=portfolio, symbol=row.symbol):
        yield each.seq, 0, Step("exact", qty=each.qty, cost=each.cost, realised=each.realised)


def _days(row: Instrument, portfolio: int) -> Iterable[Placed]:
    """What the portfolio was told of its contract's days, and of what borrowing cost."""
    told = AccountEvent.objects.filter(portfolio_id=portfolio, noticed=True).order_by("seq")
    for event in told.iterator(chunk_size=1_000):
        for place, notice in enumerate(account_events.notices_of(event.rows, event.body)):
            facts = notice["facts"]
            if facts.get("symbol") != row.symbol:
                continue
            seq = event.command & NUMBER
            if notice["code"] in DAYS:
                yield seq, place, Step(DAYS[notice["code"]], price=facts["price"])
            elif notice["code"] == "BORROW_FEE":
                yield seq, place, Step("exact", realised=-facts["amount"])
