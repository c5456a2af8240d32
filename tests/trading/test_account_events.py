"""An account event: stored as rows, told as the message that players get."""

from __future__ import annotations

import json

import msgspec
import pytest

from ops.drills.crowd import Crowd
from ops.drills.margin_crowd import MarginCrowd
from simgame.kernel import ids
from tests.trading.test_messages import ALICE, AT_NS, SHARE, WORLD, a_fill, an_order
from trading.engine.engine import Engine
from trading.engine.events import (
    BalanceRow,
    Basis,
    FillRow,
    Notice,
    OrderRow,
    OrderTerms,
    PortfolioRow,
    PositionRow,
)
from trading.messages import (
    UnknownFormat,
    balance_json,
    changes_of,
    event_body,
    events_of,
    fill_json,
    notices_of,
    order_json,
    position_json,
)

BOB = 8
SCALES = {"NLB": SHARE}.__getitem__


def told(events: list, whom: int = ALICE) -> dict:
    return event_body(changes_of(events)[whom].stored(), SCALES, WORLD)


def test_what_a_command_changed_is_told_as_whole_rows_to_its_owner_only():
    events = [
        an_order(status="new", version=1),
        an_order(id="01994b2e-0000-7000-8000-000000000002", status="new"),
        an_order(),
        a_fill(),
        a_fill(n=13, portfolio=BOB),
        BalanceRow(ALICE, "CNY", 1, 0),
        BalanceRow(ALICE, "CNY", 87_349_900, 0),
        BalanceRow(ALICE, "NLB", 3000, 0),
        BalanceRow(BOB, "CNY", 1, 0),
        BalanceRow(-4, "CNY", 1, 0),
        PositionRow(ALICE, "NLB", 3000, 0, 3000, 20261102, 12_650_100, 0, 0, -12_650_100),
        PortfolioRow(ALICE, "active"),
        Notice(ALICE, "HALTED", "NLB is halted.", {}),
    ]
    assert set(changes_of(events)) == {ALICE, BOB}
    body = told(events)
    assert [order["version"] for order in body["orders"]] == [3, 3]
    assert body["orders"][-1] == order_json(an_order(), SHARE), "where it changed last"
    assert body["fills"] == [fill_json(a_fill(), SHARE, WORLD)]
    assert body["fills"][0]["id"] == str(ids.world_key(WORLD, 12))
    assert body["positions"] == [position_json(events[10], SHARE)]
    assert body["balances"] == [balance_json(BalanceRow(ALICE, "CNY", 87_349_900, 0))]
    assert body["portfolio"]["status"] == "active"
    assert body["notices"] == notices_of(changes_of(events)[ALICE].stored())
    assert body["notices"][0]["code"] == "HALTED"
    assert [fill["order_id"] for fill in told(events, BOB)["fills"]] == [a_fill().order_id]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "new", "closed_ns": 0, "receipt": {"waits": "It waits for the opening.", "at": AT_NS}},
        {"status": "rejected", "reason": "NO_CASH", "receipt": {"detail": "You have 3.00."}},
        {"filled_value": 2**70, "limit_price": None, "type": "market"},
        {"terms": OrderTerms(stop_price=4100, trail_ppb=50_000_000, hwm=4300, expire_ns=AT_NS)},
        {"terms": OrderTerms(order_class="bracket", legs=("a", "b"), basis=Basis(4216, 4216, 10**9))},
    ],
    ids=["waits", "rejected", "very large", "trailing", "bracket on margin"],
)
def test_an_order_reads_the_same_from_an_event_and_from_the_engine(changes):
    row = an_order(**changes)
    assert told([row])["orders"] == [order_json(row, SHARE)]


def test_what_was_stored_by_this_format_stays_readable():
    """A row that gets another field needs another FORMAT, and this text must be read all the same."""
    stored = (
        '[1,[["fill","01994b2e-0000-7000-8000-000000000001",7,"NLB","breakfast","buy","limit","day",3000,4217,'
        '"filled","",3000,12650100,12650100,3163,0,0,0,41,3,20261102,1793612096123456000,1793612096123461000,'
        '1793612096123461000,null,null]],[[12,12,"01994b2e-0000-7000-8000-000000000001",7,"NLB","buy",4216,900,'
        '3794400,[["commission",949],["transfer_fee",38]],987,"market",20261102,1793612096123456000,0]],'
        '[[7,"NLB",3000,0,3000,20261102,12650100,0,0,-12650100]],[[7,"CNY",87349900,0,false]],'
        '[[7,"active","",0,0]],[[7,"HALTED","NLB is halted.",{"symbol":"NLB"}]]]'
    )
    rows = [
        an_order(),
        a_fill(),
        PositionRow(ALICE, "NLB", 3000, 0, 3000, 20261102, 12_650_100, 0, 0, -12_650_100),
        BalanceRow(ALICE, "CNY", 87_349_900, 0),
        PortfolioRow(ALICE, "active"),
        Notice(ALICE, "HALTED", "NLB is halted.", {"symbol": "NLB"}),
    ]
    assert changes_of(rows)[ALICE].stored().decode() == stored
    assert [as_json(row) for row in events_of(stored)] == [as_json(row) for row in rows]


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("?", "no account event"),
        ("[1,[]]", "no account event"),
        ("[1,[[7]],[],[],[],[],[]]", "no account event"),
        ('[1,[],[],[],[[7,"CNY",1,0,false,5]],[],[]]', "no account event"),
        ("[2,[],[],[],[],[],[]]", "format 2; this release reads format 1"),
    ],
)
def test_an_event_that_cannot_be_read_is_named(stored, said):
    with pytest.raises(UnknownFormat, match=said):
        events_of(stored)


def as_stored(event) -> tuple[int, str, object] | None:
    """Whose it is, what it is the last state of, and what is kept of it; None: it is told nobody."""
    match event:
        case OrderRow():
            waits = event.receipt.get("waits")
            kept = msgspec.structs.replace(event, receipt={"waits": waits} if waits else {})
            return event.portfolio, event.id, kept
        case FillRow():
            return event.portfolio, f"fill {event.n}", msgspec.structs.replace(event, receipt={})
        case BalanceRow():
            return event.account, f"balance {event.asset}", event
        case PositionRow():
            return event.portfolio, f"position {event.symbol}", event
        case PortfolioRow() | Notice():
            return event.portfolio, repr(event), event
    return None


@pytest.mark.parametrize("crowd", [Crowd, MarginCrowd])
def test_no_row_of_a_player_is_lost_on_the_way_to_his_message(crowd):
    """Random commands: each row that they changed, in its last state, and nobody else's."""
    engine, seen = Engine(1), 0
    for command in crowd("account events").commands(3_000):
        events = engine.apply(*command)
        rows: dict[int, dict[str, str]] = {}
        for portfolio, what, kept in filter(None, map(as_stored, events)):
            if portfolio > 0:
                rows.setdefault(portfolio, {})[what] = as_json(kept)
        read = {whom: events_of(changes.stored()) for whom, changes in changes_of(events).items()}
        assert {whom: sorted(map(as_json, each)) for whom, each in read.items()} == {
            whom: sorted(each.values()) for whom, each in rows.items()
        }
        seen += len(rows)
    assert seen > 1_000


def as_json(row: object) -> str:
    return json.dumps(msgspec.to_builtins(row), sort_keys=True)
