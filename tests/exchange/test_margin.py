"""Margin portfolios through the exchange: what is stored, what survives, what the queries prove."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from market.models import Instrument, World
from market.ticks import PhaseTick, Print, Reference
from simgame.kernel import clock
from tests.exchange import street
from trading import account_events, alpaca, invariants, margins, ranking
from trading.engine.commands import MarginTerms, NewOrderWithTerms, OpenPortfolio, Terms
from trading.exchange.client import ask_sync
from trading.models import Balance, Order, Portfolio, Position, Transfer
from trading.proof.verify import replay_world

pytestmark = pytest.mark.django_db(transaction=True)
TERMS = MarginTerms(leverage=2, shorts=True, interest_ppb=72_000_000, call_s=1_800)
STEEL = "STEEL"


@pytest.fixture
def world(transactional_db: None) -> World:
    """Without a band: prices may fall as far as these stories need."""
    made = street.make_world()
    Instrument.objects.filter(world=made).update(board="open")
    return made


def open_margin(world: World, name: str, cash: int = 10_000_00) -> int:
    portfolio = street.make_portfolio(world, name)
    stored = {"leverage": 2, "shorts": True, "interest_ppb": 72_000_000}
    Portfolio.objects.filter(id=portfolio.id).update(kind="margin", margin=stored)
    reply = ask_sync(world.number, OpenPortfolio(portfolio.id, "CNY", cash, f"open-{portfolio.id}", TERMS))
    assert reply.outcome == "executed", reply
    return portfolio.id


def trade(world: World, who: int, side: str, qty: int, price: int | None = None, **more: Any) -> Order:
    kind = "market" if price is None else "limit"
    order = street.new_order(who, side=side, qty=qty, limit_price=price, type=kind, **more)
    reply = ask_sync(world.number, order)
    assert reply.outcome == "executed", reply
    return Order.objects.get(id=order.order_id)


def say_print(feed: street.Feed, price: int, symbol: str = street.SHARES) -> None:
    now = clock.now_ns()
    feed.say(Print(symbol, price, 100, "", now, now, "test"))


def move(feed: street.Feed, price: int, symbol: str = street.SHARES) -> None:
    feed.quote(symbol, bid=price - 1, ask=price)
    say_print(feed, price, symbol)


def next_day(feed: street.Feed, day: int, settlement: int, symbol: str = STEEL) -> None:
    now = clock.now_ns()
    feed.say(PhaseTick(day, "continuous", "", 0, now, now))
    feed.say(Reference(symbol, day, settlement, 0, 0, now, now, "test", settlement=settlement))


def cash_of(who: int) -> int:
    return Balance.objects.get(account=who, asset="CNY").posted


def codes_told(who: int) -> list[str]:
    return [notice["code"] for _, body in account_events.bodies(who) for notice in body["notices"]]


def test_alice_shorts_and_covers(exchange, world, feed):
    alice = open_margin(world, "alice")
    move(feed, 1001)
    sold = trade(world, alice, "sell", 1000, 1000)
    assert (sold.status, sold.terms["effect"]) == ("filled", "open")
    assert Position.objects.get(portfolio_id=alice).qty == -1000
    row = Balance.objects.get(account=alice, asset=street.SHARES)
    assert (row.posted, row.may_owe) == (-1000, True)
    shown = alpaca.positions(alice)[0]
    assert (shown["qty"], shown["side"], shown["qty_available"]) == ("-1000", "short", "-1000")
    account = alpaca.account(alice)
    assert (account["multiplier"], account["shorting_enabled"]) == ("2", True)
    # No feed answers the web here: what has no mark counts at its cost, 10,000.00 less 10.00 of fees.
    assert account["short_market_value"] == "-9990.00"
    assert account["initial_margin"] == "4995.00"
    assert account["maintenance_margin"] == "2997.00"
    assert account["buying_power"] == "10010.00"  # (10,000.00 of equity - 4,995.00) x 2
    bought = trade(world, alice, "buy", 1000, 1001)
    assert bought.terms["effect"] == "close"
    fees = sum(Order.objects.filter(portfolio_id=alice).values_list("fees", flat=True))
    assert cash_of(alice) == 10_000_00 - 10_00 - fees
    assert invariants.reconcile(world).breaks == 0


def test_the_database_lets_nobody_else_owe(exchange, world):
    alice = street.open_portfolio(world, "alice")
    with pytest.raises(IntegrityError, match="balance_available"), transaction.atomic():
        Balance.objects.filter(account=alice.id, asset="CNY").update(posted=-1)
    with pytest.raises(IntegrityError, match="portfolio_margin"), transaction.atomic():
        Portfolio.objects.filter(id=alice.id).update(kind="margin")


def test_the_checker_finds_who_owes_without_leave(exchange, world, feed):
    """A balance that says it may owe, of a cash portfolio; and shares owed where the game allows none."""
    alice, bob = street.open_portfolio(world, "alice"), open_margin(world, "bob")
    move(feed, 1001)
    trade(world, bob, "sell", 100, 1000)
    assert invariants.reconcile(world).breaks == 0
    Balance.objects.filter(account=alice.id, asset="CNY").update(may_owe=True)
    Portfolio.objects.filter(id=bob).update(margin={"leverage": 2})
    found = {(each.invariant, each.subject) for each in invariants.reconcile(world).found}
    assert {("I5", f"portfolio {alice.id}"), ("I5", f"portfolio {bob}")} <= found


def test_bob_is_called_and_liquidated(exchange, world, feed):
    bob = open_margin(world, "bob")
    move(feed, 1001)
    trade(world, bob, "buy", 1900, 1001)
    resting = trade(world, bob, "sell", 100, 1500, time_in_force="gtc")
    move(feed, 620)
    street.wait_for(lambda: "MARGIN_CALL" in codes_told(bob), "the margin call")
    assert Portfolio.objects.get(id=bob).margin_call_ns > 0
    assert alpaca.account(bob)["margin_call_until"].endswith("Z")
    move(feed, 540)
    forced = street.wait_for(
        lambda: Order.objects.filter(portfolio_id=bob, client_order_id__startswith="forced").first(),
        "the forced order",
    )
    assert (forced.side, forced.status) == ("sell", "filled")
    assert forced.receipt["rule"]["name"] == "margin"
    assert Order.objects.get(id=resting.id).reason == "MARGIN_CALL"
    assert invariants.reconcile(world).breaks == 0
    assert replay_world(world, verify=True).difference is None


def test_everything_survives_a_restart(world, feed):
    """State hash, margin call and day of accrual are the tables'; interest is asked once."""
    first = street.InThread(world)
    bob = open_margin(world, "bob")
    move(feed, 1001)
    trade(world, bob, "buy", 1900, 1001)
    trade(world, bob, "buy", 100, 500, time_in_force="gtc")
    move(feed, 620)
    street.wait_for(lambda: "MARGIN_CALL" in codes_told(bob), "the margin call")
    now = clock.now_ns()
    feed.say(PhaseTick(street.DAY + 3, "continuous", "", 0, now, now))
    street.wait_for(lambda: "INTEREST" in codes_told(bob), "the interest")
    before, called = cash_of(bob), Portfolio.objects.get(id=bob).margin_call_ns
    hashed = street.status(world, hashed=True)["state_hash"]
    first.stop()
    again = street.InThread(world)
    assert street.status(world, hashed=True)["state_hash"] == hashed
    street.wait_for(lambda: street.status(world)["counters"]["ticks"] > 5, "the feed's snapshot")
    feed.say(PhaseTick(street.DAY + 3, "continuous", "", 0, now, now))
    move(feed, 621)
    sold = trade(world, bob, "sell", 100, 600)  # whichever quote it meets
    assert sold.status == "filled", sold.receipt
    assert codes_told(bob).count("INTEREST") == 1
    assert codes_told(bob).count("MARGIN_CALL") == 1
    assert Portfolio.objects.get(id=bob).margin_call_ns == called
    assert cash_of(bob) > before
    again.stop()
    assert invariants.reconcile(world).breaks == 0
    assert replay_world(world, verify=True).difference is None


