"""The embedded pair survives what happens to processes."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from simgame.embedded import Embedded, ServiceFailed, addresses, binaries
from simgame.embedded.identity import server_identity

from .processes import finish, is_running, python, said, wait_until

OWNER = """
import json, sys
from pathlib import Path
from simgame import children
from simgame.embedded import Embedded
if "no-kernel-bond" in sys.argv:
    children.KERNEL_BINDS, children._prctl = False, None
with Embedded(Path(sys.argv[1]), durable=False) as pair:
    print(json.dumps({"pids": list(pair.pids().values()), "url": pair.database_url}))
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose database folder exists already."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("REDIS_URL", raising=False)
        with Embedded(home):
            pass
        yield home
        Embedded(home).wipe()


def rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM kept").fetchone()
    assert found
    return found[0]


def test_it_starts_both_on_sockets_only_and_stops_them(initialised: Path):
    with Embedded(initialised) as pair:
        pids = list(pair.pids().values())
        with psycopg.connect(pair.database_url) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
        client = redis.Redis.from_url(pair.redis_url)
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.close()
    assert not any(map(is_running, pids))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and it is glibc that is told")
def test_a_session_keeps_the_memory_that_the_next_statement_needs(initialised: Path):
    """Given back after each batch, every page is asked for again with the next."""
    with Embedded(initialised) as pair, psycopg.connect(pair.database_url) as connection:
        session = connection.info.backend_pid
        words = ["x" * 100] * 10_000

        def ask(times: int) -> int:
            before = page_faults(session)
            for _ in range(times):
                connection.execute("SELECT count(*) FROM unnest(%s::text[])", [words])
            return page_faults(session) - before

        ask(20)
        assert ask(50) < 50 * 20, "a megabyte is 256 pages"


def page_faults(pid: int) -> int:
    """Without reading from disk."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[7])


def test_two_that_start_at_once_share_one_pair(initialised: Path):
    both = [python(OWNER, str(initialised)) for _ in range(2)]
    answers = [json.loads(said(process)) for process in both]
    assert answers[0]["url"] == answers[1]["url"]
    owned = [len(answer["pids"]) for answer in answers]
    assert sorted(owned) == [0, 2]
    for process in both if owned[0] == 0 else reversed(both):
        finish(process)


@pytest.mark.parametrize("bond", ["kernel-bond", "no-kernel-bond"])
def test_nothing_is_left_when_the_owner_is_killed(initialised: Path, bond: str):
    owner = python(OWNER, str(initialised), bond)
    pids = json.loads(said(owner))["pids"]
    owner.kill()
    owner.communicate()
    wait_until(lambda: not any(map(is_running, pids)), "both servers to end")
    with Embedded(initialised) as pair:  # at once, over whatever was left
        assert len(pair.pids()) == 2


def test_rows_are_kept_when_the_server_is_killed(initialised: Path):
    with Embedded(initialised) as pair:
        with psycopg.connect(pair.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
        os.kill(pair.pids()["PostgreSQL"], signal.SIGKILL)
        wait_until(lambda: not pair.alive(), "the death to be seen")
        pair.start()
        assert pair.alive()
        assert rows(pair.database_url) == 1000


def test_it_heals_valkey_too(initialised: Path):
    with Embedded(initialised) as pair:
        os.kill(pair.pids()["Valkey"], signal.SIGKILL)
        wait_until(lambda: not pair.alive(), "the death to be seen")
        pair.start()
        assert redis.Redis.from_url(pair.redis_url).ping()


def test_a_stale_pid_that_now_belongs_to_somebody_else_does_not_stop_it(initialised: Path):
    lock = addresses.place(initialised) / "postgres" / "data" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{lock.parent}\n", encoding="ascii")
    with Embedded(initialised) as pair:
        assert "PostgreSQL" in pair.pids()


def test_a_path_longer_than_a_socket_name_gets_a_short_folder(tmp_path: Path):
    home = tmp_path / ("long" * 38)
    with Embedded(home, durable=False) as pair:
        assert len(os.fsencode(addresses.socket_dir(home) / ".s.PGSQL.5432.lock")) < 104
        with psycopg.connect(pair.database_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    pair.wipe()
    assert not addresses.run_dir(home).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_as_root_a_private_folder_stays_private(tmp_path: Path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    identity = server_identity()
    assert identity
    with Embedded(private / "home", durable=False) as pair:
        assert addresses.place(private / "home").parent == addresses.ROOTS_PLACE
        owner = os.stat(f"/proc/{pair.pids()['PostgreSQL']}").st_uid
        assert owner == identity.uid != 0
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    pair.wipe()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another user")
def test_as_root_unreadable_binaries_are_copied_with_their_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(binaries, "readable", lambda path, identity: str(path).startswith("/var/lib/"))
    with Embedded(tmp_path / "home", durable=False) as pair:
        program = os.readlink(f"/proc/{pair.pids()['PostgreSQL']}/exe")
        assert program.startswith("/var/lib/simgame/bin-")
    pair.wipe()


def test_a_given_server_is_used_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://alice:secret@db.example:5432/game")
    monkeypatch.setenv("REDIS_URL", "redis://cache.example:6379/0")
    with Embedded(tmp_path) as pair:
        assert pair.pids() == {}
        assert pair.database_url == "postgresql://alice:secret@db.example:5432/game"
    assert list(tmp_path.iterdir()) == []


def test_it_says_in_one_sentence_that_there_is_no_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binaries, "_package", lambda name: None)
    monkeypatch.setattr(binaries, "SYSTEM_POSTGRES", tmp_path)
    monkeypatch.setattr(binaries.shutil, "which", lambda name: None)
    with pytest.raises(ServiceFailed, match=r"There is no PostgreSQL: .* or set DATABASE_URL"):
        Embedded(tmp_path / "home").start()
    Embedded(tmp_path / "home").wipe()


def test_data_of_another_version_is_refused_and_kept(initialised: Path):
    version = addresses.place(initialised) / "postgres" / "data" / "PG_VERSION"
    before = version.read_text(encoding="ascii")
    version.write_text("13\n", encoding="ascii")
    try:
        with pytest.raises(ServiceFailed, match="was written by PostgreSQL 13"):
            Embedded(initialised).start()
    finally:
        version.write_text(before, encoding="ascii")


def test_the_reason_is_that_of_this_start_not_of_an_older_one(initialised: Path):
    folder = addresses.place(initialised) / "postgres"
    with open(folder / "server.log", "ab") as log:
        log.write(b"FATAL:  something that went wrong yesterday\n")
    control = folder / "data" / "global" / "pg_control"
    control.rename(folder / "kept")
    try:
        with pytest.raises(ServiceFailed, match=r"PostgreSQL did not start: .*pg_control"):
            Embedded(initialised).start()
    finally:
        (folder / "kept").rename(control)


def test_a_server_that_does_not_start_says_why(initialised: Path):
    configuration = addresses.place(initialised) / "postgres" / "data" / "postgresql.conf"
    before = configuration.read_text(encoding="utf-8")
    configuration.write_text(before + "\nno_such_setting = 1\n", encoding="utf-8")
    try:
        with pytest.raises(ServiceFailed, match=r"PostgreSQL did not start: .*log: "):
            Embedded(initialised).start()
    finally:
        configuration.write_text(before, encoding="utf-8")
