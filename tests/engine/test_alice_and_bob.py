"""Stories with numbers that a person can check by hand."""

from __future__ import annotations

from tests.engine.pit import ALICE, BOB, CAROL, Pit, fills
from trading.engine.accounts import MARKET, system_account
from trading.engine.events import FillRow, OrderRow, TransferRow

RICH_ENOUGH = 10_000_00


def test_alice_buys_what_the_market_shows_level_by_level():
    pit = Pit()
    pit.open(ALICE, 200_000_00)
    pit.quote(bids=((4215, 5200),), asks=((4216, 900), (4217, 1300), (4218, 4700)))

    order = pit.buy(ALICE, 3000, 4217)

    assert fills(pit.events) == [(4216, 900), (4217, 1300)]
    assert (order.status, order.filled_qty, order.filled_value) == ("partially_filled", 2200, 9_276_500)
    assert pit.cash(ALICE) == 200_000_00 - 92_765_00
    assert order.reserved_cash == 800 * 4217  # the rest waits at her limit
    assert pit.held(ALICE) == 2200


def test_the_receipt_shows_the_levels_and_the_one_she_did_not_reach():
    pit = Pit()
    pit.open(ALICE, 200_000_00)
    pit.quote(bids=((4215, 5200),), asks=((4216, 900), (4217, 1300), (4218, 4700)), source_epoch=4)
    pit.wait(2)

    receipt = pit.buy(ALICE, 3000, 4217).receipt

    assert receipt["decided"] == "rested"
    assert [(level["price"], level["size"], level["taken"]) for level in receipt["levels"]] == [
        (4216, 900, 900),
        (4217, 1300, 1300),
        (4218, 4700, 0),
    ]
    assert receipt["quote"]["bid"] == [4215, 5200]
    assert (receipt["quote"]["age_ms"], receipt["quote"]["epoch"]) == (2000, 4)
    assert (receipt["limit_price"], receipt["rule"]["name"]) == (4217, "limit_price")


def test_alice_sells_to_bob_at_the_price_of_the_one_who_waited():
    pit = Pit()
    pit.open(ALICE, 0, holding=100)
    pit.open(BOB, 1_000_00)
    pit.quote(bids=((900, 10),), asks=((1100, 10),))

    pit.sell(ALICE, 60, 1000)
    order = pit.buy(BOB, 50, 1050)

    assert order.status == "filled"
    assert fills(pit.events) == [(1000, 50), (1000, 50)]
    assert (pit.cash(ALICE), pit.cash(BOB)) == (500_00, 500_00)
    assert (pit.held(ALICE), pit.held(BOB)) == (50, 50)
    assert pit.row("o1").filled_qty == 50
    mine, hers = [event for event in pit.events if isinstance(event, FillRow)]
    assert (mine.match, hers.match, mine.against) == (1, 1, "player")


def test_cash_moves_from_bob_to_alice_and_never_through_the_house():
    pit = Pit()
    pit.open(ALICE, 0, holding=10)
    pit.open(BOB)
    pit.quote(bids=((900, 10),), asks=((1100, 10),))
    pit.sell(ALICE, 10, 1000)
    pit.buy(BOB, 10, 1000)

    moved = [
        (e.debit, e.credit, e.asset, e.amount) for e in pit.events if isinstance(e, TransferRow) and e.fill
    ]
    assert moved == [(BOB, ALICE, "CNY", 100_00), (ALICE, BOB, "NLB", 10)]
    assert (system_account(1, MARKET), "CNY") not in pit.engine.state.balances


def test_the_better_price_is_served_first_and_then_the_earlier_order():
    pit = Pit()
    for who in (ALICE, BOB, CAROL):
        pit.open(who, RICH_ENOUGH, holding=100)
    pit.quote(bids=((900, 1),), asks=((1200, 1),))
    pit.sell(ALICE, 10, 1001)
    pit.sell(BOB, 10, 1000)
    pit.sell(ALICE, 10, 1000)

    events_before = len(pit.events)
    pit.buy(CAROL, 25, 1001)

    makers = [
        (e.order_id, e.price, e.qty)
        for e in pit.events[events_before:]
        if isinstance(e, FillRow) and e.portfolio != CAROL
    ]
    assert makers == [("o2", 1000, 10), ("o3", 1000, 10), ("o1", 1001, 5)]


