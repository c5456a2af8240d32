"""Reading and turning switches. Every process sees a change within FRESH_S."""

from __future__ import annotations

from typing import Final, NamedTuple

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError, transaction

from simgame.kernel import clock
from simgame.switches.declared import SWITCHES, Declared, Value
from simgame.switches.errors import BadSwitchValue, UnknownSwitch
from simgame.switches.models import Switch, SwitchChange

FRESH_S: Final = 1.0
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
    """Every declared switch, by key."""
    rows = Switch.objects.in_bulk()
    return [
        Setting(key, rows[key].value, said.default, said.meaning, rows[key].updated_by)
        if key in rows
        else Setting(key, said.default, said.default, said.meaning)
        for key, said in sorted(SWITCHES.items())
    ]


def forget() -> None:
    """The next reader asks the database."""
    global _read_at_s, _values_known
    _read_at_s, _values_known = float("-inf"), False


def _declared(key: str) -> Declared:
    if key not in SWITCHES:
        raise UnknownSwitch(f"There is no switch {key!r}. There are: {', '.join(sorted(SWITCHES))}.")
    return SWITCHES[key]


def checked(key: str, value: object) -> Value:
    """`value`, when the switch can take it. Raises UnknownSwitch or BadSwitchValue."""
    said = _declared(key)
    if type(value) is not type(said.default):
        wanted = {bool: "true or false", int: "a whole number", str: "a text"}[type(said.default)]
        raise BadSwitchValue(f"{key} takes {wanted}, not {value!r}.", pointer="/value")
    if type(value) is int and not said.least <= value <= said.most:
        raise BadSwitchValue(f"{key} takes {said.least} to {said.most}.", pointer="/value")
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
    _values = {k: v for k, v in rows.items() if k in SWITCHES and type(v) is type(SWITCHES[k].default)}
    _values_known, _read_at_s = True, clock.monotonic_s()
