"""What a bot reads of its own on `/v2`: account, positions and orders, in Alpaca's shapes.

Field lists: https://docs.alpaca.markets/reference (Trading API). A field that means nothing here has
the value that says so ("0", false, null), never an invented one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from market import queries as market_queries
from simgame.kernel import money
from simgame.kernel.errors import NotFound
from trading import margins, queries, ranking
from trading.errors import Unsupported
from trading.messages import JSON, Scale, nested, order_json, position_json
from trading.models import Balance, Order, Portfolio, Position
from trading.portfolios import value_now, value_of

ORDERS_MAX: Final = 500
RATIO_DECIMALS: Final = 6  # of a share such as 0.012345
ACCOUNT_NAMES: Final = uuid.UUID("6f9c0c5e-6d0c-4a57-9a52-0c7ad3f4b1e0")  # name space of our account ids


def account(portfolio_id: int) -> JSON:
    """Alpaca's account, in the game's currency: a cash account (multiplier 1, nothing short), or margin."""
    with queries.one_snapshot():
        portfolio = _portfolio(portfolio_id)
        game = portfolio.game
        cash = Balance.objects.filter(account=portfolio_id, asset=game.currency).first()
        worth = ranking.worths(game, [portfolio_id])[portfolio_id]
        asked = margins.of(portfolio, worth, cash.reserved if cash else 0)
    exponent = money.CURRENCY_EXPONENT[game.currency]
    free = asked.available if asked else cash.posted - cash.reserved if cash else 0
    power = money.show(free * asked.leverage if asked else free, exponent)
    equity = money.show(worth.equity, exponent)
    powers = ("buying_power", "regt_buying_power", "effective_buying_power")
    return {
        "id": account_id(portfolio_id),
        "account_number": str(portfolio_id),
        "status": "ACTIVE" if portfolio.status != Portfolio.Status.OPENING else "APPROVAL_PENDING",
        "crypto_status": "ACTIVE",
        "currency": game.currency,
        "cash": money.show(worth.cash, exponent),
        **dict.fromkeys(powers, power),
        "non_marginable_buying_power": money.show(free, exponent),
        **dict.fromkeys(("daytrading_buying_power", "options_buying_power", "accrued_fees"), "0"),
        "portfolio_value": equity,
        "equity": equity,
        "last_equity": money.show(worth.day_start, exponent),
        "long_market_value": money.show(worth.long, exponent),
        "short_market_value": money.show(worth.short, exponent) if worth.short else "0",
        "position_market_value": money.show(worth.value, exponent),
        "initial_margin": money.show(asked.initial, exponent) if asked else "0",
        "maintenance_margin": money.show(asked.maintenance, exponent) if asked else "0",
        **dict.fromkeys(("last_maintenance_margin", "sma"), "0"),
        "multiplier": str(asked.leverage) if asked else "1",
        "shorting_enabled": bool(asked and asked.shorts),
        "margin_call_until": asked.call_until if asked else None,
        "pattern_day_trader": False,
        "daytrade_count": 0,
        "trading_blocked": portfolio.status == Portfolio.Status.FROZEN,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": portfolio.created_at,
    }


def account_id(portfolio_id: int) -> str:
    """The UUID under which their clients know a portfolio."""
    return str(uuid.uuid5(ACCOUNT_NAMES, str(portfolio_id)))


def configurations(portfolio_id: int) -> JSON:
    """What Alpaca lets one configure: here the game has chosen."""
    portfolio = _portfolio(portfolio_id)
    terms, world = margins.terms_of(portfolio), portfolio.game.world_id
    return {
        "dtbp_check": "both",
        "fractional_trading": any(scale.qty_exponent for scale in ranking.scales_of(world).values()),
        "max_margin_multiplier": str(terms.leverage) if terms else "1",
        "no_shorting": not (terms and terms.shorts),
        "pdt_check": "entry",
        "ptp_no_exception_entry": False,
        "suspend_trade": False,
        "trade_confirm_email": "none",
    }


def configure(portfolio_id: int, wanted: Mapping[str, Any]) -> JSON:
    """What holds already may be asked for again; the rest is the game's to decide. Raises Unsupported."""
    chosen = configurations(portfolio_id)
    for name, value in wanted.items():
        if value is not None and str(value) != str(chosen.get(name)):
            raise Unsupported(
                f"{name}: the game has chosen {chosen.get(name)!r}, and its players cannot change it.",
                pointer=f"/{name}",
            )
    return chosen


def positions(portfolio_id: int) -> list[JSON]:
    """What the portfolio holds, by symbol."""
    with queries.one_snapshot():
        world = _portfolio(portfolio_id).game.world
        rows = list(Position.objects.filter(portfolio_id=portfolio_id).exclude(qty=0).order_by("symbol"))
        balances = Balance.objects.filter(account=portfolio_id)
        reserved = dict(balances.values_list("asset", "reserved"))
    scales, marks = ranking.scales_of(world.number), market_queries.marks(world)
    return [
        _position(row, scales[row.symbol], reserved.get(row.symbol, 0), marks.get(row.symbol, (0, 0)))
        for row in rows
    ]


