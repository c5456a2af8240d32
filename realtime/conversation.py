"""The protocol of one socket as a pure object: text in, things to do out.

It knows no network, no topics' contents and no clock: the connection brings text and time, and
carries out what comes back, in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from realtime.close_codes import CloseCode
from realtime.limits import Limits
from realtime.outbox import encode_json
from simgame.kernel.errors import Invalid, Malformed, SimGameError

PROTOCOL_VERSION = 1
ID_CHARACTERS = 64
SAFE_INTEGER = 2**53 - 1  # what JavaScript counts exactly

CommandId = int | str | None


# --- what a client may say ---------------------------------------------------------------------
class Since(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    epoch: str
    offset: int


class Want(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    topic: str
    since: Since | None = None


class SubscribeCommand(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="subscribe"):
    topics: list[Want]
    id: CommandId = None
    interval_ms: int = 0


class UnsubscribeCommand(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="unsubscribe"):
    topics: list[str]
    id: CommandId = None


class AuthCommand(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="auth"):
    token: str
    id: CommandId = None


class PingCommand(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="ping"):
    id: CommandId = None


class PongCommand(msgspec.Struct, forbid_unknown_fields=True, tag_field="op", tag="pong"):
    id: CommandId = None


Command = SubscribeCommand | UnsubscribeCommand | AuthCommand | PingCommand | PongCommand


# --- what is to be done ------------------------------------------------------------------------
@dataclass(frozen=True)
class Say:
    text: str


@dataclass(frozen=True)
class Leave:
    code: CloseCode
    reason: str = ""


@dataclass(frozen=True)
class SignIn:
    id: CommandId
    token: str


@dataclass(frozen=True)
class Subscribe:
    id: CommandId
    wants: tuple[Want, ...]
    interval_ms: int


@dataclass(frozen=True)
class Unsubscribe:
    id: CommandId
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Ping:
    """Ask the client for a pong, after everything that has been sent."""

    text: str = '{"type":"ping"}'


@dataclass(frozen=True)
class Heard:
    """The client has read everything up to the last ping."""


Deed = Say | Leave | SignIn | Subscribe | Unsubscribe | Ping | Heard


@dataclass
class Conversation:
    """Feed it with `heard` and `tick`; tell it with `signed_in` and by changing `topics` what came
    of its deeds. Times are seconds of a monotonic clock."""

    limits: Limits
    opened_at: float
    known: bool = False  # signed in, by cookie or token
    topics: dict[str, int] = field(default_factory=dict)  # subscribed → interval in ms
    _pinged_at: float = 0.0
    _awaiting_pong: bool = False
    _allowance: float = 0.0
    _allowance_at: float = 0.0

    def __post_init__(self) -> None:
        self._pinged_at = self._allowance_at = self.opened_at
        self._allowance = float(self.limits.commands_burst)

    def hello(self, session: str, server_time: str) -> str:
        ping_s = self.limits.ping_s
        return _text(
            {
                "type": "hello",
                "v": PROTOCOL_VERSION,
                "session": session,
                "server_time": server_time,
                "ping_s": int(ping_s) if ping_s == int(ping_s) else ping_s,
            }
        )

    def heard(self, text: str | None, now: float) -> list[Deed]:
        """What to do about a frame. `text` is None for a binary frame. Never raises."""
        if text is None:
            return [Leave(CloseCode.BAD_REQUEST, "send text frames")]
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return [Leave(CloseCode.BAD_REQUEST, "not valid Unicode")]
        if size > self.limits.frame_bytes:
            return [Leave(CloseCode.BAD_REQUEST, f"frame larger than {self.limits.frame_bytes} bytes")]
        try:
            said = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return [Leave(CloseCode.BAD_REQUEST, "not JSON")]
        commands = said if isinstance(said, list) else [said]
        if not 1 <= len(commands) <= self.limits.commands_per_frame:
            most = self.limits.commands_per_frame
            return [Leave(CloseCode.BAD_REQUEST, f"an array holds 1 to {most} commands")]
        deeds: list[Deed] = []
        for command in commands:
            deed = self._answer(command, now)
            if deed is not None:
                deeds.append(deed)
            if isinstance(deed, Leave):
                break
        return deeds

    def tick(self, now: float) -> list[Deed]:
        """What is due, to be asked about once a second."""
        if self._awaiting_pong and now - self._pinged_at > self.limits.pong_s:
            return [Leave(CloseCode.NO_PONG)]
        if not self.known and not self.topics and now - self.opened_at > self.limits.auth_s:
            return [Leave(CloseCode.AUTH_LATE)]
        if now - self._pinged_at >= self.limits.ping_s:
            return self.ping(now)
        return []

    def ping(self, now: float) -> list[Deed]:
        """Asks the client to show that it reads; nothing when it has been asked already."""
        if self._awaiting_pong:
            return []
        self._awaiting_pong = True
        self._pinged_at = now
        return [Ping()]

    def signed_in(self) -> None:
        self.known = True

    def _answer(self, said: Any, now: float) -> Deed | None:
        if not isinstance(said, dict):
            return Leave(CloseCode.BAD_REQUEST, "a command is a JSON object")
        asked_for = self._awaiting_pong and said.get("op") == "pong"  # we ask oftener the more we send
        if not asked_for and not self.may_speak(now):
            return Leave(CloseCode.TOO_MANY_REQUESTS)
        command_id = said.get("id")
        if not _is_id(command_id):
            problem = (
                f"Expected a whole number below 2**53, or a string of at most {ID_CHARACTERS} characters."
            )
            return Say(refusal(None, Invalid(problem, pointer="/id")))
        try:
            command = msgspec.convert(said, Command)
        except msgspec.ValidationError as error:
            return Say(refusal(command_id, Malformed(f"{error}.")))
        return self._obey(command, now)

    def _obey(self, command: Command, now: float) -> Deed | None:
        match command:
            case PongCommand() if self._awaiting_pong:
                self._awaiting_pong = False
                return Heard()
            case PongCommand():
                return None
            case PingCommand():
                return Say(agreement(command.id))
            case AuthCommand():
                return self._sign_in(command, now)
            case UnsubscribeCommand():
                return Unsubscribe(command.id, tuple(dict.fromkeys(command.topics)))
            case SubscribeCommand():
                return self._subscribe(command)

    def _sign_in(self, command: AuthCommand, now: float) -> Deed:
        if self.known:
            return Say(refusal(command.id, Invalid("This socket is signed in already.", pointer="/op")))
        if now - self.opened_at > self.limits.auth_s:
            return Leave(CloseCode.AUTH_LATE)
        return SignIn(command.id, command.token)

    def _subscribe(self, command: SubscribeCommand) -> Deed:
        names = [want.topic for want in command.topics]
        if not names:
            return Say(refusal(command.id, Invalid("Name at least one topic.", pointer="/topics")))
        if len(set(names)) < len(names):
            return Say(refusal(command.id, Invalid("A topic is named twice.", pointer="/topics")))
        if len(self.topics.keys() | set(names)) > self.limits.topics_per_socket:
            return Leave(CloseCode.TOO_MANY_TOPICS, f"at most {self.limits.topics_per_socket}")
        least, most = self.limits.interval_ms_least, self.limits.interval_ms_most
        if not 0 <= command.interval_ms <= most:
            problem = f"Expected 0 (at once) or {least} to {most} milliseconds."
            return Say(refusal(command.id, Invalid(problem, pointer="/interval_ms")))
        # Up to the next step, so that sockets with nearly the same wish share their frames.
        interval_ms = -(-command.interval_ms // least) * least
        return Subscribe(command.id, tuple(command.topics), interval_ms)

    def may_speak(self, now: float) -> bool:
        earned = (now - self._allowance_at) * self.limits.commands_per_s
        self._allowance = min(self._allowance + earned, float(self.limits.commands_burst))
        self._allowance_at = now
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True


# --- answers -----------------------------------------------------------------------------------
def agreement(command_id: CommandId) -> str:
    return _text({"id": command_id, "ok": True})


def results(command_id: CommandId, rows: list[str]) -> str:
    """The answer to a subscription; `rows` are JSON texts already."""
    return f'{{"id":{_text(command_id)},"ok":true,"results":[{",".join(rows)}]}}'


def refusal(command_id: CommandId, error: SimGameError) -> str:
    said: dict[str, Any] = {"code": error.code, "message": error.detail}
    if error.pointer:
        said["pointer"] = error.pointer
    return _text({"id": command_id, "ok": False, "error": said})


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= ID_CHARACTERS
    if isinstance(value, bool):
        return False
    return value is None or (isinstance(value, int) and abs(value) <= SAFE_INTEGER)


def _text(value: Any) -> str:
    return encode_json(value).decode()
