"""Row-level security: which rows the web may see, on every table that has a portfolio or a player.

`build` runs after every `migrate` and makes what is missing: roles, grants, policies. The rules come from
the catalogue, so a new table of somebody's rows is walled without anybody remembering it: a column
`portfolio_id` means its owner's portfolios, `player_id` or `user_id` the player. What is neither is declared
in RULES; a table that names a player in another way and is not declared is closed to the web.

Row-level security is enabled and forced: it binds the owner too, who sees all as a member of `simgame_house`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from django.core.management import CommandError
from django.db import ProgrammingError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from simgame.database import roles

ME: Final = "(SELECT simgame_player())"
MINE: Final = "ANY (ARRAY(SELECT id FROM trading_portfolio WHERE player_id = (SELECT simgame_player())))"
AT_THE_DOOR: Final = "(SELECT simgame_sees('door'))"
IN_THE_HOUSE: Final = "(SELECT simgame_sees('house'))"


@dataclass(frozen=True)
class Rule:
    """`own`: the rows that the viewer may read and write. `public`: those that everybody may read."""

    own: str
    public: str = ""


RULES: Final[Mapping[str, Rule]] = {
    "accounts_player": Rule(f"id = {ME} OR {AT_THE_DOOR}"),
    "accounts_refreshtoken": Rule(f"{AT_THE_DOOR} OR login_id = ANY (ARRAY(SELECT id FROM accounts_login))"),
    "accounts_auditentry": Rule(f"actor_id = {ME}"),
    "trading_game": Rule(
        f"host_id IS NULL OR host_id = {ME} OR id = ANY (ARRAY(SELECT game_id FROM trading_portfolio))"
    ),
    "trading_rank": Rule(f"portfolio_id = {MINE}", public="true"),  # the standings
    "trading_balance": Rule(f"account = {MINE}"),
    "trading_transfer": Rule(f"debit_account = {MINE} OR credit_account = {MINE}"),
    "trading_break": Rule("false"),  # staff only
    "trading_proposal": Rule("false"),
}
BOOKS: Final = (  # only the exchange writes them
    "trading_order",
    "trading_fill",
    "trading_position",
    "trading_balance",
    "trading_transfer",
    "trading_ledgeraccount",
    "trading_command",
    "trading_heard",
    "trading_accountevent",
    "trading_actionentry",
    "trading_appliedaction",
    "trading_exchangelease",
)
OWNERS_ONLY: Final = ("django_migrations", "accounts_audithead")  # the chain's trigger runs as the owner
HISTORY: Final = (  # nobody of the game changes or deletes it: triggers refuse it too
    "trading_fill",
    "trading_transfer",
    "trading_command",
    "trading_heard",
    "trading_accountevent",
    "trading_actionentry",
    "accounts_auditentry",
    "switches_switchchange",
)
CHECKERS: Final = ("trading_reconciliation", "trading_checkerstate")  # written by checker and worker
_SCHEMA: Final = "public"

FUNCTIONS: Final = """
CREATE OR REPLACE FUNCTION simgame_player() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT substring(current_setting('simgame.viewer', true) from '^([0-9]{1,18})( door)?$')::bigint $$;
CREATE OR REPLACE FUNCTION simgame_sees(word text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(current_setting('simgame.viewer', true) LIKE '%' || word, false) $$;
-- When a command was applied, and nothing else of it: settlements touch many portfolios and belong to none.
CREATE OR REPLACE FUNCTION simgame_command_at(command bigint) RETURNS timestamptz LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path = public AS $$
BEGIN RETURN (SELECT c.at FROM trading_command c WHERE c.id = command); END $$;
"""
COLUMNS: Final = """
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attname),
       coalesce(array_agg(a.attname::text) FILTER (WHERE k.confrelid IS NOT NULL), '{}')
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum]
   AND k.confrelid IN (to_regclass('accounts_player'), to_regclass('trading_portfolio'))
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
 GROUP BY c.relname ORDER BY c.relname"""
STANDING: Final = """
SELECT c.relname, obj_description(p.oid, 'pg_policy') FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid
 WHERE p.polname = 'web' AND c.relrowsecurity AND c.relforcerowsecurity
   AND c.relnamespace = 'public'::regnamespace"""
ROLES: Final = """
SELECT rolname, rolcanlogin, rolsuper OR EXISTS (
  SELECT 1 FROM pg_auth_members m JOIN pg_roles house ON house.oid = m.roleid
   WHERE m.member = r.oid AND house.rolname = %s) FROM pg_roles r"""
# Where the owner may; PostgreSQL before 16 knows no such role. What it is for: docs/operators.md.
RESERVED: Final = f"""
DO $$ BEGIN GRANT pg_use_reserved_connections TO {roles.EXCHANGE};
EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
  RAISE NOTICE 'the exchange may use no reserved connection';
