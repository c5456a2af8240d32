"""Alice and Bob in the seeded world: a market that moves by itself, fees of 0.025 % (at least 5.00) for
everybody and 0.05 % stamp duty for sellers, a million to begin with.

The market's prices are not ours to choose, so each sum is done again here from what the receipts say.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP
from typing import Any

import pytest

from market.ticks import Quote
from tests.scenarios.people import Client, D, Person, Stream, told
from tests.scenarios.town import Town, wait_for

START = D("1000000.00")
CENT = D("0.01")
ATTEMPTS = 40  # to be quicker than a market that moves several times a second


def rounded(amount: Any) -> Any:
    """To the cent, halves up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def fee(side: str, value: Any) -> Any:
    """Of a whole order whose fills are worth `value`."""
    commission = max(rounded(value * D("0.00025")), D("5.00"))
    duty = rounded(value * D("0.0005")) if side == "sell" else D(0)
    return commission + duty


def worth(fills: list[Any]) -> Any:
    return sum(D(fill["price"]) * D(fill["qty"]) for fill in fills)


@pytest.fixture
def alice(town: Town, seeded: str) -> Person:
    return Person(town, "Alice")


@pytest.fixture
def bob(town: Town, seeded: str) -> Person:
    return Person(town, "Bob")


@pytest.fixture(autouse=True)
def _the_books_balance(town: Town, seeded: str) -> Iterator[None]:
    yield
    assert town.breaks(seeded) == []


def quote_of(person: Client, symbol: str) -> Any:
    return person.read(f"/api/v1/quotes?symbols={symbol}")["quotes"][symbol]


def test_alice_takes_what_is_displayed_and_every_cent_is_accounted_for(town: Town, alice: Person) -> None:
    assert alice.registered["portfolio"]["cash"] == "1000000.00"
    assert alice.balance() == (START, D(0))
    symbol = alice.widest(1)[0]
    depth = alice.read(f"/api/v1/depth/{symbol}")
    third = depth["asks"][2][0]
    order = alice.placed("buy", 1000, symbol, third, time_in_force="ioc")
    receipt = alice.receipt(order)
    fills = receipt["fills"]
    assert fills, receipt

    # Her cash: the start less price × quantity of each fill, less the fee of the whole order.
    paid = worth(fills)
    assert alice.balance() == (START - paid - fee("buy", paid), D(0))
    assert D(receipt["order"]["fees"]) == fee("buy", paid)
    assert sum(D(fill["qty"]) for fill in fills) == D(receipt["order"]["filled_qty"])
    assert all(D(fill["price"]) <= D(third) for fill in fills)

    # Her position: average cost with the fee in it; her equity is cash and what it is worth.
    position = alice.position(symbol)
    held = D(position["qty"])
    assert D(position["cost_basis"]) == paid + fee("buy", paid)
    assert abs(D(position["avg_entry_price"]) * held - D(position["cost_basis"])) < CENT * held
    assert position["qty_available"] == position["qty"]
    desk = alice.desk()["portfolio"]
    assert D(desk["cash"]) == START - D(position["cost_basis"])
    price = (D(desk["equity"]) - D(desk["cash"])) / held
    assert price == rounded(price)  # held × one price of two decimals
    assert D(quote_of(alice, symbol)["limit_low"]) <= price <= D(quote_of(alice, symbol)["limit_high"])

    # What she took was displayed: the feed wrote that very quote down before anybody saw it.
    seq = receipt["receipt"]["quote"]["seq"]
    quote = next(tick for tick in town.written_ahead("seeded") if tick.seq == seq)
    assert isinstance(quote, Quote)
    assert quote.symbol == symbol
    shown = {D(price) / 100: D(size) for price, size in quote.asks}
    for fill in fills:
        assert D(fill["qty"]) <= shown[D(fill["price"])], (fill, shown)


def test_bob_rests_inside_the_spread_and_alice_meets_him_at_his_price(
    town: Town, alice: Person, bob: Person
) -> None:
    for attempt in range(ATTEMPTS):
        symbol = bob.widest(5)[attempt % 5]
        quote = quote_of(bob, symbol)
        price = D(quote["bid"]) + CENT  # better than the market's own bid, still below its ask
        if price >= D(quote["ask"]):
            continue
        held = alice.position(symbol)
        if held is None or D(held["qty_available"]) < 200:  # an earlier attempt may have sold some
            alice.placed("buy", 300, symbol)
        before = alice.cash(), bob.balance()
        resting = bob.placed("buy", 200, symbol, price)
        meeting = alice.placed("sell", 200, symbol, price, time_in_force="ioc")
        his, hers = bob.receipt(resting), alice.receipt(meeting)
        players = [fill for fill in hers["fills"] if fill["against"] == "player"]
        if len(players) == len(hers["fills"]) == 1 and len(his["fills"]) == 1 and players[0]["qty"] == "200":
            break
        bob.cancel(resting)  # the market was quicker: it met one of them first
    else:
        pytest.fail("the market was quicker every time")

    for fill in (his["fills"][0], hers["fills"][0]):
        assert (fill["against"], fill["qty"], D(fill["price"])) == ("player", "200", price)
    value = 200 * price
    assert alice.cash() == before[0] + value - fee("sell", value)
    assert bob.balance() == (before[1][0] - value - fee("buy", value), before[1][1])
    # The seller pays stamp duty, the buyer does not; both pay the commission.
    assert [(line["name"], D(line["amount"])) for line in hers["fills"][0]["fees"]] == [
        ("commission", max(rounded(value * D("0.00025")), D("5.00"))),
        ("stamp_duty", rounded(value * D("0.0005"))),
    ]
    assert [line["name"] for line in his["fills"][0]["fees"]] == ["commission"]
    assert (his["receipt"]["decided"], hers["receipt"]["decided"]) == ("filled", "filled")


