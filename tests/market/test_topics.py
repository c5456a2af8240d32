"""What a reader of the stream begins with: rows and position of one instant."""

from __future__ import annotations

import asyncio

import pytest
from channels.db import database_sync_to_async

from market import worlds
from market.topics import snapshot
from realtime.topics import Policy, kind_of
from tests.market.conftest import NOON_NS, phase, quote, reference, trade


def test_the_kinds_have_the_policies_that_readers_were_promised():
    kinds = {name: kind_of(f"{name}:seeded:ALB").policy for name in ("quote", "depth", "trades", "bars")}
    assert kinds == {
        "quote": Policy.LATEST,
        "depth": Policy.LATEST,
        "trades": Policy.EVERY,
        "bars": Policy.EVERY,
    }
    assert kind_of("board:seeded").policy is Policy.MERGE
    assert kind_of("phase:seeded").policy is Policy.LATEST


def test_every_topic_answers_with_its_rows_and_its_position(world, said):
    said(phase(1), reference("ALB", 1_300, 2), quote("ALB", 1_310, 1_311, 3), trade("ALB", 1_311, 500, 4))
    said(quote("ALB", 1_312, 1_313, 5), trade("ALB", 1_313, 100, 6))
    epoch = f"{world.stream_epoch}.1"
    row = snapshot("quote:seeded:ALB")
    assert (row.epoch, row.offset, row.data["bid"], row.data["last"]) == (epoch, 6, "13.12", "13.13")
    depth = snapshot("depth:seeded:ALB")
    assert (depth.epoch, depth.offset, depth.data["bids"][0]) == (epoch, 5, ["13.12", "1000"])
    trades = snapshot("trades:seeded:ALB")
    assert (trades.epoch, trades.offset) == (epoch, 2)
    assert [trade["price"] for trade in trades.data["trades"]] == ["13.11", "13.13"]
    bars = snapshot("bars:seeded:ALB:1m")
    assert (bars.epoch, bars.offset) == (epoch, 2)
    assert bars.data["bars"][-1] == {
        **{"o": "13.11", "h": "13.13", "l": "13.11", "c": "13.13", "v": "600"},
        **{"t": NOON_NS // 10**9, "partial": False},
    }
    board = snapshot("board:seeded")
    assert (board.epoch, board.offset) == (epoch, 3)  # one more: the feed began by saying all rows
    assert board.data["ALB"]["bid"] == "13.12"
    assert len(board.data) == world.instruments.count()
    now = snapshot("phase:seeded")
    assert (now.epoch, now.offset, now.data["market_day"]) == (epoch, 1, "2026-11-02")


def test_stored_bars_and_the_forming_one_are_one_list(world, said, store_bar):
    noon = NOON_NS // 10**9
    for n in (3, 2, 1):
        store_bar("ALB", "1m", noon - 60 * n, 1_300, 1_310, 1_290, 1_300 + n)
    said(phase(1), trade("ALB", 1_311, 500, 2))
    bars = snapshot("bars:seeded:ALB:1m").data["bars"]
    assert [(bar["t"] - noon, bar["c"]) for bar in bars] == [
        (-180, "13.03"),
        (-120, "13.02"),
        (-60, "13.01"),
        (0, "13.11"),
    ]


def test_without_a_feed_the_epoch_is_none_that_a_feed_will_ever_have(world):
    for topic in (
        "quote:seeded:ALB",
        "depth:seeded:ALB",
        "trades:seeded:ALB",
        "bars:seeded:ALB:5m",
        "board:seeded",
    ):
        found = snapshot(topic)
        assert (found.epoch, found.offset) == (f"{world.stream_epoch}.0", 0), topic
    assert snapshot("phase:seeded").data["stale"] is True


@pytest.mark.parametrize(
    "topic",
    [
        "quote:seeded:XXX",
        "quote:atlantis:ALB",
        "depth:seeded",
        "trades:seeded:",
        "bars:seeded:ALB:7m",
        "bars:seeded:ALB",
        "board:seeded:ALB",
        "board:atlantis",
        "phase:seeded:x",
    ],
)
def test_there_is_no_such_topic(world, topic: str):
    assert snapshot(topic) is None


@pytest.mark.django_db(transaction=True)
async def test_a_hundred_readers_at_once_need_no_more_connections_than_there_are():
    world = await database_sync_to_async(worlds.ensure)("seeded")
    kind = kind_of("quote:seeded:ALB")
    assert kind is not None
    assert await kind.authorize("quote:seeded:ALB", None)
    found = await asyncio.gather(*(kind.snapshot("quote:seeded:ALB") for _ in range(100)))
    assert {(one.epoch, one.data["symbol"]) for one in found} == {(f"{world.stream_epoch}.0", "ALB")}
