"""S13 and S14: two walls between players, each tried without the other."""

from __future__ import annotations

from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from ops.attack.stage import Stage, in_thread
from ops.attack.strangers import Belongings, belongings, leaks
from ops.attack.tally import Tally, attack
from simgame.database import roles

WALLED = """
SELECT c.relname, EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'public')
  FROM pg_class c
 WHERE c.relrowsecurity AND c.relforcerowsecurity AND c.relnamespace = 'public'::regnamespace"""
# What may run as the owner: the trigger that makes the audit trail's chain, and takes no argument; the
# time of a command, which says nothing of whose it was.
GONE = """
SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace
   AND prorettype <> 'trigger'::regtype AND proname <> 'simgame_command_at'"""
VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = 'public' AND viewname <> 'trading_participant'"
UNSET = (
    "RESET simgame.viewer",
    *(
        f"SET simgame.viewer TO '{who}'"
        for who in ("", "0", "x", "1 OR true", "-1", "00", "999999999999999999")
    ),
)


@attack("S13", "As the web's role PostgreSQL shows no row while nobody looks, and no row of others to Bob.")
async def s13(stage: Stage, tally: Tally) -> None:
    await in_thread(_in_sql)(stage, tally)


def _in_sql(stage: Stage, tally: Tally) -> None:
    with as_web() as link:
        tables = link.execute(WALLED).fetchall()
        tally.expect(len(tables) > 20, f"only {len(tables)} tables are walled")
        for said in UNSET:
            link.execute(said)
            for table, public in tables:
                if table == "trading_game" or public:
                    continue  # public games, the standings
                rows = link.execute(f"SELECT count(*) FROM {table}").fetchone()
                tally.expect(rows == (0,), f"{said}: {rows} rows of {table}")
                with link.cursor() as cursor, cursor.copy(f"COPY {table} TO STDOUT") as copied:
                    tally.expect(
                        not b"".join(bytes(part) for part in copied), f"{said}: COPY {table} gives rows"
                    )
        link.execute(f"SET simgame.viewer TO '{stage.bob.player.pk}'")
        for table, column, of in OTHERS:
            mine = stage.bob.portfolio if of == "portfolio" else stage.bob.player.pk
            rows = link.execute(f"SELECT count(*) FROM {table} WHERE {column} <> {mine}").fetchone()
            tally.expect(rows == (0,), f"Bob sees {rows} rows of others in {table}")
        for probe in (GONE, VIEWS):
            tally.expect(
                not link.execute(probe).fetchall(), f"a way past the wall: {link.execute(probe).fetchall()}"
            )
        for forbidden in FORBIDDEN:
            tally.expect(_is_refused(link, forbidden), f"the web's role may {forbidden}")


FORBIDDEN = (
    "SET ROLE simgame_exchange",
    "SET row_security = off; SELECT 1 FROM trading_order LIMIT 1",
    "UPDATE trading_balance SET posted = 1",
    "CREATE TABLE x (a int)",
    "ALTER TABLE trading_order NO FORCE ROW LEVEL SECURITY",
)
OTHERS = (
    ("trading_order", "portfolio_id", "portfolio"), ("trading_fill", "portfolio_id", "portfolio"),
    ("trading_position", "portfolio_id", "portfolio"), ("trading_balance", "account", "portfolio"),
    ("trading_accountevent", "portfolio_id", "portfolio"), ("trading_command", "portfolio_id", "portfolio"),
    ("trading_journalnote", "portfolio_id", "portfolio"), ("trading_portfolio", "id", "portfolio"),
    ("accounts_player", "id", "player"), ("accounts_login", "player_id", "player"),
    ("accounts_apikey", "player_id", "player"),
)  # fmt: skip


def as_web() -> psycopg.Connection[Any]:
    database = settings.DATABASES["default"]
    address = roles.url(settings.DATABASE_URL, roles.WEB)
    return psycopg.connect(address, dbname=database["NAME"], autocommit=True)


def _is_refused(link: psycopg.Connection[Any], statement: str) -> bool:
    try:
        link.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    finally:
        link.execute("RESET ALL")
    return False


@attack("S14", "A web server whose every query forgets its owner still gives Bob nothing of Alice's.")
async def s14(stage: Stage, tally: Tally) -> None:
    if stage.town is None:
        return  # tests/api/test_strangers.py does it inside the suite
    whole = stage.port
    async with stage.another_web("ops.attack.forgetful") as port:
        stage.port = port
        try:
            await _forgotten(stage, tally, whole)
        finally:
            stage.port = whole


async def _forgotten(stage: Stage, tally: Tally, whole: int) -> None:
    line = stage.line(**stage.bob.bearer)
    hers = await _hers_at(stage, whole)
    schema = await sync_to_async(SchemaGenerator().get_schema)(request=None, public=True)
    for pair in hers.pairs(schema):
        if "/games/" in pair.hers or "{key}" in pair.hers:
            continue  # a game's host is asked of the row itself, not of the query
        said = await line.ask(pair.method, pair.hers, pair.body)
        told = leaks(said, hers, pair.hers)
        tally.expect(
            not 200 <= said.status < 300 and not told,
            f"{pair.method} {pair.hers}: {said.status} {told}",
        )
    for path in schema["paths"]:
        if "{" not in path:
            said = await line.ask("GET", path)
            tally.expect(not leaks(said, hers, path), f"GET {path} tells {leaks(said, hers, path)}")


async def _hers_at(stage: Stage, port: int) -> Belongings:
    here, stage.port = stage.port, port
    try:
        return await belongings(stage, await stage.newcomer("alice-too"))
    finally:
        stage.port = here
