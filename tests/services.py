"""PostgreSQL and Valkey for the tests: started once a session, fast and careless with its data.

Fixtures for every room:

- `services` (automatic): both servers run. `DATABASE_URL` and `REDIS_URL`, when set, are used instead.
- `child_env`: the environment for a process that a test starts and that works on the test database.
  Use it with `@pytest.mark.django_db(transaction=True)`: a child sees committed rows only.
- `chromium`: path of a real Chromium; without one the test is skipped, and the run says so aloud.
- `recordings`: the folder of real recordings beside the checkout; without it the test is skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db.models.signals import post_migrate

from simgame.embedded import Embedded, ServiceFailed
from tests.database.base import close_all


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[Embedded]:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    pair = Embedded(settings.HOME, durable=False)
    try:
        pair.start()
    except ServiceFailed as failure:
        pytest.exit(str(failure), returncode=1)
    yield pair
    pair.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    services: Embedded, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """pytest-django's hook in front of creating the test database: the server must run by then."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """What `migrate` makes afterwards (content types, permissions) is made once, and no flush empties it.

    At the end the connections of threads that tests have left behind are closed: Django closes those of the
    main thread, and PostgreSQL drops no database that somebody still uses.
    """
    post_migrate.receivers.clear()
    post_migrate.sender_receivers_cache.clear()
    yield
    with django_db_blocker.unblock():
        close_all()


@pytest.fixture
def child_env(transactional_db: None) -> dict[str, str]:
    name = settings.DATABASES["default"]["NAME"]
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "simgame.settings",
        "SIMGAME_HOME": str(settings.HOME),
        "DATABASE_URL": urlunsplit(urlsplit(settings.TEST_SERVER_URL)._replace(path=f"/{name}")),
        "REDIS_URL": settings.TEST_REDIS_URL,
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(scope="session")
def recordings() -> Path:
    folder = settings.BASE_DIR.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real recordings are not there: {folder} is missing")
    return folder
