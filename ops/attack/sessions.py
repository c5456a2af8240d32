"""S5 to S8: refreshes at once, refreshes again, and what was ended."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
from django.conf import settings
from django.db.models import F
from websockets.exceptions import ConnectionClosed

from accounts import keys, logins, players, tokens
from accounts.models import Login, Player, RefreshToken
from ops.attack import copies
from ops.attack.line import Answer, Line
from ops.attack.stage import PASSWORD, Person, Stage, in_thread
from ops.attack.tally import Tally, attack
from ops.attack.tokens import DOOR
from simgame.kernel import clock

PARALLEL = 50
ROUNDS_ASKED = 10
DEVICE = "one device"
HOLDS_S = 5.0  # a revocation holds everywhere within this
REFRESH = "/api/v1/auth/refresh"


@attack("S5", "Of 50 refreshes of one token at once exactly one wins: there is one successor, ever.", 1200)
async def s5(stage: Stage, tally: Tally) -> None:
    """In the whole size at two web servers in turn, so that no lock within one of them decides."""
    who = await stage.newcomer("racer")
    async with AsyncExitStack() as stack:
        ports = [stage.port]
        if stage.full and stage.town:
            ports.append(await stack.enter_async_context(stage.another_web()))
        rounds = iter(range(stage.rounds))
        with stage.counted(stage.rounds):
            await asyncio.gather(*(_races(stage, tally, who, rounds, ports) for _ in ports))
    tally.facts |= {"refreshes": tally.tried * PARALLEL, "web servers": len(ports)}


async def _races(
    stage: Stage, tally: Tally, who: Person, rounds: Iterator[int], ports: Sequence[int]
) -> None:
    """Round after round, each of one token; who won is asked after every few."""
    crowd: list[Line] = []
    while some := list(islice(rounds, ROUNDS_ASKED)):
        pairs = await in_thread(_signed_in)(who, len(some))
        told = []
        for round_, refresh in zip(some, pairs, strict=True):
            told.append((round_, refresh, await _race(stage, round_, refresh, ports, crowd)))
            stage.tick(1)
        stored = await in_thread(_heirs)(pairs)
        for round_, refresh, answers in told:
            _judge(tally, round_, answers, stored[refresh])
    for line in crowd:
        line.close()


async def _race(
    stage: Stage, round_: int, refresh: str, ports: Sequence[int], crowd: list[Line]
) -> list[Answer]:
    async def ask(line: Line, number: int) -> Answer:
        device = DEVICE if _is_one_device(round_) else f"device {number}"
        return await line.ask("POST", REFRESH, {"refresh": refresh}, user_agent=device)

    return await stage.at_once(PARALLEL, ask, ports, crowd)


def _judge(tally: Tally, round_: int, answers: list[Answer], heirs: int) -> None:
    won = [answer.json["refresh"] for answer in answers if answer.status == 200]
    others = {answer.status for answer in answers} - {200}
    tally.expect(
        len(set(won)) == 1 and heirs == 1 and others <= {401} and (_is_one_device(round_) or len(won) == 1),
        f"round {round_}: {len(won)} winners, {len(set(won))} successors, {heirs} stored, {others}",
    )


def _is_one_device(round_: int) -> bool:
    """In every second round: it may be told its one successor again."""
    return round_ % 2 == 0


def _signed_in(who: Person, count: int) -> list[str]:
    return [tokens.issue(who.player, DEVICE).refresh for _ in range(count)]


def _heirs(pairs: list[str]) -> dict[str, int]:
    """How many tokens there are in the family of each that was not used, beside the first."""
    families = {refresh: tokens._read(tokens.Refresh, refresh).sid for refresh in pairs}
    unused = RefreshToken.objects.filter(login_id__in=families.values(), consumed_at=None)
    stored = Counter(unused.values_list("login_id", flat=True))
    return {refresh: stored[login] for refresh, login in families.items()}


@attack("S6", "A rotated refresh token that comes again after the grace signs the whole device out.")
async def s6(stage: Stage, tally: Tally) -> None:
    who, line = await stage.newcomer("careless"), stage.line(user_agent="one device")
    for _ in range(stage.count(20, 3)):
        first = await in_thread(tokens.issue)(who.player, "one device")
        heir = (await line.ask("POST", REFRESH, {"refresh": first.refresh})).json
        await in_thread(_age)(settings.REFRESH_GRACE_S + 1)
        said = await line.ask("POST", REFRESH, {"refresh": first.refresh})
        tally.expect(
            said.status == 401 and said.json["code"] == "REUSED_TOKEN", f"the replay was {said.status}"
        )
        after = await line.ask("POST", REFRESH, {"refresh": heir["refresh"]})
        tally.expect(after.status == 401, f"the thief's heir still refreshes: {after.status}")
        after = await line.ask("GET", DOOR, authorization=f"Bearer {heir['access']}")
        tally.expect(after.status == 401, f"its access token still opens: {after.status}")


def _age(seconds: float) -> None:
    rows = RefreshToken.objects.exclude(consumed_at=None)
    rows.update(consumed_at=F("consumed_at") - timedelta(seconds=seconds))


def _sign_out(who: Person) -> None:
    tokens.revoke(who.refresh)


def _all(who: Person) -> None:
    players.sign_out_everywhere(who.player.pk, "by the player")


def _one(who: Person) -> None:
    claims = tokens.access_claims(who.access)
    logins.revoke(who.player.pk, claims.sid)


def _password(who: Person) -> None:
    players.change_password(who.player.pk, "correct horse battery", "staple battery horse")


def _deactivate(who: Person) -> None:
    players.deactivate(who.player.pk, actor_id=None)


def _generation(who: Person) -> None:
    """What a restored backup does: every token of before is of an older generation."""
    Player.objects.filter(pk=who.player.pk).update(token_generation=F("token_generation") + 1)


ENDS: dict[str, Callable[[Person], None]] = {
    "signing out": _sign_out,
    "signing out everywhere": _all,
    "revoking the device": _one,
    "a new password": _password,
    "deactivation": _deactivate,
    "a restored backup": _generation,
}


@attack("S7", "What ends a sign-in ends it within 5 s everywhere: requests are refused, sockets are closed.")
async def s7(stage: Stage, tally: Tally) -> None:
    async def one(name: str, end: Callable[[Person], None]) -> None:
        who = await stage.newcomer("leaver")
        async with stage.socket() as socket:
            await socket.recv()
            await socket.send(json.dumps({"op": "auth", "id": 1, "token": who.access}))
            tally.expect('"ok":true' in str(await socket.recv()), "a good token opens no socket")
            line = stage.line(**who.bearer)
            before = await line.ask("GET", DOOR)
            tally.expect(before.status == 200, f"before {name}: {before.status}")
            ended_s = clock.monotonic_s()
            await in_thread(end)(who)
            closed = asyncio.create_task(_closed(socket))
            await _until(lambda: _refused(line))
            tally.expect(clock.monotonic_s() - ended_s <= HOLDS_S + 0.5, f"requests went on after {name}")
            if end is not _generation:  # a restore happens while no web server runs
                await asyncio.wait([closed], timeout=HOLDS_S + 1)
                tally.expect(closed.done(), f"a socket stayed open after {name}")
            closed.cancel()
        after = await stage.line().ask("POST", REFRESH, {"refresh": who.refresh})
        if end is not _generation:
            tally.expect(after.status == 401, f"a refresh after {name}: {after.status}")

    await asyncio.gather(*(one(name, end) for name, end in ENDS.items()))
    who = await stage.newcomer("bot")
    line = stage.line(**who.key)
    tally.expect((await line.ask("GET", "/v2/account")).status == 200, "a good key is refused")
    await in_thread(keys.revoke)(who.player.pk, who.key["apca_api_key_id"])
    await _until(lambda: _refused(line, "/v2/account"))
    tally.expect((await line.ask("GET", "/v2/account")).status == 401, "a revoked key goes on")


async def _refused(line: Line, path: str = DOOR) -> bool:
    return (await line.ask("GET", path)).status == 401


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = clock.monotonic_s() + HOLDS_S + 3
    while not await condition() and clock.monotonic_s() < deadline:
        await asyncio.sleep(0.1)


async def _closed(socket: object) -> None:
    try:
        async for text in socket:  # type: ignore[attr-defined]
            if '"ping"' in str(text):
                await socket.send('{"op":"pong"}')  # type: ignore[attr-defined]
    except ConnectionClosed:
        return


@attack("S8", "Neither an emptied Redis nor a restored backup gives a revoked token its life back.")
async def s8(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("revoked")
    with TemporaryDirectory() as folder:
        await in_thread(copies.dump)(file := Path(folder, "backup"))
        line = stage.line()
        heir = (await line.ask("POST", REFRESH, {"refresh": who.refresh})).json
        await in_thread(_all)(who)
        await in_thread(keys.revoke)(who.player.pk, who.key["apca_api_key_id"])
        await _stay_dead(tally, line, who, heir, "before that")
        if stage.town:  # the Redis of a test run serves others
            with redis.Redis.from_url(settings.REDIS_URL) as link:
                link.flushall()
            await _stay_dead(tally, line, who, heir, "after FLUSHALL")
        left = await in_thread(lambda: Login.objects.filter(player=who.player, revoked_at=None).count())()
        tally.expect(left == 0, f"{left} sign-ins came back")
        await _restored(stage, tally, file, who, heir)


async def _restored(stage: Stage, tally: Tally, file: Path, who: Person, heir: dict[str, str]) -> None:
    """Into a database of its own, with web servers of its own; the game goes on beside it."""
    with copies.restored(file) as address:
        own = {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "simgame.settings"}
        async with stage.another_web(**own) as port:
            said = await Line(port).ask("GET", DOOR, **who.bearer)
            tally.expect(said.status == 200, f"the backup does not bring back what was ended: {said.status}")
        for words in (("migrate", "-v0"), ("void_tokens", "--keys", "--reason", "restored from a backup")):
            done = await in_thread(copies.manage)(address, *words)
            tally.expect(done.returncode == 0, f"{words[0]} on what was restored: {done.stderr[-300:]}")
        async with stage.another_web(**own) as port:
            line = Line(port)
            await _stay_dead(tally, line, who, heir, "after a restore")
            good = {"username": who.player.username, "password": PASSWORD}
            said = await line.ask("POST", "/api/v1/auth/token", good)
            tally.expect(said.status == 200, f"nobody can sign in after a restore: {said.status}")


async def _stay_dead(tally: Tally, line: Line, who: Person, heir: dict[str, str], when: str) -> None:
    for name, (path, body, headers) in {
        "an access token": (DOOR, None, who.bearer),
        "the access token of its heir": (DOOR, None, {"authorization": f"Bearer {heir['access']}"}),
        "a used refresh token": (REFRESH, {"refresh": who.refresh}, {}),
        "its heir": (REFRESH, {"refresh": heir["refresh"]}, {}),
        "a revoked key": ("/v2/account", None, who.key),
    }.items():
        said = await line.ask("POST" if body else "GET", path, body, **headers)
        tally.expect(said.status == 401, f"{name} {when}: {said.status}")
