"""Dora's portfolio is in CNY; she buys what is priced in USD. Her worth is one figure."""

from __future__ import annotations

import msgspec
import pytest

from market.rulebook.rules import FeeRule
from market.ticks import Print, Quote, Reference
from tests.engine.pit import ALICE, BOB, DAY, PLAIN, Pit
from trading.engine.commands import MarginTerms, SetRules
from trading.engine.events import Notice
from trading.engine.margin import standing
from trading.messages import Scale
from trading.portfolios import worth

DORA = ALICE
PAIR = msgspec.structs.replace(
    PLAIN, symbol="USD/CNY", asset="USD/CNY", price_exponent=4, kind="fx", tradable=False
)
APPLE = msgspec.structs.replace(
    PLAIN,
    symbol="AAPL",
    asset="AAPL",
    currency="USD",
    kind="stock",
    margin_long_ppb=500_000_000,
    maintenance_long_ppb=250_000_000,
    fees=(FeeRule("commission", "both", 0, 1_00, "fee"),),
)
SCALES = {
    "USD/CNY": Scale("USD/CNY", "", "CNY", 4, 0, 1, "us_equity", is_pair=True),
    "AAPL": Scale("AAPL", "", "USD", 2, 0, 1, "us_equity"),
}


@pytest.fixture
def pit() -> Pit:
    made = Pit(APPLE)
    made.open(DORA, 100_000_00, margin=MarginTerms(leverage=2))
    made.reference(200_00)
    made.quote(bids=((199_99, 1_000),), asks=((200_00, 1_000),))
    made.trade(200_00, 1)
    return made


def rate(pit: Pit, price: int) -> None:
    pit.do(SetRules(PAIR))
    at = pit.at_ns
    pit.do(Reference("USD/CNY", DAY, price, 0, 0, at, at, "sim"))
    pit.do(Quote("USD/CNY", ((price, 1),), ((price + 1, 1),), at, at, "sim"))
    pit.do(Print("USD/CNY", price, 1, "", at, at, "sim"))


def test_without_a_pair_nobody_knows_what_it_costs(pit: Pit):
    assert pit.buy(DORA, 1, 200_00).reason == "NO_FRESH_PRICE"


def test_she_buys_for_dollars_that_she_owes(pit: Pit):
    """100 x 200.00 and 1.00 of fees: 20,001.00 USD owed, 142,477.12 CNY at 7.1235 rounded against her."""
    rate(pit, 7_1235)
    row = pit.buy(DORA, 100, 200_00)
    assert row.status == "filled"
    dora = pit.engine.state.portfolios[DORA]
    assert dora.cash.posted == 100_000_00
    assert dora.cashes["USD"].posted == -20_001_00
    now = standing(dora)
    assert now.equity == 100_000_00 + 142_470_00 - 142_477_13
    assert now.initial == 71_235_00


def test_the_players_figure_is_the_engines(pit: Pit):
    rate(pit, 7_1235)
    pit.buy(DORA, 100, 200_00)
    rate(pit, 7_0001)
    pit.trade(190_00, 1)
    dora = pit.engine.state.portfolios[DORA]
    marks = {name: (market.mark(), 0) for name, market in pit.engine.state.markets.items()}
    cash = {currency: balance.posted for currency, balance in dora.cashes.items()}
    shown = worth(cash, [position.row() for position in dora.positions.values()], marks, SCALES, "CNY")
    assert shown.equity == standing(dora).equity


def test_what_it_may_cost_is_held_in_her_own_currency(pit: Pit):
    rate(pit, 7_0000)
    pit.quote()
    row = pit.buy(DORA, 10, 200_00, tif="gtc")
    assert row.reserved_cash == 7_007_00  # half of 2,000.00 USD, and the fee of 1.00
    assert pit.buy(DORA, 133, 200_00, tif="gtc").reason == "INSUFFICIENT_CASH"


def test_a_cash_portfolio_has_one_currency(pit: Pit):
    rate(pit, 7_0000)
    pit.open(BOB, 100_000_00)
    assert pit.buy(BOB, 1, 200_00).reason == "UNSUPPORTED"


def test_a_falling_rate_calls_who_owes_nothing_else(pit: Pit):
    """The pair moves her equity as much as the share does: it is looked at with the share's next mark."""
    rate(pit, 7_0000)
    pit.buy(DORA, 142, 200_00)
    rate(pit, 10_0000)
    pit.trade(130_00, 1)
    assert next(event.code for event in pit.events if isinstance(event, Notice)) == "MARGIN_CALL"
