"""Snapshots, resuming, and that no message falls between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.degrade import Degrade
from realtime.publish import Message
from tests.realtime.conftest import House, Town, eventually, open_house, quick

SAID = 6  # messages on each topic before the reader comes back
TOPICS = ["quote:gold", "board:all", "trades:gold", "tape:gold", "purse:1"]


def row(topic: str, number: int) -> dict[str, Any]:
    return {f"k{number % 3}": {"n": number}} if topic.startswith("board:") else {"n": number}


# --- the resume table (fault 35) ---------------------------------------------------------------
# since → recovered with these offsets, or None: not recovered, a snapshot instead.
RESUME = {
    "the same offset": ({"epoch": "e1", "offset": 6}, []),
    "one behind": ({"epoch": "e1", "offset": 5}, [6]),
    "the oldest that is kept": ({"epoch": "e1", "offset": 2}, [3, 4, 5, 6]),
    "pruned": ({"epoch": "e1", "offset": 1}, None),
    "from the beginning, which is pruned": ({"epoch": "e1", "offset": 0}, None),
    "the future": ({"epoch": "e1", "offset": 7}, None),
    "far in the future": ({"epoch": "e1", "offset": 2**63}, None),
    "absurdly far in the future": ({"epoch": "e1", "offset": 2**70}, None),
    "negative": ({"epoch": "e1", "offset": -1}, None),
    "very negative": ({"epoch": "e1", "offset": -(2**63)}, None),
    "another epoch, the same offset": ({"epoch": "e0", "offset": 6}, None),
    "another epoch, behind": ({"epoch": "e0", "offset": 4}, None),
    "no epoch": ({"epoch": "", "offset": 6}, None),
    "an epoch that needs quoting": ({"epoch": '"},{\\', "offset": 6}, None),
}


@pytest.mark.parametrize("case", RESUME)
@pytest.mark.parametrize("topic", TOPICS)
async def test_a_reader_resumes(town: Town, topic: str, case: str):
    since, offsets = RESUME[case]
    town.kept_from = 3
    limits = quick(history_every=4, history_merge=4, history_latest=4)
    async with open_house(limits) as house, house.visit() as early, house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await early.ask(op="auth", token="alice-token")
        await early.subscribe(topic)  # so that the worker follows the topic
        for number in range(1, SAID + 1):
            house.hub.deliver([town.say(topic, row(topic, number))])
        alice.state[topic] = town.truth_at(topic, max(0, since["offset"]))
        [result] = await alice.subscribe(topic, since=since)
        assert (result["epoch"], result["offset"]) == ("e1", SAID)
        if offsets is None:
            assert result["recovered"] is False
            assert result["snapshot"] == dict(town.truth(topic).data)
        else:
            assert result["recovered"] is True
            assert [message["offset"] for message in result["messages"]] == offsets
            assert [message["data"] for message in result["messages"]] == [row(topic, n) for n in offsets]
        house.hub.deliver([town.say(topic, row(topic, 7))])
        await alice.until(lambda: alice.position[topic] == ("e1", 7))
        assert alice.state[topic] == dict(town.truth(topic).data)


@pytest.mark.parametrize("topic", TOPICS)
async def test_offset_zero_recovers_everything_while_it_is_kept(house: House, town: Town, topic: str):
    async with house.visit() as early, house.visit() as alice:
        await early.ask(op="auth", token="alice-token")
        await alice.ask(op="auth", token="alice-token")
        await early.subscribe(topic)
        for number in (1, 2):
            house.hub.deliver([town.say(topic, row(topic, number))])
        alice.state[topic] = town.truth_at(topic, 0)
        [result] = await alice.subscribe(topic, since={"epoch": "e1", "offset": 0})
        assert result["recovered"] is True
        assert [message["offset"] for message in result["messages"]] == [1, 2]


@pytest.mark.parametrize("topic", TOPICS)
async def test_a_topic_this_worker_has_never_seen_comes_from_its_owner(house: House, town: Town, topic: str):
    for number in range(1, 4):
        town.say(topic, row(topic, number))
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        alice.state[topic] = town.truth_at(topic, 2)
        [result] = await alice.subscribe(topic, since={"epoch": "e1", "offset": 2})
        assert result["offset"] == 3
        # Only the owners of tape and purse keep messages; the others can but show how things stand.
        assert result["recovered"] is topic.startswith(("tape:", "purse:"))
        if not result["recovered"]:
            assert result["snapshot"] == dict(town.truth(topic).data)


@pytest.mark.parametrize(
    "since",
    [
        {"epoch": "e1", "offset": 1.5},
        {"epoch": "e1"},
        {"offset": 1},
        {"epoch": 1, "offset": 1},
        7,
        {"epoch": "e1", "offset": "1"},
    ],
)
async def test_a_position_that_is_none_is_refused_with_its_place(house: House, since: Any):
    async with house.visit() as guest:
        answer = await guest.ask(op="subscribe", topics=[{"topic": "quote:gold", "since": since}])
        assert answer["error"]["code"] == "MALFORMED"
        assert "$.topics[0].since" in answer["error"]["message"]


# --- nothing falls between -----------------------------------------------------------------------
@pytest.mark.parametrize("interval_ms", [0, 50])
@pytest.mark.parametrize("topic", TOPICS)
async def test_old_snapshot_and_messages_are_the_new_snapshot(
    house: House, town: Town, topic: str, interval_ms: int
):
    """People come at every moment of a busy topic, and all of them end with the truth."""
    readers = []

    async def trade() -> None:
        for number in range(60):
            message = town.say(
                topic,
                {f"k{number % 5}": None} if topic == "board:all" and number % 7 == 6 else row(topic, number),
            )
            house.hub.deliver([message])
            await asyncio.sleep(0.001)

    async def read(number: int) -> None:
        await asyncio.sleep(number * 0.004)
        async with house.visit() as alice:
            await alice.ask(op="auth", token="alice-token")
            await alice.subscribe(topic, interval_ms=interval_ms)
            await alice.until(lambda: alice.position[topic][1] == 60)
            assert alice.state[topic] == dict(town.truth(topic).data)
            readers.append(alice)

    await asyncio.gather(trade(), *[read(number) for number in range(12)])
    assert len(readers) == 12
    frames = [len(reader.pushes) for reader in readers]
    if interval_ms and topic in {"quote:gold", "board:all"}:
        assert max(frames) < 40, "conflated: far fewer pushes than messages"


async def test_messages_that_the_bus_repeats_or_delays_do_no_harm(house: House, town: Town):
    async with house.visit() as guest:
        await guest.subscribe("quote:gold", "trades:gold")
        messages = [town.say("trades:gold", {"n": n}) for n in range(3)]
        quotes = [town.say("quote:gold", {"n": n}) for n in range(3)]
        house.hub.deliver([*messages, *messages, *reversed(quotes), messages[0]])
        await guest.until(
            lambda: guest.position["trades:gold"][1] == 3 and guest.position["quote:gold"][1] == 3
        )
        assert [push["offset"] for push in guest.pushes if push["topic"] == "trades:gold"] == [1, 2, 3]
        assert guest.state["quote:gold"] == {"n": 2}


@pytest.mark.parametrize("topic", ["board:all", "tape:gold", "purse:1"])
async def test_a_gap_is_filled_by_the_owner_before_anybody_sees_it(house: House, town: Town, topic: str):
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe(topic)
        house.hub.deliver([town.say(topic, row(topic, 1))])
        lost = town.say(topic, row(topic, 2))
        house.hub.deliver([town.say(topic, row(topic, 3)), town.say(topic, row(topic, 4))])
        await alice.until(lambda: alice.position[topic][1] == 4)
        assert alice.state[topic] == dict(town.truth(topic).data)
        assert lost.offset == 2
        assert house.hub.counters.gaps >= 1


async def test_a_gap_without_an_owner_who_remembers_is_left_for_the_reader_to_see(house: House, town: Town):
    async with house.visit() as guest:
        await guest.subscribe("trades:gold")
        first, _, third = [town.say("trades:gold", {"n": n}) for n in range(3)]
        house.hub.deliver([first])
        house.hub.deliver([third])
        await guest.receive()
        with pytest.raises(AssertionError, match="gap"):
            await guest.receive()
        [result] = await guest.subscribe("trades:gold", since={"epoch": "e1", "offset": 1})
        assert result["recovered"] is False
        assert guest.state["trades:gold"] == dict(town.truth("trades:gold").data)


async def test_a_lost_position_closes_the_socket_which_comes_back_to_a_snapshot(house: House, town: Town):
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe("purse:1")
        house.hub.deliver([town.say("purse:1", {"n": 1})])
        town.epoch, town.said = "e2", {}  # restored from a backup
        house.hub.deliver([town.say("purse:1", {"n": 9})])
        assert await alice.closed() == 4010
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        [result] = await alice.subscribe("purse:1", since={"epoch": "e1", "offset": 1})
        assert (result["recovered"], result["epoch"], result["offset"]) == (False, "e2", 1)


async def test_a_new_epoch_of_a_public_topic_is_passed_on(house: House, town: Town):
    async with house.visit() as guest:
        await guest.subscribe("quote:gold", "board:all")
        house.hub.deliver(
            [town.say("quote:gold", {"n": 1}), town.say("board:all", {"a": {"n": 1}, "b": {"n": 2}})]
        )
        town.epoch, town.said, town.rows = "e2", {}, {}  # the feed began again
        house.hub.deliver([town.say("quote:gold", {"n": 2}), town.say("board:all", {"b": {"n": 3}})])
        await guest.until(
            lambda: guest.position["quote:gold"] == ("e2", 1) and guest.position["board:all"] == ("e2", 1)
        )
        assert guest.state["board:all"] == {"b": {"n": 3}}


async def test_a_message_that_is_no_row_does_not_stop_the_others(house: House, town: Town):
    async with house.visit() as guest:
        await guest.subscribe("board:all", "quote:gold")
        house.hub.deliver([Message("board:all", "e1", 1, b"[nonsense"), town.say("quote:gold", {"n": 1})])
        await guest.until(lambda: guest.position["quote:gold"][1] == 1)
        assert house.hub.counters.messages_bad == 1


# --- sharing -------------------------------------------------------------------------------------
async def test_readers_of_the_same_topics_share_a_group(house: House):
    async with house.visit() as a, house.visit() as b, house.visit() as c:
        await a.subscribe("quote:gold", "quote:tin", interval_ms=100)
        await b.subscribe("quote:tin", interval_ms=90)  # rounded up to 100
        await b.subscribe("quote:gold", interval_ms=100)
        await c.subscribe("quote:gold", interval_ms=100)
        assert sorted(len(group.members) for group in house.hub.groups.values()) == [1, 2]


async def test_a_topic_is_read_at_the_interval_asked_for_last(house: House, town: Town):
    async with house.visit() as guest:
        await guest.subscribe("quote:gold", interval_ms=10_000)
        await guest.subscribe("quote:gold", interval_ms=0)
        house.hub.deliver([town.say("quote:gold", {"n": 1})])
        await guest.until(lambda: guest.position["quote:gold"][1] == 1)
        assert len(house.hub.groups) == 1


@pytest.mark.parametrize("interval_ms", [-1, 10_001, 2**40])
async def test_an_absurd_interval_is_refused(house: House, interval_ms: int):
    async with house.visit() as guest:
        answer = await guest.ask(op="subscribe", topics=[{"topic": "quote:gold"}], interval_ms=interval_ms)
        assert answer["error"]["code"] == "INVALID"
        assert answer["error"]["pointer"] == "/interval_ms"


async def test_after_unsubscribing_nothing_comes(house: House, town: Town):
    async with house.visit() as guest:
        await guest.subscribe("quote:gold", "quote:tin")
        await guest.ask(op="unsubscribe", topics=["quote:gold"])
        house.hub.deliver([town.say("quote:gold", {"n": 1}), town.say("quote:tin", {"n": 1})])
        await guest.until(lambda: guest.position["quote:tin"][1] == 1)
        assert {push["topic"] for push in guest.pushes} == {"quote:tin"}


async def test_what_was_collected_is_not_lost_when_a_topic_is_added(house: House, town: Town):
    async with house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        await alice.subscribe("trades:gold", interval_ms=5_000)
        house.hub.deliver([town.say("trades:gold", {"n": 1})])
        await alice.subscribe("quote:gold", interval_ms=5_000)
        assert alice.state["trades:gold"]["notices"] == [{"n": 1}]


async def test_a_newcomer_gets_exactly_what_follows_on_the_snapshot(house: House, town: Town):
    async with house.visit() as early, house.visit() as late:
        await early.subscribe("trades:gold", interval_ms=10_000)
        house.hub.deliver([town.say("trades:gold", {"n": 1})])
        [result] = await late.subscribe("trades:gold", interval_ms=10_000)
        house.hub.deliver([town.say("trades:gold", {"n": 2})])
        [group] = house.hub.groups.values()
        group.flush()
        for reader in (early, late):
            await reader.until(lambda reader=reader: reader.position["trades:gold"][1] == 2)
        assert [push["offset"] for push in early.pushes] == [1, 2]
        assert [push["offset"] for push in late.pushes] == list(range(result["offset"] + 1, 3))


async def test_those_who_come_and_go_do_not_hurry_the_others(house: House, town: Town):
    """Else a crowd that comes back at once is sent frames at each arrival, not at each interval."""
    async with house.visit() as early:
        await early.subscribe("quote:gold", "board:all", interval_ms=10_000)
        house.hub.deliver([town.say("quote:gold", {"n": 1}), town.say("board:all", {"a": 1})])
        [group] = house.hub.groups.values()
        frames = house.hub.counters.frames_out
        for n in range(2, 12):
            async with house.visit() as visitor:
                await visitor.subscribe("quote:gold", "board:all", interval_ms=10_000)
                assert visitor.state == {"quote:gold": {"n": n - 1}, "board:all": {"a": n - 1}}
                house.hub.deliver([town.say("quote:gold", {"n": n}), town.say("board:all", {"a": n})])
            await eventually(lambda group=group: len(group.members) == 1)
        assert house.hub.counters.frames_out == frames
        group.flush()
        await early.until(lambda: early.position["board:all"][1] == 11)
        assert early.state == {"quote:gold": {"n": 11}, "board:all": {"a": 11}}
        assert house.hub.counters.frames_out == frames + 1


async def test_who_changes_the_interval_takes_what_was_collected_along(house: House, town: Town):
    """The switch `conflate` does so to everybody at once, and nobody gets an answer with the state."""
    async with house.visit() as alice, house.visit() as bob:
        await alice.subscribe("trades:gold")
        await bob.subscribe("trades:gold")
        house.hub.turn(Degrade(conflate_ms=10_000))
        house.hub.deliver([town.say("trades:gold", {"n": 1})])
        house.hub.turn(Degrade())
        house.hub.deliver([town.say("trades:gold", {"n": 2})])
        for reader in (alice, bob):
            await reader.until(lambda reader=reader: reader.position["trades:gold"][1] == 2)
            assert [push["offset"] for push in reader.pushes] == [1, 2]


async def test_a_topic_asked_for_again_takes_nothing_from_the_others(house: House, town: Town):
    async with house.visit() as alice:
        await alice.subscribe("trades:gold", "quote:gold", interval_ms=10_000)
        house.hub.deliver([town.say("trades:gold", {"n": 1}), town.say("quote:gold", {"n": 1})])
        await alice.subscribe("quote:gold", interval_ms=10_000)
        house.hub.deliver([town.say("trades:gold", {"n": 2})])
        [group] = house.hub.groups.values()
        group.flush()
        await alice.until(lambda: alice.position["trades:gold"][1] == 2)
        offsets = [push["offset"] for push in alice.pushes if push["topic"] == "trades:gold"]
        assert offsets == [1, 2]


async def test_a_storm_of_readers_asks_the_owner_once(house: House, town: Town):
    town.say("quote:gold", {"n": 1})

    async def come() -> None:
        async with house.visit() as guest:
            await guest.subscribe("quote:gold", "trades:gold")

    await asyncio.gather(*[come() for _ in range(20)])
    assert sorted(town.asked) == ["quote:gold", "trades:gold"]


async def test_topics_without_readers_are_kept_in_bounds(town: Town):
    limits = quick(idle_topics_latest=3)
    async with open_house(limits) as house:
        for n in range(10):
            house.hub.deliver([town.say(f"quote:{n}", {"n": n})])
        assert sorted(house.hub.states) == ["quote:7", "quote:8", "quote:9"]
        async with house.visit() as guest:
            await guest.subscribe("quote:gold")
        await eventually(lambda: not house.hub.sockets)
        assert sorted(house.hub.states) == ["quote:8", "quote:9", "quote:gold"]
        assert house.hub.latest("quote:9") == b'{"n":9}'
        assert house.hub.latest("quote:0") is None


async def test_a_topic_that_is_read_is_never_forgotten(town: Town):
    """Neither when its reader takes more topics, nor when idle ones push in, nor when the bus goes."""
    async with open_house(quick(idle_topics_latest=1)) as house, house.visit() as guest:
        await guest.subscribe("quote:gold")
        await guest.subscribe("quote:tin", "board:all")
        await guest.subscribe("trades:gold", interval_ms=50)
        for n in range(5):
            house.hub.deliver([town.say(f"quote:{n}", {"n": n})])
        house.hub._on_down()
        house.hub.deliver([town.say("quote:gold", {"n": 1}), town.say("board:all", {"a": 1})])
        await guest.until(
            lambda: guest.state["quote:gold"] == {"n": 1} and guest.state["board:all"] == {"a": 1}
        )
        assert set(house.hub.states) == {"quote:gold", "quote:tin", "board:all", "trades:gold"}


async def test_who_missed_too_much_gets_a_snapshot(town: Town):
    for number in range(10):
        town.say("purse:1", {"n": number})
    async with open_house(quick(recover_messages=4)) as house, house.visit() as alice:
        await alice.ask(op="auth", token="alice-token")
        alice.state["purse:1"] = town.truth_at("purse:1", 7)
        [little] = await alice.subscribe("purse:1", since={"epoch": "e1", "offset": 7})
        [much] = await alice.subscribe("purse:1", since={"epoch": "e1", "offset": 2})
        assert (little["recovered"], much["recovered"]) == (True, False)
        assert alice.state["purse:1"] == dict(town.truth("purse:1").data)