def position(portfolio_id: int, name: str) -> JSON:
    """The position in the instrument of this symbol or asset id. Raises NotFound."""
    for row in positions(portfolio_id):
        if name in (row["symbol"], row["asset_id"]):
            return row
    raise NotFound("position does not exist")


def symbol_of(portfolio_id: int, name: str) -> str:
    """The symbol of an asset id of the portfolio's world; anything else is a symbol already."""
    scales = ranking.scales_of(_portfolio(portfolio_id).game.world_id)
    return next((symbol for symbol, scale in scales.items() if scale.uid == name), name)


def orders(portfolio_id: int, wanted: Mapping[str, Any]) -> tuple[list[JSON], str]:
    """The portfolio's orders, and the id that the next page begins after ("" on the last page).

    wanted: status open|closed|all, limit, direction asc|desc, and maybe after, until (datetime,
    both exclusive), symbols (list), side, nested (legs under the order they
    came with, when that is listed too), page_token (the id of the last order of the page before).
    """
    rows = queries.orders(portfolio_id, wanted["status"], wanted.get("symbols") or ())
    rows = _between(rows, wanted.get("after"), wanted.get("until"))
    if side := wanted.get("side"):
        rows = rows.filter(side=side)
    if wanted["direction"] == "asc":
        rows = rows.order_by("id")
    if last := wanted.get("page_token"):
        rows = rows.filter(id__gt=last) if wanted["direction"] == "asc" else rows.filter(id__lt=last)
    found = _order_rows(rows[: wanted["limit"] + 1])
    more = len(found) > wanted["limit"]
    found = found[: wanted["limit"]]
    after = found[-1]["id"] if more else ""
    if not wanted.get("nested"):
        return found, after
    listed = {order["id"] for order in found}
    return _with_legs([order for order in found if order["parent_id"] not in listed]), after


def order(portfolio_id: int, order_id: str, *, with_legs: bool = False) -> JSON:
    """Raises NotFound, also for an order of somebody else and for what is no id at all."""
    try:
        wanted = uuid.UUID(order_id)
    except ValueError:
        raise NotFound("You have no such order.") from None
    found = _order_rows([queries.order(portfolio_id, wanted)])
    return (_with_legs(found) if with_legs else found)[0]


def order_by_client_id(portfolio_id: int, client_order_id: str) -> JSON:
    """Raises NotFound. After the request's deadline a NotFound is final: the order never was."""
    rows = Order.objects.filter(portfolio_id=portfolio_id, client_order_id=client_order_id)
    if found := _order_rows(rows):
        return found[0]
    raise NotFound("You have no such order.")


def _with_legs(orders: list[JSON]) -> list[JSON]:
    """Each with the orders that came with it under `legs`."""
    ids = [leg for order in orders for leg in order["leg_ids"]]
    legs = {leg["id"]: leg for leg in _order_rows(Order.objects.filter(id__in=ids))} if ids else {}
    return [nested(order, [legs[leg] for leg in order["leg_ids"] if leg in legs]) for order in orders]


def _portfolio(portfolio_id: int) -> Portfolio:
    return Portfolio.objects.select_related("game__world").get(id=portfolio_id)


def _between(rows: QuerySet[Order], after: datetime | None, until: datetime | None) -> QuerySet[Order]:
    if after:
        rows = rows.filter(submitted_at__gt=after)
    return rows.filter(submitted_at__lt=until) if until else rows


def _order_rows(rows: QuerySet[Order] | list[Order]) -> list[JSON]:
    found = list(rows)
    scales = ranking.scales_of(found[0].world_id) if found else {}
    return [order_json(row, scales[row.symbol]) for row in found]


def _position(row: Position, scale: Scale, reserved: int, mark: tuple[int, int]) -> JSON:
    last, previous = mark
    said = position_json(row, scale, reserved)
    now, today = value_now(row, mark, scale)
    value = now + row.cost if scale.is_contract else now
    before = value_of(row.day_start_qty, previous or last, scale)
    return {
        "asset_id": scale.uid,
        "symbol": row.symbol,
        "exchange": "",
        "asset_class": scale.asset_class,
        "asset_marginable": scale.is_contract,
        "qty": said["qty"],
        "qty_available": said["qty_available"],
        "side": said["side"],
        "avg_entry_price": said["avg_entry_price"],
        "cost_basis": scale.cash(row.cost),
        "market_value": scale.cash(value),
        "unrealized_pl": scale.cash(value - row.cost),
        "unrealized_plpc": share(value - row.cost, abs(row.cost)),
        "unrealized_intraday_pl": scale.cash(today),
        "unrealized_intraday_plpc": share(today, abs(before or row.cost)),
        "current_price": scale.price(last) if last else None,
        "lastday_price": scale.price(previous) if previous else None,
        "change_today": share(last - previous, previous) if last and previous else None,
    }


def share(part: int, whole: int) -> str:
    """part / whole as a decimal, halves away from zero; "0" of nothing."""
    if whole <= 0:
        return "0"
    scaled = money.half_up(abs(part) * 10**RATIO_DECIMALS, whole)
    return money.show_trimmed(-scaled if part < 0 else scaled, RATIO_DECIMALS)