END $$"""
SAFE: Final = "INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


def walled(columns: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> dict[str, Rule]:
    """The rule of every table with somebody's rows. `columns`: all of a table's, and those that point at a
    player or a portfolio."""
    rules = {}
    for table, (names, pointing) in columns.items():
        door = "" if table.startswith(("trading_", "market_")) else f" OR {AT_THE_DOOR}"
        owner = next((name for name in ("player_id", "user_id") if name in pointing), "")
        if table in RULES:
            rules[table] = RULES[table]
        elif owner:
            rules[table] = Rule(f"{owner} = {ME}{door}")
        elif "portfolio_id" in names:
            rules[table] = Rule(f"portfolio_id = {MINE}{door}")
        elif pointing:
            rules[table] = Rule("false")
    return rules


def build(using: str = "default", **_: Any) -> None:
    """Make roles, grants and policies as they should be. Idempotent. Raises CommandError, with the SQL for an
    administrator, where the owner may not make roles."""
    connection = connections[using]
    if connection.settings_dict["USER"].startswith(roles.PREFIX):
        return  # a login of the game: only the owner builds
    _make_roles(connection)
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('simgame wall'))")  # one builder at a time
        cursor.execute(FUNCTIONS)
        cursor.execute(COLUMNS)
        columns = {table: (names, pointing) for table, names, pointing in cursor.fetchall()}
        cursor.execute(STANDING)
        standing = dict(cursor.fetchall())
        for table, rule in walled(columns).items():
            digest = hashlib.sha256("\n".join(_policies(table, rule)).encode()).hexdigest()
            if standing.get(table) != digest:
                for statement in [*_policies(table, rule), f"COMMENT ON POLICY web ON {table} IS '{digest}'"]:
                    cursor.execute(statement)
        for statement in _grants(columns):
            cursor.execute(statement)


def role_statements(owner: str, standing: Mapping[str, tuple[bool, bool]]) -> list[str]:
    """SQL for whoever may make roles, as far as it is missing.

    `standing`: of the roles there are, whether they may log in and whether they see the house.
    """
    made = []
    for name in (roles.HOUSE, roles.READER, *roles.LOGINS):
        login = name in roles.LOGINS
        if name not in standing:
            made.append(f"CREATE ROLE {name} {'LOGIN' if login else 'NOLOGIN'} {SAFE}")
        elif login and not standing[name][0]:
            made.append(f"ALTER ROLE {name} LOGIN")
    for name in (owner, roles.EXCHANGE, roles.WORKER):
        if not standing.get(name, (True, False))[1]:
            made.append(f'GRANT {roles.HOUSE} TO "{name}"')
    return made


def _make_roles(connection: BaseDatabaseWrapper) -> None:
    owner, secret = _owner(connection), connection.settings_dict["PASSWORD"]
    with connection.cursor() as cursor:
        cursor.execute(ROLES, [roles.HOUSE])
        standing = {name: (login, house) for name, login, house in cursor.fetchall()}
        try:
            for statement in role_statements(owner, standing):
                cursor.execute(statement)
            cursor.execute(RESERVED)
        except ProgrammingError as error:  # insufficient privilege
            raise CommandError(_told(owner, str(error).strip(), standing)) from error
        for login in roles.LOGINS if secret else ():
            _set_password(connection, cursor, login, roles.password(secret, login))


def _set_password(connection: BaseDatabaseWrapper, cursor: Any, login: str, password: str) -> None:
    """As a verifier: the password itself stands in no log of the server's. Whoever made the roles for us has
    set it himself; then it must work."""
    verifier = connection.connection.pgconn.encrypt_password(
        password.encode(), login.encode(), b"scram-sha-256"
    )
    try:
        cursor.execute(f"ALTER ROLE {login} PASSWORD '{verifier.decode()}'")
    except ProgrammingError:
        kept = ("host", "port", "dbname")
        given = connection.get_connection_params()
        address = {name: given[name] for name in kept if given.get(name)}
        try:
            psycopg.connect(**address, user=login, password=password, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            raise CommandError(
                f"{login} does not log in with the password that is derived from the owner's: {error}"
                'Let an administrator set it: docs/security.md, "Roles".'
            ) from error


def _told(owner: str, why: str, standing: Mapping[str, tuple[bool, bool]]) -> str:
    asked = "\n".join(f"  {line};" for line in role_statements(owner, standing))
    return (
        f"The roles of the game cannot be made as {owner}: {why}\n"
        "Let an administrator of the server run this once, or give the owner CREATEROLE; "
        'docs/security.md, "Roles", says what each is for and which passwords they get:\n' + asked
    )


def _owner(connection: BaseDatabaseWrapper) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        return str(cursor.fetchone()[0])


def _policies(table: str, rule: Rule) -> list[str]:
    own = f"({rule.own}) OR {IN_THE_HOUSE}"
    made = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        *(f"DROP POLICY IF EXISTS {name} ON {table}" for name in ("web", "public", "house", "reader")),
        f"CREATE POLICY web ON {table} TO {roles.WEB} USING ({own}) WITH CHECK ({own})",
        f"CREATE POLICY house ON {table} TO {roles.HOUSE} USING (true) WITH CHECK (true)",
        f"CREATE POLICY reader ON {table} FOR SELECT TO {roles.READER} USING (true)",
    ]
    if rule.public:
        made.append(f"CREATE POLICY public ON {table} FOR SELECT TO {roles.WEB} USING ({rule.public})")
    return made


def _grants(tables: Iterable[str]) -> list[str]:
    """Least privilege: only the exchange writes the books, and nobody of the game changes history."""
    tables = set(tables)
    books = tables & set(BOOKS)
    history = ", ".join(sorted(tables & set(HISTORY)))
    logins = ", ".join(roles.LOGINS)
    made = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {_SCHEMA} FROM {logins}, {roles.READER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {_SCHEMA} TO {logins}, {roles.READER}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {_SCHEMA} TO {logins}",
        f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {_SCHEMA} TO {roles.READER}",
    ]
    for login, closed in (
        (roles.WEB, books | tables & set(CHECKERS)),
        (roles.WORKER, books),
        (roles.EXCHANGE, set()),
    ):
        open_ = ", ".join(sorted(tables - closed - set(OWNERS_ONLY)))
        made += [
            f"GRANT INSERT, UPDATE, DELETE ON {open_} TO {login}",
            f"REVOKE UPDATE, DELETE ON {history} FROM {login}",
        ]
    return made
