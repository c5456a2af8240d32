"""Each client's spelling of the same server."""

from pathlib import Path

import pytest

from simgame import embedded
from simgame.bootstrap.play import web_server


@pytest.mark.parametrize(
    ("given", "second", "celery"),
    [
        ("unix:///a/b.sock", "unix:///a/b.sock?db=1", "redis+socket:///a/b.sock?virtual_host=2"),
        (
            "unix://:pw@/a/b.sock?db=0",
            "unix://:pw@/a/b.sock?db=1",
            "redis+socket://:pw@/a/b.sock?virtual_host=2",
        ),
        ("redis://cache:6379/0", "redis://cache:6379/1", "redis://cache:6379/2"),
        ("rediss://u:p@cache:6379", "rediss://u:p@cache:6379/1", "rediss://u:p@cache:6379/2"),
    ],
)
def test_one_redis_has_many_databases(given: str, second: str, celery: str):
    assert embedded.redis_database(given, 1) == second
    assert embedded.celery_url(given) == celery


def test_a_database_url_keeps_its_options():
    entry = embedded.django_database("postgresql://al%40ice:s%2Fcret@db.example:6432/game?sslmode=require")
    assert (entry["NAME"], entry["USER"], entry["PASSWORD"]) == ("game", "al@ice", "s/cret")
    assert (entry["HOST"], entry["PORT"]) == ("db.example", "6432")
    assert entry["OPTIONS"]["sslmode"] == "require"
    assert entry["CONN_MAX_AGE"] == 0


def test_the_embedded_database_is_a_socket_folder(tmp_path: Path):
    entry = embedded.django_database(embedded.database_url(tmp_path))
    assert entry["HOST"] == str(embedded.run_dir(tmp_path) / "db")
    assert (entry["NAME"], entry["USER"]) == ("postgres", "simgame")


def test_another_kind_of_database_is_refused():
    with pytest.raises(SystemExit, match="scheme 'mysql' cannot be used"):
        embedded.django_database("mysql://db/game")


@pytest.mark.parametrize(
    ("host", "interface"), [("127.0.0.1", "127.0.0.1"), ("::1", r"\:\:1"), ("[::1]", r"\:\:1")]
)
def test_daphne_lets_a_crowd_wait_at_the_door(host: str, interface: str):
    """Twisted would let 50 wait; the others of 2,000 who come back at once tried again for a minute."""
    [endpoint] = [word for word in web_server("daphne", host, 8000) if word.startswith("tcp:")]
    assert endpoint == f"tcp:port=8000:interface={interface}:backlog=2048"
