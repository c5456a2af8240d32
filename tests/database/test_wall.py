"""The wall between players stands in PostgreSQL: it holds when a query of ours forgets to ask whose."""

from __future__ import annotations

import pytest
from django.core.management import CommandError
from django.db import DatabaseError, connection, transaction

from accounts.models import ApiKey, Player
from simgame.database import roles, wall
from simgame.kernel import viewer
from tests.exchange import street
from trading.models import Balance, Game, JournalNote, Participant, Portfolio, Rank

pytestmark = pytest.mark.django_db(transaction=True)

# Not from the code that builds the wall: whatever names a player or a portfolio, by column or by key.
SOMEBODYS = """
SELECT DISTINCT c.relname, c.relrowsecurity, c.relforcerowsecurity
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
  LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
   AND k.confrelid IN ('accounts_player'::regclass, 'trading_portfolio'::regclass)
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
   AND (k.oid IS NOT NULL OR a.attname ~ '^(portfolio|player|user|actor|owner)(_id)?s?$'
        OR a.attname ~ '(^|_)account$' OR c.relname = 'accounts_player')"""
FORBIDDEN = "42501"  # insufficient_privilege


@pytest.fixture
def two() -> tuple[Portfolio, Portfolio]:
    """Alice and Bob, each with a portfolio, a note and a key; Alice keeps a private game too."""
    world = street.make_world()
    game = Game.objects.get(season=True, world=world)
    made = []
    for name in ("Alice", "Bob"):
        player = Player.objects.create(username=name)
        portfolio = Portfolio.objects.create(player=player, game=game)
        JournalNote.objects.create(portfolio=portfolio, text=f"{name}'s")
        ApiKey.objects.create(key_id=f"SG{name}", player=player, portfolio_id=portfolio.pk, secret_hash=b"x")
        Balance.objects.create(account=portfolio.pk, asset="USD", posted=1)
        Rank.objects.create(
            portfolio=portfolio, game=game, rank=1, equity=1, day_start_equity=1, at="2026-11-02T00:00:00Z"
        )
        made.append(portfolio)
    first = Game.objects.get(pk=game.pk)
    first.pk, first.slug, first.season, first.host = None, "private-1", False, made[0].player
    first.save(force_insert=True)
    return made[0], made[1]


def seen() -> dict[str, int]:
    return {
        model.__name__: model.objects.count() for model in (Portfolio, JournalNote, ApiKey, Balance, Player)
    }


def test_every_table_with_somebodys_rows_is_walled() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SOMEBODYS)
        found = cursor.fetchall()
    assert len(found) > 20
    assert [table for table, enabled, forced in found if not (enabled and forced)] == []


def test_the_webs_role_owns_nothing_and_bypasses_nothing() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolcanlogin, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,"
            " EXISTS (SELECT 1 FROM pg_class WHERE relowner = r.oid),"
            " EXISTS (SELECT 1 FROM pg_auth_members WHERE member = r.oid)"
            " FROM pg_roles r WHERE rolname = %s",
            [roles.WEB],
        )
        assert cursor.fetchall() == [(True, False, False, False)]


def test_each_player_sees_their_own_rows_and_nobody_sees_none(two: tuple[Portfolio, Portfolio]) -> None:
    alice, bob = two
    mine = dict.fromkeys(("Portfolio", "JournalNote", "ApiKey", "Balance", "Player"), 1)
    for portfolio in two:
        with viewer.player(portfolio.player_id):
            assert seen() == mine
            assert JournalNote.objects.get().portfolio_id == portfolio.pk
    with viewer.request():
        assert set(seen().values()) == {0}
        viewer.become(bob.player_id)
        assert seen() == mine
        assert not JournalNote.objects.filter(portfolio=alice).update(text="Bob was here")
        assert not JournalNote.objects.filter(portfolio=alice).delete()[0]
        assert not Game.objects.filter(slug="private-1").exists()
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            JournalNote.objects.create(portfolio=alice, text="in her name")
    with viewer.player(alice.player_id):
        assert Game.objects.filter(slug="private-1").exists()
    with viewer.door():
        assert seen() == {"Portfolio": 0, "JournalNote": 0, "ApiKey": 2, "Balance": 0, "Player": 2}


def test_what_is_public_is_seen_by_everybody(two: tuple[Portfolio, Portfolio]) -> None:
    with viewer.request():
        assert Rank.objects.count() == 2
        assert sorted(Participant.objects.values_list("username", flat=True)) == ["Alice", "Bob"]
        assert not Rank.objects.update(rank=2)


