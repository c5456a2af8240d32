"""The game's settings with a part of the front door left out, for `bench cost` alone.

BENCH_WITHOUT names the parts: `auth` (pages believe the session's name), `rows` (the database is asked as its
owner), `memory` (who asks is found out anew each time). Refused outside of a bench's own home.
"""

from __future__ import annotations

import os

from django.core.exceptions import ImproperlyConfigured

from simgame import embedded
from simgame.settings import *  # noqa: F403
from simgame.settings import HOME, INSTALLED_APPS, MIDDLEWARE

WITHOUT = frozenset(os.environ.get("BENCH_WITHOUT", "").split(","))
if not HOME.name.startswith("simgame-bench-") or os.environ.get("DATABASE_URL"):
    raise ImproperlyConfigured("ops.load.cost_settings leaves protection out: only `bench cost` may use it.")

INSTALLED_APPS = [*INSTALLED_APPS, "ops.load.apps.CostConfig"]
if "rows" in WITHOUT:
    DATABASES = {"default": embedded.django_database(embedded.database_url(HOME))}
if "auth" in WITHOUT:
    FINDS_OUT = (
        "django.contrib.sessions.middleware.SessionMiddleware",
        "accounts.impersonation.middleware",
        "accounts.entrance.middleware",
    )
    BELIEVES = {"accounts.wall.AuthenticationMiddleware": "ops.load.cost_trust.middleware"}
    MIDDLEWARE = [BELIEVES.get(name, name) for name in MIDDLEWARE if name not in FINDS_OUT]
