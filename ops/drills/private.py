"""A drill in a home of its own: services, a seeded world, its processes. Nothing of ours is touched."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from accounts import keys
from accounts.models import Player
from market import worlds
from market.models import World
from ops.chaos.town import InVain, Town, wait_for
from simgame import env
from simgame.embedded import Embedded
from trading import games
from trading.exchange.client import ask_sync
from trading.exchange.wire import Status

MOVED = "SIMGAME_DRILL_HOME"
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "SIMGAME_FAILPOINTS", "SIMGAME_WORLD")
SETTINGS = {
    "SIMGAME_ORDER_RATE": "1000000",
    "SIMGAME_REQUEST_RATE": "1000000",
    "SIMGAME_ADDRESS_RATE": "1000000",
    "SIMGAME_LOG_LEVEL": "WARNING",
    "PYTHONUNBUFFERED": "1",
}


def move(words: list[str]) -> None:
    """Run `manage.py <words>` again with a home of its own: settings are read once, when a process starts.

    Returns in the process that has moved already.
    """
    if os.environ.get(MOVED) == str(settings.HOME):
        return
    home = Path(tempfile.mkdtemp(prefix="simgame-drill-"))
    home.chmod(0o755)  # PostgreSQL may run as another user
    clean = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    clean |= SETTINGS | {"SIMGAME_HOME": str(home), MOVED: str(home)}
    clean["DJANGO_SETTINGS_MODULE"] = "simgame.settings"
    os.execve(sys.executable, [sys.executable, str(env.BASE_DIR / "manage.py"), *words], clean)


@contextmanager
def town(*programs: str) -> Iterator[tuple[Town, World]]:
    """The seeded world with these processes; afterwards nothing is left, save the logs of a failure."""
    with ExitStack() as stack:
        services = stack.enter_context(Embedded(settings.HOME, durable=True))
        place = Town(settings.HOME, dict(os.environ), services)
        stack.callback(place.close)
        stack.callback(connections.close_all)
        call_command("migrate", verbosity=0, skip_checks=True)
        world = worlds.ensure("seeded")
        place.world = world.slug
        for name in programs:
            place.start(name)
        wait_for(lambda: ask_sync(world.number, Status()).result.get("tick_seq"), "a serving exchange")
        yield place, world
    Embedded(settings.HOME).wipe()
    shutil.rmtree(settings.HOME, ignore_errors=True)


def player(world: World, name: str) -> dict[str, Any]:
    """Somebody with a portfolio in the Season and the headers that speak for it. Raises InVain."""
    who = Player.objects.create(username=name)
    portfolio = games.join(who, games.ensure_season(world))
    if portfolio.status != "active":
        raise InVain(f"the exchange did not open the books of {name}")
    key, secret = keys.make(who.id, portfolio.id)
    headers = {"APCA-API-KEY-ID": key.key_id, "APCA-API-SECRET-KEY": secret}
    return {"portfolio": portfolio.id, "headers": headers}