def test_carol_holds_a_future_over_the_day(world, feed):
    Instrument.objects.create(
        world=world, symbol=STEEL, name="Steel", kind=Instrument.Kind.FUTURE, currency="CNY",
        price_exponent=0, tick=1, lot=1, multiplier=10, quote_age_ms_max=600_000,
    )  # fmt: skip
    now = clock.now_ns()
    feed.say(Reference(STEEL, street.DAY, 3_500, 0, 0, now, now, "test", settlement=3_500))
    running = street.InThread(world)
    carol = open_margin(world, "carol", 100_000_00)
    feed.quote(STEEL, bid=3_499, ask=3_500, size=100)
    say_print(feed, 3_500, STEEL)
    bought = trade(world, carol, "buy", 10, 3_500, symbol=STEEL)
    assert (bought.status, bought.fees) == ("filled", 35_00)
    assert cash_of(carol) == 100_000_00 - 35_00
    next_day(feed, street.DAY + 1, 3_520)
    street.wait_for(lambda: "SETTLED" in codes_told(carol), "the settlement")
    assert cash_of(carol) == 100_000_00 - 35_00 + 2_000_00
    assert Transfer.objects.filter(code=Transfer.Code.VARIATION).count() == 1
    move(feed, 3_530, STEEL)
    worth = ranking.worths(Portfolio.objects.get(id=carol).game, [carol])[carol]
    asked = margins.of(Portfolio.objects.get(id=carol), worth, 0)
    assert asked.initial == 35_200_00
    order = street.new_order(carol, side="sell", qty=10, limit_price=3_529, symbol=STEEL)
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    reply = ask_sync(world.number, NewOrderWithTerms(**fields, terms=Terms(position_intent="sell_to_close")))
    assert reply.result["order"]["status"] == "filled"
    assert Position.objects.get(portfolio_id=carol).qty == 0
    assert cash_of(carol) == 100_000_00 - 35_00 + 2_900_00 - 35_29
    running.stop()
    assert invariants.reconcile(world).breaks == 0
    assert replay_world(world, verify=True).difference is None


