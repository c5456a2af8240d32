"""S9 to S11: what another site can make Alice's browser do, and what sockets take."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.urls import URLPattern, get_resolver
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from ops.attack import memory
from ops.attack.line import Line
from ops.attack.stage import Stage
from ops.attack.tally import Tally, attack

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
NO_COOKIE = ("/api/v1/auth/register", "/api/v1/auth/token", "/api/v1/auth/refresh")  # they do not read it
EVIL = "https://evil.example"
SAMPLES = {
    "slug": "x",
    "symbol": "NOPE",
    "uuid": "01a227e7-f52f-7591-8f92-30150b0fb529",
    "int": "1",
    "str": "x",
}


def addresses(patterns: Any = None, begin: str = "/") -> Iterator[str]:
    """Every address of the URLconf, its parts filled in."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = begin + re.sub(r"\^|\$|\\Z|\(\?:.*?\)\??", "", str(pattern.pattern))
        if isinstance(pattern, URLPattern):
            yield re.sub(
                r"<(?:(\w+):)?\w+>", lambda found: SAMPLES.get(found[1] or "str", "x"), route
            ).replace("//", "/")
        else:
            yield from addresses(pattern.url_patterns, route)


@attack("S9", "No unsafe request by cookie does anything without a token of ours, from our own origin.", 600)
async def s9(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("browsing")
    browser = await stage.browser(who)
    cookies, token = dict(browser.cookies), browser.cookies["csrftoken"]
    here = f"http://127.0.0.1:{stage.port}"
    forged: dict[str, dict[str, str]] = {
        "no token": {"origin": here},
        "a wrong token": {"origin": here, "x_csrftoken": "x" * len(token)},
        "another origin": {"origin": EVIL, "x_csrftoken": token},
        "a null origin": {"origin": "null", "x_csrftoken": token},
        "text/plain": {"origin": EVIL, "content_type": "text/plain"},
        "a form": {"origin": EVIL, "content_type": "application/x-www-form-urlencoded"},
        "an override": {"origin": EVIL, "content_type": "text/plain", "x_http_method_override": "DELETE"},
    }
    found = sorted(set(await sync_to_async(lambda: list(addresses()))()))
    chosen = found if stage.full else stage.chance.sample(found, 25)
    sources = (f"127.0.{part}.{number}" for part in range(20, 40) for number in range(1, 250))

    async def one(_: Line, path: str) -> None:
        line = stage.line(next(sources))  # of its own: a limit of tries would hide what is asked here
        for name, headers in forged.items():
            for method in UNSAFE if stage.full else ("POST", "DELETE"):
                line.cookies = dict(cookies)
                said = await line.ask(method, path, b"{}", **{"content_type": "application/json"} | headers)
                harmless = said.status in (401, 403, 404, 405, 415) or (
                    path in NO_COOKIE and 400 <= said.status < 500
                )
                tally.expect(harmless, f"{method} {path} with {name}: {said.status}")
        line.close()

    await stage.each(chosen, one)
    browser.cookies = dict(cookies)
    mine = await browser.ask("GET", "/api/v1/auth/sessions")
    tally.expect(mine.status == 200, "the session did not survive the attack")
    tally.facts["addresses"] = len(chosen)


@attack("S10", "A page of another site opens no socket with Alice's cookie; an address holds no token.")
async def s10(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("browsing")
    cookie = "sessionid=" + (await stage.browser(who)).cookies["sessionid"]
    port = stage.port
    origins = (
        *(
            EVIL,
            "null",
            None,
            "",
            f"https://127.0.0.1:{port}.evil.example",
            f"http://127.0.0.1.evil.example:{port}",
        ),
        *(
            f"http://127.0.0.1:{port + 1}",
            "http://127.0.0.1",
            f"http://evil.127.0.0.1:{port}",
            "file://",
            "data:",
        ),
        *(
            f"http://127.0.0.1:{port}@evil.example",
            f"http://evil.example/http://127.0.0.1:{port}",
            "chrome-extension://x",
        ),
    )
    for origin in origins:
        for path in ("/ws/v1", "/stream", "/v2/iex"):
            given = {"Cookie": cookie, **({} if origin is None else {"Origin": origin})}
            tally.expect(
                await _tells_nothing(stage, path, who.portfolio, given), f"{path} from {origin!r} opened"
            )
    for path in (f"/ws/v1?token={who.access}", f"/ws/v1?access_token={who.access}"):
        tally.expect(
            await _tells_nothing(stage, path, who.portfolio, {}), "a token in the address opened a socket"
        )


async def _tells_nothing(stage: Stage, path: str, portfolio: int, headers: dict[str, str]) -> bool:
    """Refused at the handshake or closed, or open to what everybody may see and to nothing else."""
    try:
        async with asyncio.timeout(5), stage.socket(path, additional_headers=headers) as socket:
            await socket.send(
                json.dumps({"op": "subscribe", "id": 7, "topics": [{"topic": f"portfolio:{portfolio}"}]})
            )
            while True:
                said = str(await socket.recv())
                if '"snapshot"' in said or '"results"' in said:
                    return False
                if '"id":7' in said or '"error"' in said:
                    return True
    except (InvalidStatus, ConnectionClosed, WebSocketException, TimeoutError):
        return True


@attack("S11", "A hostile socket is closed with a reason, and costs no memory that stays.")
async def s11(stage: Stage, tally: Tally) -> None:
    before = memory.of_web(stage)
    big = "x" * stage.count(20_000_000, 2_000_000)
    for frame in (
        big,
        big.encode(),
        "[" * 16_000,
        '{"op":"subscribe","topics":[' + '{"topic":"a:b"},' * 900 + "]}",
    ):
        tally.expect(
            await _ended_or_refused(stage, [frame]),
            f"a frame of {len(frame)} was answered as if it were good",
        )
    for frames in (['{"op":"ping"}'] * 3_000, ["x"] * 3_000, [b"\xff"] * 3_000, [""] * 3_000):
        tally.expect(await _ended_or_refused(stage, frames), f"{len(frames)} tiny frames were all taken")
    rounds = stage.count(300, 30)
    for _ in range(rounds):  # connections that come and go before they have said who they are
        async with stage.socket():
            tally.tried += 1
    held = [stage.socket() for _ in range(stage.count(400, 40))]
    await asyncio.gather(*(each.__aenter__() for each in held))
    tally.expect((await stage.line().ask("GET", "/livez")).status == 200, "many open sockets keep others out")
    await asyncio.gather(*(each.__aexit__(None, None, None) for each in held))
    grown = memory.of_web(stage) - before
    tally.facts["grown_mb"] = round(grown, 1)
    tally.expect(grown < memory.FLAT_MB, f"the web server grew by {grown:.0f} MB")


async def _ended_or_refused(stage: Stage, frames: list[Any]) -> bool:
    try:
        async with asyncio.timeout(20), stage.socket(max_size=None) as socket:
            for frame in frames:
                await socket.send(frame)
            while True:
                said = str(await socket.recv())
                if '"error"' in said and len(frames) == 1:
                    return True
    except (ConnectionClosed, TimeoutError) as ended:
        return isinstance(ended, ConnectionClosed)
