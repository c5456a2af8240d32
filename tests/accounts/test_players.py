"""People join, come back, and keep what they began as guests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, connections, transaction

from accounts import audit, players
from accounts.errors import (
    BadCredentials,
    BadName,
    NameTaken,
    NotAGuest,
    RegistrationClosed,
    WeakPassword,
)
from accounts.models import AuditEntry, Player
from simgame.kernel.errors import Invalid, SimGameError
from simgame.switches import runtime
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["abc", "小明的家", "Zoë_3", "a.b-c", "x" * 24, "007"])
def test_it_takes_names_of_any_script(name: str) -> None:
    assert players.register(name, PASSWORD).username == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "x" * 25,
        "_abc",
        ".abc",
        "a b c",
        "abc\n",
        "abc\x00",
        "a<b>c",
        "abc\u202e",
        "abc@d",
        "Guest-77",
    ],
)
def test_it_refuses_names_that_would_mislead(name: str) -> None:
    with pytest.raises(BadName) as refusal:
        players.register(name, PASSWORD)
    assert refusal.value.pointer == "/username"


@pytest.mark.parametrize("name", ["alice", "ALICE", "Ａｌｉｃｅ"])
def test_it_refuses_alices_name_in_any_case_and_width(alice: Player, name: str) -> None:
    with pytest.raises(NameTaken):
        players.register(name, PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "password123", "x" * 1025])
def test_it_refuses_weak_passwords(password: str) -> None:
    with pytest.raises(WeakPassword) as refusal:
        players.register("Carol", password)
    assert refusal.value.pointer == "/password"
    assert not Player.objects.filter(username="Carol").exists()


def test_it_refuses_an_address_that_is_none() -> None:
    with pytest.raises(Invalid) as refusal:
        players.register("Carol", PASSWORD, email="carol at home")
    assert refusal.value.pointer == "/email"


def test_alice_comes_back_under_her_name_in_any_case(alice: Player) -> None:
    assert players.authenticate("aLICE", PASSWORD) == alice


@pytest.mark.parametrize(
    ("name", "password"),
    [("Alice", "wrong"), ("nobody", PASSWORD), ("Alice", ""), ("A\x00", "x"), ("A", "y" * 5000)],
)
def test_it_tells_nobody_what_was_wrong(alice: Player, name: str, password: str) -> None:
    with pytest.raises(BadCredentials) as refusal:
        players.authenticate(name, password)
    assert refusal.value.detail == BadCredentials().detail


def test_an_unknown_name_costs_as_many_hashes_as_a_wrong_password(
    alice: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    encode = "django.contrib.auth.hashers.MD5PasswordHasher.encode"
    original = __import__("django.contrib.auth.hashers", fromlist=["x"]).MD5PasswordHasher.encode
    monkeypatch.setattr(encode, lambda self, *a, **k: hashed.append("x") or original(self, *a, **k))
    work = []
    for name in ("Alice", "nobody"):
        hashed.clear()
        with pytest.raises(BadCredentials):
            players.authenticate(name, "wrong")
        work.append(len(hashed))
    assert work[0] == work[1] >= 1


def test_a_guest_keeps_everything_by_choosing_name_and_password() -> None:
    guest = players.start_guest()
    with pytest.raises(BadCredentials):
        players.authenticate(guest.username, "")
    kept = players.keep_guest(guest.pk, "Dora", PASSWORD)
    assert (kept.pk, kept.guest, kept.username) == (guest.pk, False, "Dora")
    assert players.authenticate("dora", PASSWORD).pk == guest.pk


def test_a_guest_stays_a_guest_when_the_name_is_taken(alice: Player) -> None:
    guest = players.start_guest()
    with pytest.raises(NameTaken):
        players.keep_guest(guest.pk, "alice", PASSWORD)
    guest.refresh_from_db()
    assert guest.guest


def test_alice_is_no_guest(alice: Player) -> None:
    with pytest.raises(NotAGuest):
        players.keep_guest(alice.pk, "Alice2", PASSWORD)


def test_nobody_joins_while_registration_is_closed() -> None:
    runtime.set_value("accounts.registration_open", False, "test")
    runtime.forget()
    for join in (lambda: players.register("Carol", PASSWORD), players.start_guest):
        with pytest.raises(RegistrationClosed):
            join()


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_want_one_name_at_once_exactly_one_gets_it() -> None:
    def attempt(n: int) -> str:
        try:
            return players.register("Eve" if n % 2 else "EVE", PASSWORD).username
        except SimGameError as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(attempt, range(10)))
    assert answers.count("NAME_TAKEN") == 9, answers


@pytest.mark.parametrize("sql", ["UPDATE {} SET action = 'no'", "DELETE FROM {}"])
def test_the_audit_trail_cannot_be_changed_or_deleted(alice: Player, sql: str) -> None:
    audit.record(alice.pk, "test.act", "x", fact=1)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        connection.cursor().execute(sql.format(AuditEntry._meta.db_table))
    assert AuditEntry.objects.filter(action="test.act", actor_id=alice.pk).count() == 1
