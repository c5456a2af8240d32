"""S1 to S4: tokens that we did not give."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

from websockets.exceptions import ConnectionClosed

from ops.attack.forged import Forger, Named
from ops.attack.line import Line
from ops.attack.stage import PASSWORD, Stage
from ops.attack.tally import Tally, attack

DOOR = "/api/v1/auth/sessions"
REFUSED = (400, 401, 431)


async def refused(stage: Stage, tally: Tally, tokens: Iterable[Named], path: str = DOOR) -> None:
    async def one(line: Line, named: Named) -> None:
        name, token = named
        said = await line.ask("GET", path, authorization=f"Bearer {token}")
        tally.expect(said.status in REFUSED, f"{name}: {said.status} at {path}")

    await stage.each(tokens, one)


async def forger(stage: Stage) -> Forger:
    victim, other = await stage.newcomer("victim"), await stage.newcomer("other")
    said = await stage.line(**victim.bearer).ask("GET", DOOR)
    assert said.status == 200, "the token that is forged upon must be good itself"
    return Forger(victim.access, other.access)


@attack("S1", "A token is refused unless our key signed exactly these bytes with RS256.")
async def s1(stage: Stage, tally: Tally) -> None:
    tokens = list((await forger(stage)).by_strangers())
    await refused(stage, tally, tokens if stage.full else stage.chance.sample(tokens, 60))
    await refused(stage, tally, stage.chance.sample(tokens, 20), "/v2/account")
    for name, token in stage.chance.sample(tokens, 8):
        said = await _said_to_socket(stage, token.replace('"', ""))
        tally.expect('"ok":true' not in said, f"a socket took {name}: {said}")


async def _said_to_socket(stage: Stage, token: str) -> str:
    """What a socket answers to a token; "" when it closes."""
    async with stage.socket() as socket:
        try:
            await socket.recv()
            await socket.send(json.dumps({"op": "auth", "id": 1, "token": token}))
            return str(await socket.recv())
        except ConnectionClosed:
            return ""


@attack("S2", "A token's head leads nowhere: no file, no row, no address is read because it says so.")
async def s2(stage: Stage, tally: Tally) -> None:
    calls: list[str] = []
    listener = await asyncio.start_server(lambda *_: calls.append("called"), "127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/jwks.json"
    forging = await forger(stage)
    await refused(stage, tally, [*forging.heads(address), *forging.heads_with_our_key()])
    listener.close()
    tally.expect(not calls, "somebody fetched the key that a token named")


@attack("S3", "Claims are read strictly: late, early, missing, foreign or of another type is refused.")
async def s3(stage: Stage, tally: Tally) -> None:
    forging = await forger(stage)
    await refused(stage, tally, forging.claims_with_our_key())


@attack("S4", "What opens one door opens no other: refresh, access, key and session are not exchanged.")
async def s4(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("confused")
    key_id, secret = who.key["apca_api_key_id"], who.key["apca_api_secret_key"]
    session = (await stage.browser(who)).cookies["sessionid"]
    others = {
        "a refresh token": who.refresh,
        "a key's secret": secret,
        "a session": session,
        "a password": PASSWORD,
    }
    await refused(stage, tally, [*others.items(), ("a key", f"{key_id}:{secret}")])
    line = stage.line()
    for name, token in {
        "an access token": who.access,
        "a key's secret": secret,
        "a session": session,
    }.items():
        said = await line.ask("POST", "/api/v1/auth/refresh", {"refresh": token})
        tally.expect(said.status in (401, 422), f"{name} was refreshed: {said.status}")
    for name, cookie in {"an access token": who.access, "a refresh token": who.refresh}.items():
        said = await line.ask("GET", DOOR, cookie=f"sessionid={cookie}")
        tally.expect(said.status == 401, f"{name} was taken for a session: {said.status}")
    for name, value in {"an access token": who.access, "a session": session}.items():
        said = await line.ask("GET", DOOR, apca_api_key_id=key_id, apca_api_secret_key=value)
        tally.expect(said.status == 401, f"{name} was taken for a key's secret: {said.status}")
    for path in (f"{DOOR}?token={who.access}", f"/v2/account?access_token={who.access}"):
        said = await line.ask("GET", path)
        tally.expect(said.status == 401, f"a token in an address was taken: {said.status}")
