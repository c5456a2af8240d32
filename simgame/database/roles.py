"""The roles of the database, and which of them a process logs in as. Standard library only.

`DATABASE_URL` names the owner: it runs migrations and the commands of operators. From it each process of
the game derives a login of its own, whose password anybody who knows the owner's can work out, and nobody
who knows only it can turn back. An address that names one of the roles already is used as it is.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

PREFIX: Final = "simgame_"
WEB: Final = "simgame_web"  # serves players: its rows are walled, and the books are read-only to it
EXCHANGE: Final = "simgame_exchange"  # writes the books
WORKER: Final = "simgame_worker"  # feed, checker, background work
LOGINS: Final = (WEB, EXCHANGE, WORKER)
HOUSE: Final = "simgame_house"  # a group: who is in it sees every row
READER: Final = "simgame_reader"  # a group: reads everything and writes nothing (backups, a person who looks)

_OF_COMMAND: Final = {
    "run_exchange": EXCHANGE,
    "run_feed": WORKER,
    "run_checker": WORKER,
    "runserver": WEB,
}


def of_process(argv: Sequence[str], *, serves: bool) -> str:
    """The login of the process with this command line; "" is the owner's. `serves`: it answers HTTP."""
    if serves:
        return WEB
    program, *words = argv
    if "celery" in (Path(program).name, Path(program).parent.name):
        return WORKER
    return _OF_COMMAND.get(words[0], "") if words else ""


def url(owners: str, login: str) -> str:
    """The address for `login`, made from the owner's."""
    parts = urlsplit(owners)
    user = unquote(parts.username or "")
    if not login or user.startswith(PREFIX):
        return owners
    secret = password(unquote(parts.password or ""), login)
    _, at, host = parts.netloc.rpartition("@")
    credentials = f"{login}:{quote(secret, safe='')}" if secret else login
    return urlunsplit(parts._replace(netloc=f"{credentials}@{host if at else parts.netloc}"))


def password(owners: str, login: str) -> str:
    """Of a login; "" where the owner needs none either."""
    if not owners:
        return ""
    return hmac.new(owners.encode(), f"simgame database login {login}".encode(), hashlib.sha256).hexdigest()
