"""S5 to S8: refreshes at once, refreshes again, and what was ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import redis
from django.conf import settings
from django.db.models import F
from websockets.exceptions import ConnectionClosed

from accounts import keys, logins, players, tokens
from accounts.models import Login, Player, RefreshToken
from ops.attack.line import Answer, Line
from ops.attack.stage import Person, Stage, in_thread
from ops.attack.tally import Tally, attack
from ops.attack.tokens import DOOR
from simgame.kernel import clock

PARALLEL = 50
HOLDS_S = 5.0  # a revocation holds everywhere within this
REFRESH = "/api/v1/auth/refresh"


@attack("S5", "Of 50 refreshes of one token at once exactly one wins: there is one successor, ever.")
async def s5(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("racer")
    for round_ in range(stage.rounds):
        pair = await in_thread(tokens.issue)(who.player, "one device")
        same = round_ % 2 == 0

        async def ask(line: Line, number: int, refresh: str = pair.refresh, same: bool = same) -> Answer:
            device = "one device" if same else f"device {number}"
            return await line.ask("POST", REFRESH, {"refresh": refresh}, user_agent=device)

        answers = await stage.at_once(PARALLEL, ask)
        won = [answer.json["refresh"] for answer in answers if answer.status == 200]
        others = {answer.status for answer in answers} - {200}
        heirs = await in_thread(_heirs)(pair.refresh)
        tally.expect(
            len(set(won)) == 1 and len(heirs) == 1 and others <= {401} and (same or len(won) == 1),
            f"round {round_}: {len(won)} winners, {len(set(won))} successors, {len(heirs)} stored, {others}",
        )
    tally.facts["refreshes"] = stage.rounds * PARALLEL


def _heirs(refresh: str) -> list[RefreshToken]:
    """The tokens of the family beside the first."""
    login = tokens._read(tokens.Refresh, refresh).sid
    return list(RefreshToken.objects.filter(login_id=login, consumed_at=None))


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


@attack("S8", "An emptied Redis gives no revoked token its life back.")
async def s8(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("revoked")
    await in_thread(_all)(who)
    line = stage.line(**who.bearer)
    tally.expect((await line.ask("GET", DOOR)).status == 401, "a revoked token is taken before that")
    if stage.town is None:
        return  # the Redis of a test run serves others
    link = redis.Redis.from_url(settings.REDIS_URL)
    link.flushall()
    link.close()
    for body, path in ((None, DOOR), ({"refresh": who.refresh}, REFRESH)):
        said = await line.ask("POST" if body else "GET", path, body)
        tally.expect(said.status == 401, f"{path} after FLUSHALL: {said.status}")
    left = await in_thread(lambda: Login.objects.filter(player=who.player, revoked_at=None).count())()
    tally.expect(left == 0, f"{left} sign-ins came back")