def test_who_looks_is_said_anew_when_it_may_have_been_undone(two: tuple[Portfolio, Portfolio]) -> None:
    """A rollback takes back what the connection was told; a failed statement too; a scope ends."""
    alice, bob = two
    with viewer.request():
        viewer.become(alice.player_id)
        with transaction.atomic():
            with viewer.player(bob.player_id):
                assert JournalNote.objects.get().text == "Bob's"
            transaction.set_rollback(True)
        assert JournalNote.objects.get().text == "Alice's"
        with transaction.atomic():
            with viewer.player(bob.player_id), pytest.raises(DatabaseError), transaction.atomic():
                JournalNote.objects.create(portfolio=alice, text="no")
            assert JournalNote.objects.get().text == "Alice's"
        rows = JournalNote.objects.iterator(chunk_size=1)  # a cursor of the server's
        assert [row.text for row in rows] == ["Alice's"]
        JournalNote.objects.bulk_create([JournalNote(portfolio=alice, text=f"{n}") for n in range(3)])
    with connection.cursor() as cursor, viewer.request():
        for said in ("", "0", "nobody", "-1", "1 OR true", "99999999999999999999"):
            cursor.execute(f"SET simgame.viewer TO '{said}'")
            cursor.execute("SELECT count(*) FROM trading_journalnote")
            assert cursor.fetchone() == (0,), said


def test_the_web_reads_the_books_and_writes_none(two: tuple[Portfolio, Portfolio]) -> None:
    for statement in (
        "UPDATE trading_balance SET posted = 1000000",
        "DELETE FROM trading_order",
        "INSERT INTO trading_transfer SELECT * FROM trading_transfer",
        "DELETE FROM accounts_auditentry",
        "TRUNCATE trading_journalnote",
        "ALTER TABLE trading_journalnote DISABLE ROW LEVEL SECURITY",
        "DROP POLICY web ON trading_journalnote",
        "SET ROLE simgame_exchange",
        "COPY trading_balance TO PROGRAM 'cat'",
        "CREATE TABLE mine (a int)",
    ):
        # In production the web logs in as this role; here the test's login has put it on.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET SESSION AUTHORIZATION {roles.WEB}; SET simgame.viewer TO 'house'")
            with pytest.raises(DatabaseError) as refused:
                cursor.execute(statement)
            transaction.set_rollback(True)
        assert refused.value.__cause__.sqlstate == FORBIDDEN, statement


def test_an_owner_who_may_make_no_roles_is_told_what_to_ask_for(two: tuple[Portfolio, Portfolio]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE ROLE plain_owner")
        cursor.execute("SET LOCAL ROLE plain_owner")
        with pytest.raises(CommandError) as told, transaction.atomic():
            wall.build()
        transaction.set_rollback(True)
    assert 'GRANT simgame_house TO "plain_owner";' in str(told.value)
    assert "docs/security.md" in str(told.value)


def test_each_process_logs_in_as_its_own_role() -> None:
    owners = "postgresql://owner:secret@db:5432/game?sslmode=require"
    for words, serves, login in (
        (["manage.py", "run_exchange", "--world", "seeded"], False, roles.EXCHANGE),
        (["/x/celery/__main__.py", "worker"], False, roles.WORKER),
        (["manage.py", "migrate"], False, ""),
        (["/x/bin/daphne", "simgame.asgi:application"], True, roles.WEB),
    ):
        assert roles.of_process(words, serves=serves) == login
    assert roles.url(owners, "") == owners
    made = roles.url(owners, roles.WEB)
    assert (
        made == f"postgresql://simgame_web:{roles.password('secret', roles.WEB)}@db:5432/game?sslmode=require"
    )
    assert roles.url(made, roles.EXCHANGE) == made, "an address that names a role is used as it is"
    assert roles.url("postgresql://me@/postgres?host=%2Frun", roles.WEB) == (
        "postgresql://simgame_web@/postgres?host=%2Frun"
    )


def test_when_others_have_taken_all_connections_the_exchange_still_gets_one() -> None:
    allowed = "SELECT pg_has_role(%s, 'pg_use_reserved_connections', 'USAGE')"
    with connection.cursor() as cursor:
        cursor.execute("SHOW reserved_connections")
        assert int(cursor.fetchone()[0]) > 0
        for login, may in ((roles.EXCHANGE, True), (roles.WEB, False), (roles.WORKER, False)):
            cursor.execute(allowed, [login])
            assert cursor.fetchone() == (may,), login
