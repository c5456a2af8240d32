"""S15 and S24: what staff may not do, and what nobody may do to the audit trail."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission

from accounts import audit
from accounts.models import AuditEntry, Player
from ops.attack import copies
from ops.attack.line import Line
from ops.attack.stage import Person, Stage, in_thread
from ops.attack.tally import Tally, attack
from ops.attack.walls import as_web
from simgame.kernel.ids import uuid7
from trading.models import Order, Transfer

BOOKS = ("order", "fill", "transfer", "balance", "position", "ledgeraccount", "command", "accountevent")
FORM = "application/x-www-form-urlencoded"


async def _clerk(stage: Stage, *rights: str) -> tuple[Person, Line]:
    """Staff with these rights and no others, signed in."""
    clerk = await stage.newcomer("clerk")

    def promote() -> None:
        Player.objects.filter(pk=clerk.player.pk).update(is_staff=True)
        clerk.player.user_permissions.set(Permission.objects.filter(codename__in=rights))

    await in_thread(promote)()
    return clerk, await stage.browser(clerk, source=f"127.0.0.{stage.chance.randrange(2, 250)}")


def _pages() -> list[tuple[str, str]]:
    """Every model of the admin, with its pages that change something."""
    found = []
    for model in admin.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        found += [(str(model._meta.model_name), base + end) for end in ("", "add/", "1/change/", "1/delete/")]
    return found


@attack("S15", "Staff do what their rights say: no more power for themselves, and nobody writes the books.")
async def s15(stage: Stage, tally: Tally) -> None:
    power = {"is_superuser": "on", "is_staff": "on", "is_active": "on", "username": "root", "groups": "1"}
    pages = await sync_to_async(_pages)()
    player = await stage.newcomer("player")
    for who, line in (
        ("a player", await stage.browser(player, source="127.0.0.251")),
        ("a clerk without rights", (await _clerk(stage))[1]),
    ):
        for _, path in pages:
            said = await _post(line, path, power | {"action": "delete_selected", "_selected_action": "1"})
            tally.expect(said in (302, 403, 404, 405), f"{who}: POST {path} gives {said}")
            if said == 302:
                where = line.headers.get("location", "")
                tally.expect("/login" in where or where == "", f"{who} was let on to {where}")
    await _powerless(stage, tally, player.player.pk)
    clerk, line = await _clerk(stage, "change_player", "view_player", "change_group")
    for fields in (power, {"is_superuser": "on"}, {"user_permissions": "1"}, {"groups": "1"}):
        await _post(
            line,
            f"/admin/accounts/player/{clerk.player.pk}/change/",
            fields | {"username": clerk.player.username},
        )
        await _powerless(stage, tally, clerk.player.pk)
    root, line = await _clerk(stage)
    await in_thread(lambda: Player.objects.filter(pk=root.player.pk).update(is_superuser=True))()
    before = await in_thread(_books)()
    for name, path in pages:
        if name in BOOKS:
            said = await _post(line, path, {"amount": "1", "posted": "1", "status": "filled"})
            shows = said == 200 and path.endswith(f"/{name}/")  # the list, whatever was posted
            tally.expect(shows or said in (302, 403, 404, 405), f"a superuser: POST {path} gives {said}")
    tally.expect(await in_thread(_books)() == before, "the books changed through the admin")
    tally.facts["pages"] = len(pages)


async def _post(line: Line, path: str, fields: dict[str, Any]) -> int:
    token = {"csrfmiddlewaretoken": line.cookies.get("csrftoken", "")}
    said = await line.ask("POST", path, urlencode(fields | token).encode(), content_type=FORM)
    line.headers.pop("location", None)
    if "location" in said.headers:
        line.headers["location"] = said.headers["location"]
    return said.status


async def _powerless(stage: Stage, tally: Tally, player: int) -> None:
    row = await in_thread(lambda: Player.objects.get(pk=player))()
    rights = await in_thread(row.groups.count)()
    tally.expect(not row.is_superuser and rights == 0, f"player {player} gave power to themselves")


def _books() -> tuple[int, int]:
    return Order.objects.count(), Transfer.objects.count()


TAMPERING = (
    "UPDATE accounts_auditentry SET action = 'nothing'",
    "UPDATE accounts_auditentry SET at = now()",
    "DELETE FROM accounts_auditentry",
    "TRUNCATE accounts_auditentry",
    "UPDATE accounts_audithead SET last = 0",
    "DELETE FROM accounts_audithead",
    "ALTER TABLE accounts_auditentry DISABLE TRIGGER USER",
    "DROP TRIGGER audit_append_only ON accounts_auditentry",
    "DELETE FROM trading_transfer",
    "UPDATE trading_fill SET price = 1",
    "TRUNCATE trading_command CASCADE",
)
DDL = ("ALTER", "DROP")


@attack(
    "S24", "History is added to and not changed, whoever tries; what is done past the triggers is named.", 420
)
async def s24(stage: Stage, tally: Tally) -> None:
    await in_thread(_tamper)(tally)
    await in_thread(_betrayed)(tally, list(PAST_THE_TRIGGERS)[: stage.count(5, 1)])


def _tamper(tally: Tally) -> None:
    for number in range(5):
        audit.record(None, "attack.begin", uuid7(), number=number)
    before = AuditEntry.objects.count()
    owner = psycopg.connect(
        settings.DATABASE_URL, dbname=settings.DATABASES["default"]["NAME"], autocommit=True
    )
    with owner, as_web() as web:
        for name, link in (("the web's role", web), ("the owner", owner)):
            for statement in TAMPERING:
                if name == "the owner" and statement.startswith(DDL):
                    continue  # who owns a table may rebuild it: that is what the chain of hashes is for
                tally.expect(_fails(link, statement), f"{name} may {statement}")
    tally.expect(AuditEntry.objects.count() == before, "entries are gone")


PAST_THE_TRIGGERS = {  # what was done: the entries, counted back from the last, of which one must be named
    "UPDATE accounts_auditentry SET action = 'nothing' WHERE id = {last} - 2": (2,),
    "UPDATE accounts_auditentry SET at = at + interval '1 second' WHERE id = {last} - 2": (2,),
    "DELETE FROM accounts_auditentry WHERE id = {last} - 2": (1, 2),
    "DELETE FROM accounts_auditentry WHERE id = {last}": (0,),
    "UPDATE accounts_auditentry SET id = 0 WHERE id = {last}; "
    "UPDATE accounts_auditentry SET id = {last} WHERE id = {last} - 1; "
    "UPDATE accounts_auditentry SET id = {last} - 1 WHERE id = 0": (1,),
}


def _betrayed(tally: Tally, deeds: list[str]) -> None:
    """Somebody who owns the database, on a copy of it: `manage.py audit verify` says where."""
    with TemporaryDirectory() as folder:
        copies.dump(file := Path(folder, "backup"))
        with copies.restored(file) as address:
            whole = copies.manage(address, "audit", "verify", "--format", "json")
            tally.expect(whole.returncode == 0, f"the chain does not survive a restore: {whole.stdout[:300]}")
            last = json.loads(whole.stdout)["head"]["id"]
            for deed in deeds:
                said = _verified_after(address, deed.format(last=last))
                named = [last - back for back in PAST_THE_TRIGGERS[deed]]
                tally.expect(said["broken_at"] in named, f"{deed}: names {said['broken_at']}, not {named}")


def _verified_after(address: str, deed: str) -> Any:
    """What `audit verify` says of the copy while the deed is done; then it is undone."""
    with psycopg.connect(address, autocommit=True) as link:
        link.execute("SET session_replication_role = replica")
        link.execute("CREATE TABLE kept AS TABLE accounts_auditentry")
        link.execute(deed)
        said = copies.manage(address, "audit", "verify", "--format", "json")
        link.execute(
            "DELETE FROM accounts_auditentry; INSERT INTO accounts_auditentry TABLE kept; DROP TABLE kept"
        )
    return json.loads(said.stdout)


def _fails(link: psycopg.Connection[Any], statement: str) -> bool:
    """Refused, or without any effect. Whatever it did is rolled back."""
    changed = 0
    try:
        with link.transaction():
            link.execute("SELECT set_config('simgame.viewer', 'house', true)")
            changed = link.execute(statement).rowcount
            raise psycopg.Rollback
    except psycopg.Error:
        return True
    return changed == 0
