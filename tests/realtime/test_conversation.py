"""The protocol without a network: whatever is said, there is an answer or an end, and never a crash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.close_codes import CloseCode
from realtime.conversation import Conversation, Heard, Leave, Ping, Say, SignIn, Subscribe, Unsubscribe
from realtime.limits import Limits

LIMITS = Limits()


def fresh(**changes: float) -> Conversation:
    return Conversation(Limits(**changes), opened_at=0.0)


def said(deeds: list) -> dict:
    [deed] = deeds
    assert isinstance(deed, Say), deed
    return json.loads(deed.text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
ops = st.sampled_from(["subscribe", "unsubscribe", "auth", "ping", "pong", "order", "", "__class__"])
positions = st.fixed_dictionaries({}, optional={"epoch": anything, "offset": anything})
wants = st.lists(
    st.fixed_dictionaries({}, optional={"topic": anything, "since": positions | anything}), max_size=4
)
commands = st.fixed_dictionaries(
    {},
    optional={
        "id": anything,
        "op": ops | anything,
        "topics": wants | anything,
        "interval_ms": anything,
        "token": anything,
        "extra": anything,
    },
)


@given(
    st.lists(
        st.text() | commands.map(json.dumps) | st.lists(commands, max_size=3).map(json.dumps) | st.none(),
        max_size=5,
    )
)
def test_nothing_that_is_said_crashes_it(texts: list[str | None]):
    conversation = fresh()
    for number, text in enumerate(texts):
        deeds = conversation.heard(text, now=number * 0.1)
        for deed in deeds:
            assert isinstance(deed, Say | Leave | SignIn | Subscribe | Unsubscribe | Heard)
            if isinstance(deed, Say):
                answer = json.loads(deed.text)
                assert answer["ok"] in (True, False)
                assert answer["ok"] or answer["error"]["message"].strip(".")
            if isinstance(deed, Leave):
                assert deed is deeds[-1]
                assert len((deed.reason or deed.code.reason).encode()) <= 123, "fits a close frame"
            if isinstance(deed, Subscribe):
                assert deed.interval_ms == 0 or 50 <= deed.interval_ms <= 10_000


@given(st.text(alphabet=st.characters(), max_size=40))
def test_any_unicode_is_refused_in_order(text: str):
    assert fresh().heard(text + "\ud800", now=0.0) == [Leave(CloseCode.BAD_REQUEST, "not valid Unicode")]


@pytest.mark.parametrize(
    ("command", "code", "hint"),
    [
        ({"op": "order", "symbol": "X"}, "MALFORMED", "$.op"),
        ({"topics": []}, "MALFORMED", "`op`"),
        ({"op": "subscribe"}, "MALFORMED", "`topics`"),
        ({"op": "subscribe", "topics": []}, "INVALID", "at least one"),
        ({"op": "subscribe", "topics": ["quote:x"]}, "MALFORMED", "$.topics[0]"),
        ({"op": "subscribe", "topics": [{"topic": "a:b"}, {"topic": "a:b"}]}, "INVALID", "twice"),
        ({"op": "subscribe", "topics": [{"topic": "a:b"}], "interval_ms": 1.5}, "MALFORMED", "$.interval_ms"),
        ({"op": "subscribe", "topics": [{"topic": "a:b"}], "interval_ms": -5}, "INVALID", "0 (at once)"),
        ({"op": "subscribe", "topics": [{"topic": "a:b", "sinse": {}}]}, "MALFORMED", "sinse"),
        ({"op": "unsubscribe", "topics": "a:b"}, "MALFORMED", "$.topics"),
        ({"op": "auth", "token": 7}, "MALFORMED", "$.token"),
        ({"op": "auth"}, "MALFORMED", "`token`"),
    ],
)
def test_a_wrong_command_is_told_what_was_wrong_and_where(command: dict, code: str, hint: str):
    answer = said(fresh().heard(json.dumps({"id": "c1", **command}), now=0.0))
    assert answer["id"] == "c1"
    assert answer["ok"] is False
    assert answer["error"]["code"] == code
    assert hint in answer["error"]["message"]


@pytest.mark.parametrize("command_id", [True, 1.5, {}, [], "x" * 65, 2**53, -(2**53)])
def test_an_id_that_cannot_be_given_back_is_refused(command_id: object):
    answer = said(fresh().heard(json.dumps({"id": command_id, "op": "ping"}), now=0.0))
    assert answer == {
        "id": None,
        "ok": False,
        "error": {
            "code": "INVALID",
            "message": "Expected a whole number below 2**53, or a string of at most 64 characters.",
            "pointer": "/id",
        },
    }


@pytest.mark.parametrize("command_id", [None, 0, -7, 2**53 - 1, "", "é" * 64])
def test_the_id_comes_back_as_it_was(command_id: object):
    assert said(fresh().heard(json.dumps({"id": command_id, "op": "ping"}), 0.0)) == {
        "id": command_id,
        "ok": True,
    }


def test_an_array_is_obeyed_in_order():
    commands = [
        {"id": 1, "op": "ping"},
        {"op": "pong"},
        {"id": 2, "op": "unsubscribe", "topics": ["a:b", "a:b"]},
    ]
    deeds = fresh().heard(json.dumps(commands), now=0.0)
    assert deeds == [Say('{"id":1,"ok":true}'), Unsubscribe(2, ("a:b",))]


def test_an_array_of_too_many_commands_ends_it():
    text = json.dumps([{"op": "pong"}] * (LIMITS.commands_per_frame + 1))
    assert fresh().heard(text, now=0.0)[0].code is CloseCode.BAD_REQUEST


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 0), (1, 50), (50, 50), (51, 100), (100, 100), (10_000, 10_000)]
)
def test_intervals_are_rounded_up_so_that_readers_share(asked: int, given: int):
    [deed] = fresh().heard(
        json.dumps({"op": "subscribe", "topics": [{"topic": "a:b"}], "interval_ms": asked}), 0.0
    )
    assert deed.interval_ms == given


def test_pongs_that_we_asked_for_cost_nothing():
    conversation = fresh(commands_burst=2, commands_per_s=0.01)
    for second in range(50):  # a quick reader of a quick stream is asked often
        assert conversation.ping(float(second)) == [Ping()]
        assert conversation.heard('{"op":"pong"}', float(second)) == [Heard()]
    for expected in ([], [], [Leave(CloseCode.TOO_MANY_REQUESTS)]):
        assert conversation.heard('{"op":"pong"}', 50.0) == expected


def test_the_pace_of_commands_is_earned_back_with_time():
    conversation = fresh(commands_burst=2, commands_per_s=1.0)
    ping = '{"op":"ping"}'
    assert [type(conversation.heard(ping, now)[0]) for now in (0.0, 0.0, 0.5, 1.1)] == [Say, Say, Leave, Say]


def test_pings_come_and_pongs_are_awaited():
    conversation = fresh()
    conversation.signed_in()
    assert conversation.tick(24.9) == []
    assert conversation.tick(25.0) == [Ping()]
    assert conversation.tick(35.0) == []
    assert conversation.heard('{"op":"pong"}', 35.0) == [Heard()]
    assert conversation.heard('{"op":"pong"}', 35.0) == []
    assert conversation.tick(49.9) == []
    assert conversation.tick(50.0) == [Ping()]
    assert conversation.tick(60.1) == [Leave(CloseCode.NO_PONG)]


def test_close_codes_tell_whether_to_come_back():
    assert {code.name for code in CloseCode if code.comes_back} == {
        "SHUTDOWN", "SLOW", "POSITION_LOST", "NO_PONG", "TOO_MANY_REQUESTS",
    }  # fmt: skip