def test_dora_owes_dollars_and_is_worth_yuan(world, feed):
    """A share priced in USD, a pair, a portfolio in CNY: rows, invariants, restart and replay."""
    common = {"world": world, "board": "open", "tick": 1, "quote_age_ms_max": 600_000}
    Instrument.objects.create(
        symbol="AAPL", name="Apple", kind="stock", currency="USD", price_exponent=2, lot=1, **common
    )
    Instrument.objects.create(
        symbol="USD/CNY", name="Dollar", kind="fx", currency="CNY", price_exponent=4, lot=1, **common
    )
    running = street.InThread(world)
    dora = open_margin(world, "dora", 100_000_00)
    move(feed, 71_235, "USD/CNY")
    move(feed, 200_00, "AAPL")
    bought = trade(world, dora, "buy", 100, 200_00, symbol="AAPL")
    assert bought.status == "filled"
    owed = Balance.objects.get(account=dora, asset="USD")
    assert (owed.posted, owed.may_owe) == (-20_000_00 - bought.fees, True)
    assert cash_of(dora) == 100_000_00
    hashed = street.status(world, hashed=True)["state_hash"]
    running.stop()
    again = street.InThread(world)
    assert street.status(world, hashed=True)["state_hash"] == hashed
    again.stop()
    assert invariants.reconcile(world).breaks == 0
    assert replay_world(world, verify=True).difference is None


def test_no_row_of_a_margin_portfolio_breaks_the_ledgers_sums(exchange, world, feed):
    alice, bob = open_margin(world, "alice"), open_margin(world, "bob")
    move(feed, 1001)
    feed.quote(bid=900, ask=1100)
    trade(world, alice, "sell", 500, 1000)
    trade(world, bob, "buy", 500, 1000)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT asset, sum(posted) FROM trading_balance GROUP BY asset HAVING sum(posted) <> 0"
        )
        assert cursor.fetchall() == []
    assert invariants.reconcile(world).breaks == 0