def test_a_resting_order_holds_its_cash_and_cancelling_gives_it_back_to_the_cent(alice: Person) -> None:
    symbol, low = "ALB", lowest(alice, "ALB")
    order = alice.placed("buy", 700, symbol, low, time_in_force="gtc")
    assert order["status"] == "new"
    held = 700 * low + fee("buy", 700 * low)
    assert alice.balance() == (START, held)
    assert D(order["reserved_cash"]) == held

    # More of it holds more, less holds less; the order stays the same order.
    more = alice.replace(order, qty="900")
    assert (more.status, more.json["id"], more.json["qty"]) == (200, order["id"], "900"), more
    assert alice.balance() == (START, 900 * low + fee("buy", 900 * low))
    dearer = alice.replace(order, limit_price=str(low + CENT)).json
    assert alice.balance() == (START, 900 * (low + CENT) + fee("buy", 900 * (low + CENT)))
    assert dearer["version"] > more.json["version"]
    stale = alice.ask("PATCH", f"/v2/orders/{order['id']}", {"qty": "100"}, If_Match='"1"')
    assert (stale.status, stale.json["reason"]) == (412, "VERSION_CONFLICT"), stale

    assert alice.cancel(order).status == 204
    assert alice.balance() == (START, D(0))
    ended = alice.receipt(order)
    assert (ended["order"]["status"], ended["receipt"]["decided"]) == ("canceled", "canceled")
    again = alice.cancel(order)
    assert (again.status, again.json["reason"]) == (409, "ALREADY_TERMINAL"), again


def lowest(person: Client, symbol: str) -> Any:
    """The day's lower limit: the market does not fall ten percent while a test looks."""
    return D(quote_of(person, symbol)["limit_low"])


def thinnest(person: Client) -> str:
    """Where the least money is on offer at the best price."""
    quotes = person.read("/api/v1/quotes")["quotes"]
    return min(quotes, key=lambda name: D(quotes[name]["ask"]) * D(quotes[name]["ask_size"]))


def test_ioc_takes_what_is_there_and_fok_takes_all_or_nothing(alice: Person) -> None:
    symbol = thinnest(alice)
    touch = quote_of(alice, symbol)["ask"]
    much = D(900_000) // D(touch) // 100 * 100  # far more than is displayed there

    refused = alice.placed("buy", much, symbol, touch, time_in_force="fok")
    assert (refused["status"], refused["filled_qty"], refused["reason"]) == (
        "canceled",
        "0",
        "FOK_NOT_FILLABLE",
    )
    assert alice.balance() == (START, D(0))

    receipt = alice.receipt(alice.placed("buy", much, symbol, touch, time_in_force="ioc"))
    got = D(receipt["order"]["filled_qty"])
    assert got < much
    assert (receipt["order"]["status"], receipt["order"]["reason"]) == ("canceled", "IOC_REMAINDER")
    paid = worth(receipt["fills"])
    assert alice.balance() == (START - paid - (fee("buy", paid) if got else 0), D(0))

    whole = alice.placed("buy", 100, symbol, quote_of(alice, symbol)["limit_high"], time_in_force="fok")
    assert (whole["status"], whole["filled_qty"]) == ("filled", "100")


def test_a_market_order_and_selling_it_again(alice: Person) -> None:
    bought = alice.placed("buy", 500, "BHG")
    assert bought["status"] == "filled", bought
    paid = worth(alice.receipt(bought)["fills"])
    sold = alice.placed("sell", 500, "BHG")
    assert sold["status"] == "filled", sold
    got = worth(alice.receipt(sold)["fills"])
    assert alice.balance() == (START - paid - fee("buy", paid) + got - fee("sell", got), D(0))
    position = alice.position("BHG")
    assert (position["qty"], position["cost_basis"]) == ("0", "0.00")
    assert D(position["realised"]) == alice.cash() - START  # all that changed is what the round trip cost
    nothing = alice.refused("sell", 100, "BHG")
    assert (nothing["reason"], nothing["facts"]["held"]) == ("INSUFFICIENT_SELLABLE", "0"), nothing