def test_players_and_displayed_depth_are_walked_together_by_price():
    pit = Pit()
    pit.open(ALICE, 0, holding=10)
    pit.open(BOB)
    pit.quote(bids=((990, 10),), asks=((1000, 10), (1002, 10)))
    pit.sell(ALICE, 10, 1001)

    pit.buy(BOB, 30, 1002)

    bobs = [(e.price, e.qty, e.against) for e in pit.events if isinstance(e, FillRow) and e.portfolio == BOB]
    assert bobs == [(1000, 10, "market"), (1001, 10, "player"), (1002, 10, "market")]


def test_alice_does_not_trade_with_herself_and_the_newer_order_goes():
    pit = Pit()
    pit.open(ALICE, holding=100)
    pit.quote(bids=((900, 5),), asks=((1000, 5), (1100, 5)))
    pit.sell(ALICE, 10, 1001)

    order = pit.buy(ALICE, 20, 1001)

    assert (order.status, order.reason, order.filled_qty) == ("canceled", "SELF_TRADE", 5)
    assert order.receipt["facts"] == {"own_order": "o1", "price": 1001}
    assert pit.row("o1").status == "new"
    assert pit.engine.state.portfolios[ALICE].cash.reserved == 0


def test_a_market_order_takes_what_there_is_within_its_collar_and_leaves_nothing():
    pit = Pit()
    pit.open(ALICE)
    pit.quote(bids=((990, 10),), asks=((1000, 10), (1050, 10), (1051, 10)))

    order = pit.buy(ALICE, 30)

    assert fills(pit.events) == [(1000, 10), (1050, 10)]
    assert (order.status, order.reason, order.filled_qty) == ("canceled", "NO_MORE_DEPTH", 20)
    assert order.receipt["collar"] == 1050  # 5 % above the best ask
    assert order.receipt["levels"][-1] == {"price": 1051, "size": 10, "taken": 0, "against": "market"}
    assert pit.free(ALICE) == pit.cash(ALICE)


def test_a_market_sell_has_its_collar_below_the_bid():
    pit = Pit()
    pit.open(ALICE, 0, holding=30)
    pit.quote(bids=((1000, 10), (950, 10), (949, 10)), asks=((1001, 1),))

    order = pit.sell(ALICE, 30)

    assert fills(pit.events) == [(1000, 10), (950, 10)]
    assert (order.reason, order.receipt["collar"], pit.held(ALICE)) == ("NO_MORE_DEPTH", 950, 10)


def test_average_cost_takes_its_share_along_when_alice_sells():
    pit = Pit()
    pit.open(ALICE)
    pit.quote(bids=((1190, 100),), asks=((1000, 10), (1200, 10)))
    pit.buy(ALICE, 20, 1200)  # 100.00 + 120.00
    pit.quote(bids=((1500, 100),), asks=((1600, 10),))
    pit.sell(ALICE, 5, 1500)  # brings 75.00, cost 55.00

    position = pit.position(ALICE)
    assert (position.held.posted, position.cost, position.realised) == (15, 165_00, 20_00)
    assert position.day_cash == -220_00 + 75_00


def test_every_order_row_is_one_event_of_the_order():
    pit = Pit()
    pit.open(ALICE)
    pit.quote(asks=((1000, 5), (1001, 5)))
    pit.buy(ALICE, 20, 1001)
    pit.replace(ALICE, "o1", qty=15)
    pit.cancel(ALICE, "o1")

    rows = [event for event in pit.events if isinstance(event, OrderRow)]
    assert [(row.exec_type, row.version) for row in rows] == [
        ("new", 1),
        ("fill", 2),
        ("fill", 3),
        ("replaced", 4),
        ("canceled", 5),
    ]


def test_the_receipt_of_a_market_order_names_the_collar_and_of_a_limit_order_the_limit():
    pit = Pit()
    pit.open(ALICE)
    pit.quote(bids=((990, 50),), asks=((1000, 30),))

    taken = pit.buy(ALICE, 10)
    receipts = [event.receipt for event in pit.events if isinstance(event, FillRow)]

    assert taken.receipt["rule"]["name"] == "collar"
    assert [receipt["rule"]["name"] for receipt in receipts] == ["collar"]
    assert pit.buy(ALICE, 10, 1000).receipt["rule"]["name"] == "limit_price"
