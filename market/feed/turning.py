"""`manage.py feed switch`: the feed's runtime switches of one world, turned where all switches are."""

from __future__ import annotations

import json

import structlog

from market.errors import FeedUnavailable
from market.feed import client
from market.feed.valve import ROOM
from market.models import World
from simgame.switches import runtime
from simgame.switches.declared import SWITCHES, Value

log = structlog.get_logger(__name__)


def do(world: World, name: str | None, setting: str | None) -> dict[str, Value]:
    """Turn a switch when both are given, and say how they stand for this world.

    Raises UnknownSwitch and BadSwitchValue. The change is recorded (`SwitchChange`); a feed that runs
    obeys at once, any other when it starts.
    """
    if name is not None and setting is not None:
        key = f"{ROOM}.{name}"
        runtime.set_value(f"{key}@{world.slug}", _value(key, setting), "command")
        _tell(world)
    standing = runtime.of_room(ROOM, world.slug)
    if name is not None:
        runtime.checked(f"{ROOM}.{name}", standing.get(f"{ROOM}.{name}"))
        return {name: standing[f"{ROOM}.{name}"]}
    return {key.removeprefix(f"{ROOM}."): value for key, value in standing.items()}


def _value(key: str, setting: str) -> object:
    """A text stays what it is, however much a symbol may look like a number."""
    said = SWITCHES.get(key)
    if said is None or isinstance(said.default, str):
        return setting
    try:
        return json.loads(setting)
    except ValueError:
        return setting


def _tell(world: World) -> None:
    try:
        client.ask_sync(world.number, {"op": "look"})
    except FeedUnavailable as error:
        log.info("feed_not_told", world=world.slug, why=error.detail)
