"""Rows for the wire: the engine's row and the stored row of one thing give the same JSON."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simgame.kernel import clock, ids
from trading.engine.events import FillRow, OrderRow, PositionRow
from trading.messages import (
    Scale,
    average_cost,
    average_price,
    fill_json,
    order_json,
    position_json,
)
from trading.models import Fill, Order, Position
from trading.queries import percent, receipt_json

ALICE = 7
WORLD = 3
AT_NS = 1_793_612_096_123_456_000  # 2026-11-02T09:34:56.123456Z
SHARE = Scale("NLB", "5e0c0000-0000-4000-8000-000000000001", "CNY", 2, 0, 1, "us_equity")
COIN = Scale("NKNUSDT", "5e0c0000-0000-4000-8000-000000000002", "USDT", 4, 3, 1, "crypto")


def an_order(**changes) -> OrderRow:
    fields = {
        "exec_type": "fill",
        "id": "01994b2e-0000-7000-8000-000000000001",
        "portfolio": ALICE,
        "symbol": "NLB",
        "client_order_id": "breakfast",
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "qty": 3000,
        "limit_price": 4217,
        "status": "filled",
        "reason": "",
        "filled_qty": 3000,
        "filled_value": 900 * 4216 + 2100 * 4217,
        "filled_cash": 900 * 4216 + 2100 * 4217,
        "fees": 3163,
        "reserved_cash": 0,
        "reserved_qty": 0,
        "queue_ahead": 0,
        "priority": 41,
        "version": 3,
        "market_day": 20261102,
        "submitted_ns": AT_NS,
        "updated_ns": AT_NS + 5_000,
        "closed_ns": AT_NS + 5_000,
        "receipt": {},
    }
    return OrderRow(**{**fields, **changes})


def as_stored(row: OrderRow) -> Order:
    """The model that the exchange writes of this row."""
    names = {field.attname for field in Order._meta.concrete_fields} & set(row.__struct_fields__)
    return Order(
        **{name: getattr(row, name) for name in names},
        portfolio_id=row.portfolio,
        submitted_at=clock.from_ns(row.submitted_ns),
        updated_at=clock.from_ns(row.updated_ns),
        closed_at=clock.from_ns(row.closed_ns) if row.closed_ns else None,
    )


def a_fill(**changes) -> FillRow:
    fields = {
        "n": 12,
        "match": 12,
        "order_id": "01994b2e-0000-7000-8000-000000000001",
        "portfolio": ALICE,
        "symbol": "NLB",
        "side": "buy",
        "price": 4216,
        "qty": 900,
        "cash": 3_794_400,
        "fees": (("commission", 949), ("transfer_fee", 38)),
        "fee": 987,
        "against": "market",
        "market_day": 20261102,
        "at_ns": AT_NS,
        "receipt": {},
    }
    return FillRow(**{**fields, **changes})


@pytest.mark.parametrize("status", ["new", "filled", "canceled", "expired", "rejected"])
def test_an_order_reads_the_same_from_the_engine_and_from_the_table(status):
    row = an_order(status=status, closed_ns=0 if status == "new" else AT_NS + 5_000)
    assert order_json(row, SHARE) == order_json(as_stored(row), SHARE)


@pytest.mark.parametrize(
    ("updated", "closed"), [(0, 0), (0, 5_000), (5_000, 0), (5_000, 5_000), (5_000, 9_000)]
)
def test_the_moments_of_an_order_are_its_own(updated, closed):
    row = an_order(updated_ns=AT_NS + updated, closed_ns=closed and AT_NS + closed)
    assert order_json(row, SHARE) == order_json(as_stored(row), SHARE)
    assert order_json(row, SHARE)["filled_at"] == (clock.rfc3339(AT_NS + closed) if closed else None)


def test_alice_sees_her_filled_order_in_decimals():
    seen = order_json(an_order(), SHARE)
    assert seen["qty"] == "3000"
    assert seen["limit_price"] == "42.17"
    assert seen["filled_avg_price"] == "42.167"
    assert seen["fees"] == "31.63"
    assert seen["filled_at"] == "2026-11-02T09:34:56.123461Z"
    assert seen["canceled_at"] is None


def test_a_market_order_has_no_limit_price():
    assert order_json(an_order(type="market", limit_price=None), SHARE)["limit_price"] is None


def test_a_fill_reads_the_same_from_the_engine_and_from_the_table():
    row = a_fill()
    stored = Fill(
        id=ids.world_key(WORLD, row.n),
        order_id=row.order_id,
        symbol=row.symbol,
        side=row.side,
        price=row.price,
        qty=row.qty,
        cash=row.cash,
        fee=row.fee,
        fees=[list(line) for line in row.fees],
        against=row.against,
        market_day=row.market_day,
        at=clock.from_ns(row.at_ns),
    )
    assert fill_json(row, SHARE, WORLD) == fill_json(stored, SHARE)
    assert fill_json(row, SHARE, WORLD)["fees"][0] == {"name": "commission", "amount": "9.49"}


def test_a_position_reads_the_same_from_the_engine_and_from_the_table():
    numbers = {"qty": 3000, "bought_today": 1000, "market_day": 20261102, "cost": 12_650_100}
    numbers |= {"realised": -500, "day_start_qty": 2000, "day_cash": -4_216_000}
    row = PositionRow(portfolio=ALICE, symbol="NLB", reserved=300, **numbers)
    stored = Position(portfolio_id=ALICE, symbol="NLB", **numbers)
    assert position_json(row, SHARE) == position_json(stored, SHARE, reserved=300)
    assert position_json(row, SHARE)["qty_available"] == "1700"
    assert position_json(row, SHARE)["avg_entry_price"] == "42.167"


def test_coins_keep_their_decimals():
    assert average_price(3521 * 1000 + 3522 * 1000, 2000, COIN) == "0.35215"
    assert average_cost(35_210_000, 1000, COIN) == "0.3521"
    assert order_json(an_order(symbol="NKNUSDT", qty=1500, filled_qty=0), COIN)["qty"] == "1.5"


def test_a_price_in_whole_numbers_has_no_dot():
    rebar = Scale("rb1910", "5e0c0000-0000-4000-8000-000000000003", "CNY", 0, 0, 10, "future")
    assert average_price(3720, 1, rebar) == "3720"
    assert average_price(3720 + 3721, 2, rebar) == "3720.5"
    assert average_cost(0, 0, rebar) == "0"


def test_nothing_held_costs_nothing():
    assert average_cost(0, 0, SHARE) == "0.00"


def test_a_receipt_travels_in_decimals_and_keeps_what_is_no_amount():
    receipt = {
        "decided": "filled",
        "at": 1_793_000_000_000_000_000,
        "quote": {"source": "seeded", "seq": 118204, "age_ms": 84, "bid": [4215, 300], "ask": None},
        "facts": {
            "free": 990_500,
            "reserved_cash": 0,
            "reserved_qty": 300,
            "cage": 4299,
            "cage_ppb": 20_000_000,
        },
        "levels": [{"price": 4216, "size": 900, "taken": 900}],
        "fees": [{"name": "commission", "base": 3_794_400, "rate_ppb": 250_000, "amount": 949, "charged": 0}],
    }
    seen = receipt_json(receipt, SHARE)
    assert seen["levels"] == [{"price": "42.16", "size": "900", "taken": "900"}]
    assert (seen["fees"][0]["amount"], seen["fees"][0]["charged"]) == ("9.49", "0.00")
    assert seen["fees"][0]["rate_ppb"] == 250_000
    assert seen["at"] == "2026-10-26T07:33:20.000000Z"
    assert seen["quote"] == receipt["quote"] | {"bid": ["42.15", "300"]}
    assert seen["facts"] == {
        "free": "9905.00",
        "reserved_cash": "0.00",
        "reserved_qty": "300",
        "cage": "42.99",
        "cage_ppb": 20_000_000,
    }


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 100, "0.00"),
        (1, 3, "33.33"),
        (-1, 3, "-33.33"),
        (5, 1000, "0.50"),
        (1, 0, "0.00"),
        (1, 20_000, "0.01"),
    ],
)
def test_percent(part, whole, text):
    assert percent(part, whole) == text
    assert Decimal(percent(part, whole)) == Decimal(text)
