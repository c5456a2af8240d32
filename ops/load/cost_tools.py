"""The hands of `bench cost` in its private database: who asks, and what protects. Lines in, JSON out.

It works as the database's owner, beside the stage that made the players.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings

from ops.load.stages import say

CSRF = "c" * 32
REASON = "what looking costs is measured"


def people() -> None:
    """Headers by credential: each player of the bench by a token, by a session, and looked at by staff."""
    tokens.Access.lifetime = timedelta(days=1)  # of those that this process issues
    players = list(Player.objects.filter(username__startswith="bench").order_by("id"))
    operator = Player.objects.create(username="operator", is_staff=True)
    say(
        token=[{"Authorization": f"Bearer {tokens.issue(each, 'bench', None).access}"} for each in players],
        session=[session(each) for each in players],
        operator=[session(each, operator) for each in players],
    )


def session(player: Any, operator: Any = None) -> dict[str, str]:
    request = HttpRequest()
    request.session = SessionStore()
    logins.sign_in(request, player)
    if operator is not None:
        here = Login.objects.filter(pk=logins.of_browser(request))
        here.update(device=impersonation.DEVICE, impersonator_id=operator.pk)
        request.session[impersonation.ACTING] = {"operator": operator.pk, "reason": REASON}
    request.session.save()
    cookies = f"{settings.SESSION_COOKIE_NAME}={request.session.session_key}; csrftoken={CSRF}"
    return {"Cookie": cookies, "X-CSRFToken": CSRF}


def rows(word: str) -> None:
    """Row-level security of every table that has it: `on` or `off`."""
    verb = {"on": "ENABLE", "off": "DISABLE"}[word]
    walled = "SELECT DISTINCT polrelid::regclass::text FROM pg_policy ORDER BY 1"
    run(f"ALTER TABLE {table} {verb} ROW LEVEL SECURITY" for table in found(walled))
    say(strangers_seen=strangers_seen())


def trail(word: str) -> None:
    """The triggers that chain the audit trail and keep history as it is: `on` or `off`."""
    verb = {"on": "ENABLE", "off": "DISABLE"}[word]
    watched = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"
    run(f"ALTER TABLE {table} {verb} TRIGGER USER" for table in found(watched))
    say(forgets=forgets())


def strangers_seen() -> int:
    """Portfolios of others that a player finds, asking as the web's role."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_player WHERE username = 'bench0'")
        (player,) = cursor.fetchone()
        cursor.execute(f"SET LOCAL ROLE {roles.WEB}")
        cursor.execute("SELECT set_config('simgame.viewer', %s, true)", [str(player)])
        cursor.execute("SELECT count(*) FROM trading_portfolio WHERE player_id <> %s", [player])
        return int(cursor.fetchone()[0])


def forgets() -> bool:
    """Can an entry of the audit trail be removed? It is put back."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_auditentry")
            transaction.set_rollback(True)
            return True
    except DatabaseError:
        return False


def found(question: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return [row[0] for row in cursor.fetchall()]


def run(statements: Any) -> None:
    """One by one: together they could wait for an exchange that waits for them."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def server() -> None:
    """The process of the database that all others are children of."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        (folder,) = cursor.fetchone()
    say(pid=int(Path(folder, "postmaster.pid").read_text(encoding="ascii").split()[0]))


if __name__ == "__main__":
    django.setup()
    from django.db import DatabaseError, connection, transaction
    from django.http import HttpRequest

    from accounts import impersonation, logins, tokens
    from accounts.identity import SessionStore
    from accounts.models import Login, Player
    from simgame.database import roles

    VERBS = {"people": people, "rows": rows, "trail": trail, "server": server}
    for line in sys.stdin:
        verb, *words = line.split()
        VERBS[verb](*words)
