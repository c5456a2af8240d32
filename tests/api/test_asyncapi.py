"""The AsyncAPI document against real traffic: every frame of every topic, both ways."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from websockets.sync.client import ClientConnection, connect

from simgame.asyncapi import TOPICS, document
from tests.api.test_alpaca_streams import SYMBOL, bot, key_of, order
from tests.live import LiveGame

__all__ = ["bot"]
PUSHES = {"quote", "depth", "board", "phase", "portfolio"}  # kinds that speak within seconds


def frames_of(name: str) -> Draft202012Validator:
    said = document()
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": said["components"]})


SERVER, CLIENT = frames_of("ServerFrame"), frames_of("ClientFrame")


def test_the_document_is_served_and_its_schemas_are_schemas(live_game: LiveGame) -> None:
    said = httpx.get(f"{live_game.address}/api/asyncapi.json").json()
    assert said == json.loads(json.dumps(document()))
    assert said["asyncapi"].startswith("3.")
    for schema in said["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


class Witness:
    """A socket whose every frame is held against the document."""

    def __init__(self, socket: ClientConnection):
        self.socket = socket
        self.pushed: set[str] = set()
        self.answers: dict[Any, Any] = {}

    def say(self, *commands: dict[str, Any]) -> None:
        frame: Any = commands[0] if len(commands) == 1 else list(commands)
        CLIENT.validate(frame)
        self.socket.send(json.dumps(frame))

    def hear(self) -> list[dict[str, Any]]:
        frame = json.loads(self.socket.recv(timeout=120))
        SERVER.validate(frame)
        messages = frame if isinstance(frame, list) else [frame]
        for message in messages:
            if "topic" in message:
                self.pushed.add(message["topic"].partition(":")[0])
            elif "ok" in message:
                self.answers[message["id"]] = message
            elif message["type"] == "ping":
                self.say({"op": "pong"})
        return messages

    def answer(self, number: int) -> Any:
        while number not in self.answers:
            self.hear()
        return self.answers[number]


def test_every_frame_of_a_busy_socket_is_in_the_document(live_game: LiveGame, bot: httpx.Client) -> None:
    portfolio = bot.get("/v2/account").json()["account_number"]
    game = httpx.get(f"{live_game.address}/api/v1/games").json()["games"][0]["id"]
    names = {
        **{kind: f"{kind}:seeded:{SYMBOL}" for kind in ("quote", "depth", "trades")},
        "bars": f"bars:seeded:{SYMBOL}:1m",
        "board": "board:seeded",
        "phase": "phase:seeded",
        "halts": "halts:seeded",
        "game": f"game:{game}",
        "portfolio": f"portfolio:{portfolio}",
    }
    assert names.keys() == TOPICS.keys(), "a kind of topic that the document or this test does not know"
    with connect(f"ws://127.0.0.1:{live_game.port}/ws/v1", proxy=None, max_size=None) as socket:
        witness = Witness(socket)
        assert witness.hear()[0]["type"] == "hello"
        witness.say({"id": 1, "op": "auth", "token": ":".join(key_of(bot))}, {"id": 2, "op": "ping"})
        assert witness.answer(1)["ok"]
        topics = [{"topic": name} for name in names.values()]
        witness.say({"id": 3, "op": "subscribe", "topics": topics, "interval_ms": 100})
        results = witness.answer(3)["results"]
        assert [result["recovered"] for result in results] == [False] * len(names)
        order(bot)
        while not witness.pushed >= PUSHES:
            witness.hear()
        since = [
            {"topic": result["topic"], "since": {"epoch": result["epoch"], "offset": result["offset"]}}
            for result in results
        ]
        witness.say({"id": 4, "op": "subscribe", "topics": since})
        assert any(result["recovered"] for result in witness.answer(4)["results"])
        witness.say({"id": "five", "op": "subscribe", "topics": [{"topic": "quote:nowhere:X"}]})
        assert witness.answer("five")["error"]["code"] == "UNKNOWN_TOPIC"
        witness.say({"id": 6, "op": "unsubscribe", "topics": list(names.values())})
        assert witness.answer(6)["ok"]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "hello"},
        {"topic": "quote:seeded:ALB", "epoch": "e", "offset": 1, "data": {"symbol": "ALB"}},
        {"topic": "phase:seeded", "epoch": "e", "offset": -1, "data": {}},
        [],
        {"id": 1, "ok": True, "results": [{}]},
    ],
)
def test_what_the_server_must_not_say_is_not_in_it(frame: Any) -> None:
    assert not SERVER.is_valid(frame)
