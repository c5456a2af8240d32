"""The test session itself: a home and services of its own."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db import connection


@pytest.mark.django_db
def test_it_runs_on_postgresql_and_on_a_home_of_its_own():
    assert connection.vendor == "postgresql"
    assert settings.HOME.parent.name == "test"
    assert str(settings.JWT_KEY_DIR).startswith(str(settings.HOME))


def test_the_cache_is_a_real_valkey():
    cache.set("word", "kept", 5)
    assert cache.get("word") == "kept"


@pytest.mark.django_db(transaction=True)
def test_a_child_process_sees_what_the_test_committed(child_env):
    get_user_model().objects.create(username="alice")
    count = "import django; django.setup(); from accounts.models import Player; print(Player.objects.count())"
    done = subprocess.run(
        [sys.executable, "-c", count],
        cwd=settings.BASE_DIR,
        env=child_env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip() == "1", done.stderr


def test_a_second_session_would_take_another_slot():
    claim = "from tests import slot; print(slot.claim())"
    home = settings.HOME.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", claim],
        cwd=settings.BASE_DIR,
        env={**os.environ, "SIMGAME_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() != str(settings.HOME)