def test_what_is_refused_says_why_and_changes_nothing(alice: Person) -> None:
    quote = quote_of(alice, "ALB")
    low, high = quote["limit_low"], quote["limit_high"]
    above = str(D(high) + CENT)
    fraction = alice.refused("buy", 100, "ALB", low + "5")
    assert (fraction["reason"], fraction["errors"][0]["pointer"]) == ("INVALID", "/limit_price")
    refusals = {
        "PRICE_OUT_OF_BAND": alice.refused("buy", 100, "ALB", above),
        "BAD_QTY_OR_LOT": alice.refused("buy", 150, "ALB", low),
        "INSUFFICIENT_CASH": alice.refused("buy", 1_000_000, "ALB", low),
        "UNKNOWN_SYMBOL": alice.refused("buy", 100, "NOPE", low),
    }
    assert {code: said["reason"] for code, said in refusals.items()} == {code: code for code in refusals}
    assert refusals["PRICE_OUT_OF_BAND"]["facts"] == {"price": above, "limit_low": low, "limit_high": high}
    short = refusals["INSUFFICIENT_CASH"]["facts"]
    value = 1_000_000 * D(low)
    assert (D(short["needed"]), short["free"]) == (value + fee("buy", value), "1000000.00")
    assert refusals["INSUFFICIENT_CASH"]["order"]["status"] == "rejected"
    assert alice.balance() == (START, D(0))


def test_the_same_client_order_id_is_one_order(alice: Person) -> None:
    words = ("buy", 100, "ALB", lowest(alice, "ALB"))
    first = alice.placed(*words, client_order_id="monday-1")
    again = alice.order(*words, client_order_id="monday-1")
    assert (again.status, again.json["id"]) == (200, first["id"])
    assert again.headers["idempotent-replayed"] == "true"
    other = alice.order("buy", 200, *words[2:], client_order_id="monday-1")
    assert (other.status, other.json["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED"), other
    found = alice.read("/v2/orders:by_client_order_id?client_order_id=monday-1")
    assert (found["id"], len(alice.read("/v2/orders"))) == (first["id"], 1)


def test_the_stream_tells_what_the_desk_shows(alice: Person, bob: Person) -> None:
    """Old snapshot + messages = new snapshot, row for row."""
    low = lowest(alice, "ALB")
    old = alice.placed("buy", 100, "ALB", low)
    with Stream(alice) as stream:
        assert told(stream.desk) == told(alice.desk())
        alice.placed("buy", 300, "ALB")
        alice.placed("sell", 100, "ALB")
        alice.replace(old, qty="200")
        alice.cancel(old)
        alice.refused("sell", 10_000, "ALB", low)
        wide = alice.placed("buy", 200, "ALB", low)
        alice.placed("buy", 100, "CPR", D(quote_of(alice, "CPR")["limit_high"]), time_in_force="ioc")
        bob.placed("buy", 100, "ALB")  # not hers: not told
        desk = alice.desk()
        assert told(stream.read_to(desk["version"])) == told(desk)
        assert len(stream.messages) == desk["version"] - stream.began["offset"] == 7
        assert wide["id"] in {row["id"] for row in stream.desk["orders"]}
        assert {row["portfolio_id"] for row in desk["orders"]} == {alice.portfolio}


def test_bob_cannot_listen_to_alice_nor_touch_her_order(alice: Person, bob: Person) -> None:
    order = alice.placed("buy", 100, "ALB", lowest(alice, "ALB"))
    theirs = [bob.get(f"/v2/orders/{order['id']}"), bob.cancel(order), bob.replace(order, qty="200")]
    theirs.append(bob.get("/api/v1/desk", X_Portfolio=str(alice.portfolio)))
    assert [answer.status for answer in theirs] == [404] * 4, theirs
    ears = Stream(bob)
    ears.topic = f"portfolio:{alice.portfolio}"
    with pytest.raises(AssertionError, match="UNKNOWN_TOPIC"), ears:
        pass
    assert alice.sees(order)["status"] == "new"


def test_who_rests_in_the_queue_waits_for_the_size_before_him(town: Town, alice: Person) -> None:
    """At the best bid Alice stands behind what was displayed there when she came."""
    for symbol in alice.widest(5):
        bid, size = alice.read(f"/api/v1/depth/{symbol}")["bids"][0]
        order = alice.placed("buy", 100, symbol, bid)
        ahead = D(order["queue_ahead"])
        if order["status"] == "new" and ahead == D(size):
            break
        alice.cancel(order)
    else:
        pytest.fail("the market moved away every time")
    assert alice.receipt(order)["receipt"]["decided"] == "rested"
    behind = wait_for(
        lambda: (seen := alice.sees(order)) and seen["version"] >= order["version"] and seen, "her"
    )
    assert D(behind["queue_ahead"]) <= ahead
    alice.cancel(order)


def test_reconcile_finds_nothing_to_complain_about(town: Town, alice: Person) -> None:
    alice.placed("buy", 100, "ALB")
    report = town.reconciled()
    assert report["breaks"] == 0, report
    (world,) = (world for world in report["worlds"] if world["world"] == "seeded")
    assert world["checked"]["fill"] >= 1
