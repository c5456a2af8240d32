"""`manage.py play`: services, database, world, then all processes under one supervisor."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
import webbrowser
from collections.abc import Sequence

from simgame import children, env
from simgame.embedded import Embedded, ServiceFailed
from simgame.env import STATE
from simgame.supervisor import GaveUp, Supervisor

from . import extras, request
from .progress import Progress, SetupFailed
from .readiness import Readiness
from .request import ANY_ADDRESS, Request

BACKLOG = 2_048  # who may wait to be let in: Twisted's 50 leave a crowd that comes back to TCP's retries


def play(options: argparse.Namespace, progress: Progress) -> int:
    home = env.home()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        with request.only_game(home):
            asked = request.checked(options, home, progress)
            services = Embedded(home)
            if options.reset:
                request.begin_anew(services, options.yes, progress)
            extras.install_browser_libraries(progress, home)
            extras.pack_pages(progress, home)
            extras.compile_translations(progress)
            _run(asked, services, progress)
    except (ServiceFailed, GaveUp) as failure:
        raise SetupFailed(str(failure)) from failure
    return 0


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _run(asked: Request, services: Embedded, progress: Progress) -> None:
    started = time.monotonic()
    with progress.step("PostgreSQL and Valkey"):
        services.start()
    try:
        environment = _environment(asked)
        _prepare_data(asked.world, environment)
        _write_state(asked)
        supervisor = Supervisor(
            programs(asked),
            environment=environment,
            folder=env.BASE_DIR,
            services=services,
            output=sys.stdout,
        )
        readiness = Readiness(
            asked.browser_host,
            asked.port,
            on_ready=lambda: _announce(asked, time.monotonic() - started, progress),
            on_delay=supervisor.say,
        )
        supervisor.run(on_tick=readiness.look)
    finally:
        with progress.step("Stopped"):
            services.stop()


def _environment(asked: Request) -> dict[str, str]:
    defaults = {
        "DJANGO_SETTINGS_MODULE": "simgame.settings",
        "SIMGAME_ALLOWED_HOSTS": ",".join(_names_of(asked.host)),
        "MALLOC_ARENA_MAX": "2",  # glibc gives every thread an arena of its own: memory for nothing
    }
    made = {**defaults, **os.environ, "SIMGAME_WORLD": asked.world, "PYTHONUNBUFFERED": "1"}
    env.keep_bytecode(made, env.home())
    return made


def _names_of(host: str) -> list[str]:
    """The names under which browsers may call us: our own, and on all addresses the machine's."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if host in ANY_ADDRESS:
        name = socket.gethostname()
        try:
            return [*names, name, *socket.gethostbyname_ex(name)[2]]
        except OSError:
            return [*names, name]
    return names if host in names else [*names, f"[{host}]" if ":" in host else host]


def _prepare_data(world: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "simgame.bootstrap.data", "--world", world]
    process = children.spawn(command, cwd=env.BASE_DIR, env=environment)
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
    if code:
        raise SetupFailed("The database could not be made ready: the lines above say why.")


def programs(asked: Request) -> dict[str, Sequence[str]]:
    """Every process of the game in starting order."""
    python = sys.executable
    manage = [python, str(env.BASE_DIR / "manage.py")]
    timetable = asked.home / "celery" / "beat"
    for folder in (timetable.parent, asked.home / "static"):  # WhiteNoise warns when its folder is missing
        folder.mkdir(exist_ok=True)
    worker = [python, "-m", "celery", "--quiet", "-A", "simgame.celery", "worker", "--pool", "solo", "--beat"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
    return {
        "feed": [*manage, "run_feed", "--world", asked.world],
        "exchange": [*manage, "run_exchange", "--world", asked.world],
        "web": [python, "-m", *web_server(asked.server, asked.host, asked.port)],
        "checker": [*manage, "run_checker"],
        "worker": [*worker, "--schedule", str(timetable), *quiet],
    }


def web_server(server: str, host: str, port: int) -> list[str]:
    """The module to run and what it is told."""
    if server == "daphne":
        quiet = ["-v", "0", "--no-server-name"]
        where = host.strip("[]").replace(":", r"\:")
        endpoint = f"tcp:port={port}:interface={where}:backlog={BACKLOG}"
        return ["daphne", "-e", endpoint, *quiet, "simgame.asgi:application"]
    return ["simgame.web", "--host", host, "--port", str(port)]


def _write_state(asked: Request) -> None:
    draft = asked.home / f"{STATE}.draft"
    draft.write_text(
        json.dumps({"pid": os.getpid(), "address": asked.address, "world": asked.world}), encoding="utf-8"
    )
    draft.replace(asked.home / STATE)


def _announce(asked: Request, seconds: float, progress: Progress) -> None:
    line = "─" * (len(asked.address) + 24)
    title = progress.paint("SimGame is ready", "bold")
    progress.say(f"\n  {line}\n   {title}   {progress.paint(asked.address, 'green')}")
    progress.say(f"   world {asked.world}, after {seconds:.1f} s; Ctrl-C stops it\n  {line}\n")
    if asked.opens_browser and _has_screen():
        webbrowser.open(asked.address)


def _has_screen() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
