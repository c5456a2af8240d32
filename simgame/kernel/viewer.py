"""Who looks at the database now: what row-level security asks, carried by the context of the code.

The web's own role sees the rows of one player at a time, and of nobody while nobody is set. The engine
`simgame.database` tells PostgreSQL with the next statement; processes of other roles (exchange, worker,
owner) are told nothing and see what their role may see. Which rows are whose: simgame/database/wall.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

NOBODY: Final = ""
DOOR: Final = "door"
HOUSE: Final = "house"


class _Request:
    """Who sent it, once that is known. One object for all threads and tasks that work on the request."""

    __slots__ = ("door", "who")

    def __init__(self, door: bool):
        self.who, self.door = NOBODY, door


_request: ContextVar[_Request | None] = ContextVar("viewer_request", default=None)
_scope: ContextVar[str | None] = ContextVar("viewer_scope", default=None)


def now() -> str | None:
    """A player's number, DOOR, HOUSE or NOBODY; a number and DOOR where a player is at the door. None outside
    of every scope, which the web treats as nobody."""
    scope = _scope.get()
    if scope is not None:
        return scope
    request = _request.get()
    if request is None:
        return None
    return f"{request.who} {DOOR}" if request.door and request.who != HOUSE else request.who


class request:  # noqa: N801  reads as the others do; a class, because every order passes here
    """A request or a message of a socket: nobody looks until somebody has proved who they are.

    `at_the_door`: at an address where people sign in, accounts are open until its end.
    """

    __slots__ = ("_before", "_door")

    def __init__(self, *, at_the_door: bool = False):
        self._door = at_the_door

    def __enter__(self) -> None:
        self._before = _request.set(_Request(self._door))

    def __exit__(self, *failed: object) -> None:
        _request.reset(self._before)


def become(player_id: int) -> None:
    """From here to the end of this request they look. Outside of a request it changes nothing."""
    if (request := _request.get()) is not None:
        request.who = str(int(player_id))


def enter_house() -> None:
    """As `house`, to the end of this request: the pages of staff."""
    if (request := _request.get()) is not None:
        request.who = HOUSE


@contextmanager
def player(player_id: int) -> Iterator[None]:
    """Reads on behalf of one player."""
    with _seen_as(str(int(player_id))):
        yield


@contextmanager
def door() -> Iterator[None]:
    """Finding out who somebody is: opens the rows of accounts, and none that hold money or orders."""
    with _seen_as(DOOR):
        yield


@contextmanager
def house() -> Iterator[None]:
    """The whole house, after the caller has been found to be staff or a game's host, or for a figure
    that says nothing of anybody. `tests/house` lists the places."""
    with _seen_as(HOUSE):
        yield


@contextmanager
def _seen_as(who: str) -> Iterator[None]:
    before = _scope.set(who)
    try:
        yield
    finally:
        _scope.reset(before)
