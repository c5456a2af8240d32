"""S23, S25 and S26: what lies around: sockets, messages, secrets, headers."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads

from accounts.tokens import keyring
from ops.attack.stage import PASSWORD, Stage, in_thread
from ops.attack.tally import Tally, attack
from simgame import env
from simgame.kernel.broker import broker

PAGES = (
    "/",
    "/login/",
    "/register/",
    "/standings/",
    "/games/",
    "/help/",
    "/desk/",
    "/settings/",
    "/nothing-here/",
)


class Bait:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, (os.fspath(self.path),)


@attack("S23", "Nobody else speaks to the exchange, and background work is JSON and never unpickled.")
async def s23(stage: Stage, tally: Tally) -> None:
    for path in Path(settings.RUN_DIR).rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISSOCK(mode):
            guarded = any(not stat.S_IMODE(each.stat().st_mode) & 0o007 for each in (path, path.parent))
            tally.expect(guarded, f"everybody may speak to {path.name}: {stat.filemode(mode)}")
    accepted = broker().conf.accept_content
    tally.expect(set(accepted) == {"json"}, f"background work takes {accepted}")
    bait = Path(settings.HOME) / "bait"
    for kind in ("application/x-python-serialize", "pickle", "application/x-yaml"):
        try:
            loads(pickle.dumps(Bait(bait)), kind, "binary", accept=accepted)
            tally.expect(False, f"a message of {kind} was read")
        except ContentDisallowed:
            tally.expect(True, "")
    tally.expect(not bait.exists(), "a message ran code")


@attack(
    "S25",
    "No secret stands in a log, on an error page or in a file that others may read; keys rotate softly.",
)
async def s25(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("private")
    line = stage.line(**who.bearer)
    pages = []
    for path in (
        "/nothing",
        "/api/v1/nothing",
        "/v2/orders/x",
        "/api/v1/desk?portfolio=x",
        "/admin/x/",
        "/static/x.map",
    ):
        pages.append((path, (await line.ask("GET", path)).body))
        pages.append((path, (await line.ask("POST", path, b"{")).body))
    await line.ask("POST", "/api/v1/auth/token", {"username": who.player.username, "password": PASSWORD})
    await line.ask("POST", "/api/v1/auth/refresh", {"refresh": who.refresh})
    await stage.line(**who.key).ask("GET", "/v2/account")
    secrets = {"the secret key": settings.SECRET_KEY, "a password": PASSWORD, "an access token": who.access}
    secrets |= {"a refresh token": who.refresh, "a key's secret": who.key["apca_api_secret_key"]}
    secrets |= {"a private key": "PRIVATE KEY-----", "a traceback": "Traceback (most recent"}
    for name, secret in secrets.items():
        for path, body in pages:
            tally.expect(secret.encode() not in body, f"{name} stands on {path}")
        for log in stage.town.logs.glob("web.log") if stage.town and name != "a traceback" else ():
            tally.expect(secret not in log.read_text("utf-8", "replace"), f"{name} stands in {log.name}")
    for path in Path(settings.HOME, "keys").rglob("*"):
        if path.is_file():
            tally.expect(not stat.S_IMODE(path.stat().st_mode) & 0o077, f"others may read {path.name}")
    before = keyring.signer().kid
    await in_thread(_rotate)()
    said = await line.ask("GET", "/api/v1/auth/sessions")
    tally.expect(said.status == 200, f"a rotation of keys signed somebody out: {said.status}")
    tally.facts["keys"] = f"{before} and a newer one"


def _rotate() -> None:
    manage = [sys.executable, str(env.BASE_DIR / "manage.py"), "rotate_keys"]
    subprocess.run(
        manage, env={**os.environ, "SIMGAME_HOME": str(settings.HOME)}, check=True, capture_output=True
    )


@attack("S26", "Every page carries the headers and cookies that browsers need to protect it.")
async def s26(stage: Stage, tally: Tally) -> None:
    browser = await stage.browser(await stage.newcomer("looking"))
    for path in PAGES:
        said = await browser.ask("GET", path)
        policy = said.headers.get("content-security-policy", "")
        for needed in (
            "default-src 'self'",
            "object-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ):
            tally.expect(needed in policy, f"{path} lacks {needed} in its policy: {policy[:200]!r}")
        tally.expect(
            "unsafe-inline" not in policy and "unsafe-eval" not in policy, f"{path} allows inline scripts"
        )
        for name, value in {
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
        }.items():
            tally.expect(said.headers.get(name) == value, f"{path}: {name} is {said.headers.get(name)!r}")
        tally.expect(
            "server" not in said.headers or "/" not in said.headers["server"], f"{path} tells its version"
        )
    fresh = stage.line()
    await fresh.ask("GET", "/login/")
    form = f"csrfmiddlewaretoken={fresh.cookies['csrftoken']}&username=x&password=y".encode()
    said = await fresh.ask("POST", "/login/", form, content_type="application/x-www-form-urlencoded")
    for cookie in said.cookies:
        tally.expect("SameSite=Lax" in cookie, f"a cookie without SameSite: {cookie[:80]}")
    done = await in_thread(_checked)()
    tally.expect(done.returncode == 0, f"check --deploy: {done.stderr[-500:]}")


def _checked() -> subprocess.CompletedProcess[str]:
    manage = [sys.executable, str(env.BASE_DIR / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"]
    settings_ = {"SIMGAME_SECURE": "1", "SIMGAME_ALLOWED_HOSTS": "game.example"}
    return subprocess.run(
        manage, env={**os.environ, **settings_}, capture_output=True, text=True, check=False
    )
