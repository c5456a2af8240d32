"""Whatever is left out, the reader ends where the truth is: old snapshot + messages = new snapshot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.limits import Limits
from realtime.outbox import Outbox, frames_of
from realtime.publish import Message
from realtime.state import TopicState, Verdict
from realtime.topics import Policy, Snapshot, TopicKind


async def nobody(*_: Any) -> None:
    return None


def state(policy: Policy, **limits: int) -> TopicState:
    kind = TopicKind("x", policy, nobody, nobody)  # type: ignore[arg-type]
    return TopicState("x:1", kind, Limits(**limits))


class Truth:
    """The owner's state, and a reader's copy, by the rules of the client."""

    def __init__(self, policy: Policy):
        self.policy = policy
        self.data: dict[str, Any] = {"all": []} if policy is Policy.EVERY else {}
        self.offset = 0

    def apply(self, data: dict[str, Any], offset: int) -> None:
        if offset <= self.offset:
            return
        if self.policy is Policy.EVERY:
            assert offset == self.offset + 1
            self.data = {"all": [*self.data["all"], data]}
        elif self.policy is Policy.MERGE:
            self.data = {key: row for key, row in {**self.data, **data}.items() if row is not None}
        else:
            self.data = data
        self.offset = offset


rows = st.dictionaries(st.sampled_from("abcde"), st.none() | st.integers(0, 9), max_size=3)
# Each step is a message, or None: the reader takes what is waiting for it.
steps = st.lists(rows | st.none(), max_size=40)


@pytest.mark.parametrize("policy", list(Policy))
@given(steps=steps)
def test_old_snapshot_and_conflated_messages_are_the_new_snapshot(policy: Policy, steps: list[dict | None]):
    truth, reader, outbox, topic = Truth(policy), Truth(policy), Outbox(), state(policy)
    if policy is not Policy.EVERY:
        topic.install(Snapshot("e", 0, {}))
    for step in [*steps, None]:
        if step is not None:
            message = Message.of("x:1", "e", truth.offset + 1, step)
            truth.apply(step, message.offset)
            assert topic.judge(message.epoch, message.offset) is Verdict.NEW
            assert outbox.add(topic.accept(message))
        elif outbox:
            for text, part in frames_of(outbox.take(), most=100):
                assert len(text) <= 101 or len(part) == 1
                taken = json.loads(text)
                for push in taken if isinstance(taken, list) else [taken]:
                    reader.apply(push["data"], push["offset"])
            assert not outbox
            assert (reader.data, reader.offset) == (truth.data, truth.offset)
    if policy is not Policy.EVERY:
        assert json.loads(topic.snapshot_text()) == truth.data


@given(before=rows, after=rows, between=rows)
def test_a_patch_from_the_owner_brings_every_reader_of_a_board_to_its_state(
    before: dict, after: dict, between: dict
):
    def live(some: dict) -> dict:
        return {key: row for key, row in some.items() if row is not None}

    topic, reader = state(Policy.MERGE), Truth(Policy.MERGE)
    topic.install(Snapshot("e", 1, live(before)))
    reader.data, reader.offset = live(before), 1
    entry = topic.accept(Message.of("x:1", "e", 2, between))
    reader.apply(json.loads(entry.text)["data"], 2)
    patch = topic.replace(Snapshot("e", 9, live(after)))
    assert patch is not None
    reader.apply(json.loads(patch.text)["data"], patch.offset)
    assert reader.data == live(after) == json.loads(topic.snapshot_text())


@given(base=st.integers(0, 8), kept=st.integers(1, 10), count=st.integers(0, 12))
def test_a_base_fetched_while_messages_came_in_is_complete_or_refused(base: int, kept: int, count: int):
    """The owner answers with its state after `base` messages; `count` have come in meanwhile."""
    topic, truth, at_base = state(Policy.MERGE, history_merge=kept), Truth(Policy.MERGE), {}
    for number in range(1, max(count, base) + 1):
        patch = {f"k{number % 3}": number}
        truth.apply(patch, number)
        if number <= count:
            topic.accept(Message.of("x:1", "e", number, patch))
        if number == base:
            at_base = dict(truth.data)
    if topic.install(Snapshot("e", base, at_base)):
        assert json.loads(topic.snapshot_text()) == truth.data
        assert topic.offset == max(base, count)
    else:
        assert count - base > kept, "only refused when the history does not reach back"


def test_an_every_message_queue_has_an_end():
    topic = state(Policy.EVERY)
    entries = [topic.accept(Message.of("x:1", "e", n, {"n": n})) for n in range(1, 6)]
    by_count, by_size = Outbox(every_messages=4), Outbox(every_bytes=len(entries[0].text) * 4)
    assert [by_count.add(entry) for entry in entries] == [True] * 4 + [False]
    assert [by_size.add(entry) for entry in entries] == [True] * 4 + [False]


def test_a_latest_wins_queue_has_none():
    topic, outbox = state(Policy.LATEST), Outbox(every_messages=1, every_bytes=1)
    for number in range(1, 1_000):
        assert outbox.add(topic.accept(Message.of("x:1", "e", number, {"n": number})))
    assert [entry.offset for entry in outbox.take()] == [999]


@pytest.mark.parametrize(
    ("policy", "epoch", "offset", "verdict"),
    [
        (Policy.EVERY, "e", 3, Verdict.NEW),
        (Policy.EVERY, "e", 2, Verdict.OLD),
        (Policy.EVERY, "e", 0, Verdict.OLD),
        (Policy.EVERY, "e", 4, Verdict.GAP),
        (Policy.EVERY, "f", 3, Verdict.OTHER_EPOCH),
        (Policy.MERGE, "e", 4, Verdict.GAP),
        (Policy.LATEST, "e", 4, Verdict.NEW),
        (Policy.LATEST, "e", 2, Verdict.OLD),
        (Policy.LATEST, "f", 1, Verdict.OTHER_EPOCH),
    ],
)
def test_each_message_is_judged_by_its_place(policy: Policy, epoch: str, offset: int, verdict: Verdict):
    topic = state(policy)
    for number in (1, 2):
        topic.accept(Message.of("x:1", "e", number, {}))
    assert topic.judge(epoch, offset) is verdict


def test_an_epoch_with_quotes_does_not_break_the_frame():
    topic = state(Policy.LATEST)
    entry = topic.accept(Message.of("x:1", 'e"\\,"data":', 1, {"n": 1}))
    assert json.loads(entry.text) == {"topic": "x:1", "epoch": 'e"\\,"data":', "offset": 1, "data": {"n": 1}}
    assert topic.snapshot_text() == '{"n":1}'
