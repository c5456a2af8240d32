"""Reading and turning switches. Every process sees a change within FRESH_S."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError, transaction

from simgame.kernel import clock
from simgame.switches.declared import SWITCHES, Declared, Value
from simgame.switches.errors import BadSwitchValue, UnknownSwitch
from simgame.switches.models import Switch, SwitchChange

FRESH_S: Final = 1.0
KEY_MOST: Final = Switch._meta.get_field("key").max_length or 60
ASKING_S: Final = 0.25  # so long one reader's question counts as the answer for the others
_log = structlog.get_logger()
_values: dict[str, Value] = {}
_values_known = False
_read_at_s = float("-inf")


class Setting(NamedTuple):
    """One line of the list: the switch as it stands."""

    key: str
    value: Value
    default: Value
    meaning: str
    updated_by: str = ""


def get(key: str) -> Value:
    """The value now, at most FRESH_S old. May query: on an event loop use `aget`."""
    default = _declared(key).default
    if not _fresh():
        _read()
    return _values.get(key, default)


def known(key: str) -> Value | None:
    """As `get`, without asking anybody: None when what is known is too old. For roads where a coroutine would
    cost more than the answer: they go to `aget` then."""
    return _values.get(key, _declared(key).default) if _fresh() else None


async def aget(key: str) -> Value:
    """As `get`. One reader asks when the values are stale; the others go on with those there are."""
    global _read_at_s  # noqa: PLW0603
    default = _declared(key).default
    if not _fresh():
        if _values_known:
            _read_at_s = clock.monotonic_s() - FRESH_S + ASKING_S
        await database_sync_to_async(_read)()
    return _values.get(key, default)


def set_value(key: str, value: object, by: str) -> None:
    """Turn a switch. Raises UnknownSwitch or BadSwitchValue."""
    good = checked(key, value)
    with transaction.atomic():
        old = Switch.objects.select_for_update().filter(pk=key).first()
        Switch.objects.update_or_create(pk=key, defaults={"value": good, "updated_by": by[:60]})
        SwitchChange.objects.create(key=key, old=old.value if old else None, new=good, by=by[:60])
        transaction.on_commit(forget)


def clear(key: str, by: str) -> None:
    """Back to the default; nothing happens when it stands there already. Raises UnknownSwitch."""
    _declared(key)
    with transaction.atomic():
        old = Switch.objects.select_for_update().filter(pk=key).first()
        if old is None:
            return
        SwitchChange.objects.create(key=key, old=old.value, new=None, by=by[:60])
        old.delete()
        transaction.on_commit(forget)


def listing() -> list[Setting]:
    """Every declared switch, by key, and behind it the worlds for which it stands otherwise."""
    rows = {row.key: row for row in Switch.objects.all()}
    keys = {*SWITCHES, *(key for key in rows if base_of(key) in SWITCHES)}
    settings = []
    for key in sorted(keys):
        said, row = SWITCHES[base_of(key)], rows.get(key)
        value, by = (row.value, row.updated_by) if row else (said.default, "")
        settings.append(Setting(key, value, said.default, said.meaning, by))
    return settings


def base_of(key: str) -> str:
    """`feed.throttle@crypto` is a setting of `feed.throttle`."""
    return key.partition("@")[0]


def of_room(room: str, world: str) -> dict[str, Value]:
    """The switches `<room>.*` as they stand for a world, asked from the database now.

    Raises DatabaseError. For processes that look by the clock and must know whether they were answered.
    """
    prefix = f"{room}."
    rows = dict(Switch.objects.filter(key__startswith=prefix).values_list("key", "value"))
    good = {key: value for key, value in rows.items() if _usable(key, value)}
    return {
        key: good.get(f"{key}@{world}", good.get(key, said.default))
        for key, said in SWITCHES.items()
        if key.startswith(prefix)
    }


def forget() -> None:
    """The next reader asks the database."""
    global _read_at_s, _values_known
    _read_at_s, _values_known = float("-inf"), False


@lru_cache(256)
def _declared(key: str) -> Declared:
    said = SWITCHES.get(base_of(key))
    if said is None:
        raise UnknownSwitch(f"There is no switch {key!r}. There are: {', '.join(sorted(SWITCHES))}.")
    if "@" in key and not said.per_world:
        raise UnknownSwitch(f"{key!r}: this switch stands for all worlds at once, not for one.")
    if len(key) > KEY_MOST:
        raise UnknownSwitch(f"{key!r} is longer than {KEY_MOST} characters: set it for all worlds.")
    return said


def checked(key: str, value: object) -> Value:
    """`value`, when the switch can take it. Raises UnknownSwitch or BadSwitchValue."""
    said = _declared(key)
    if type(value) is not type(said.default):
        wanted = {bool: "true or false", int: "a whole number", str: "a text"}[type(said.default)]
        raise BadSwitchValue(f"{key} takes {wanted}, not {value!r}.", pointer="/value")
    if type(value) is int and not said.least <= value <= said.most:
        raise BadSwitchValue(f"{key} takes {said.least} to {said.most}.", pointer="/value")
    if type(value) is str and len(value) > said.most:
        raise BadSwitchValue(f"{key} takes at most {said.most} characters.", pointer="/value")
    return value  # type: ignore[return-value]  it has the default's type


def _fresh() -> bool:
    return clock.monotonic_s() - _read_at_s < FRESH_S


def _read() -> None:
    """When the database does not answer, the last known values hold and the next reader tries again."""
    global _values, _values_known, _read_at_s  # noqa: PLW0603
    try:
        rows = dict(Switch.objects.values_list("key", "value"))
    except DatabaseError as error:
        _log.warning("switches.not_read", error=str(error))
        return
    # A row that an older or newer version wrote and this one cannot use counts as not set.
    _values = {key: value for key, value in rows.items() if _usable(key, value)}
    _values_known, _read_at_s = True, clock.monotonic_s()


def _usable(key: str, value: object) -> bool:
    said = SWITCHES.get(base_of(key))
    return said is not None and type(value) is type(said.default)
