"""The market as a load generator sees it: the last quotes, once a second, by the API that everybody has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from ops.load import flow

LOOK_S = 1.0  # how old the prices may be that orders are sent at
TURN_S = 0.001


class Following(Protocol):
    """A run that sends orders at prices of now."""

    question: dict[str, Any]
    offers: list[flow.Offer]  # none: the question's own prices, buys only
    over: bool


@asynccontextmanager
async def followed(run: Following) -> AsyncIterator[None]:
    """`run.offers` are of the last second from here on until the run is over, where its question says
    `follows`. Ends the process when the market goes away: that is no measurement."""
    if not run.question.get("follows"):
        yield
        return
    following = asyncio.ensure_future(_follow(run))
    while not run.offers and not following.done():
        await asyncio.sleep(TURN_S)
    if following.done():
        await _to_the_end(following)
    yield
    await _to_the_end(following)


async def _follow(run: Following) -> None:
    """Raises OSError or EOFError when there are no quotes."""
    question = run.question
    symbols = [order["symbol"] for order in question["orders"]]
    ask = f"GET /api/v1/quotes?symbols={','.join(symbols)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", question["port"])
    try:
        while not run.over:
            writer.write(ask)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise OSError(f"no quotes: {head.splitlines()[0].decode()}")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            quotes = json.loads(await reader.readexactly(length))["quotes"]
            found = {name: made for name in symbols if (made := flow.offer(quotes[name]))}
            kept = {each.symbol: each for each in run.offers}
            run.offers = list((kept | found).values())
            await asyncio.sleep(LOOK_S)
    finally:
        writer.close()


async def _to_the_end(following: asyncio.Future[None]) -> None:
    try:
        await following
    except (OSError, EOFError) as error:
        raise SystemExit(f"the market could not be followed: {error}") from None
