"""The stage of `bench recovery`: database, world, players, open orders. Lines in, lines of JSON out."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import django
from django.core.management import call_command

from ops.load import flow
from ops.load.stages import say, wait_for
from simgame import env
from simgame.embedded import Embedded

PLAYERS = 100
AT_ONCE = 512
ANSWER_S = 60.0
PRICES = 100  # different ones, so that books have as many levels


def open_books() -> None:
    """Players with portfolios; the fields of an order that rests."""
    wait_for(lambda: ask_sync(world.number, Status()).result.get("tick_seq"), "exchange with ticks")
    season = games.ensure_season(world)
    for number in range(PLAYERS):
        portfolio = games.join(Player.objects.create(username=f"bench{number}"), season)
        assert portfolio.status == "active", "the exchange did not open the books"
        portfolios.append(portfolio.id)
    offers = wait_for(lambda: list(filter(None, map(flow.offer, queries.quotes(world).values()))), "quotes")
    lowest.update({offer.symbol: flow.cents(offer.rests["buy"]) for offer in offers})
    say(**fields(0))


def fields(number: int) -> dict[str, Any]:
    """Four to five percent below the market, inside the day's limits: it rests. Spread over players,
    instruments and prices."""
    symbol = sorted(lowest)[number % len(lowest)]
    return {
        "portfolio": portfolios[number % PLAYERS],
        "symbol": symbol,
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "qty": 100,
        "limit_price": lowest[symbol] * (10_000 + number // len(lowest) % PRICES) // 10_000,
    }


async def place(count: int) -> None:
    client = client_for(world.number)
    for start in range(0, count, AT_ONCE):
        wanted = [order(number) for number in range(start, min(count, start + AT_ONCE))]
        replies = await asyncio.gather(*(client.ask(each, ANSWER_S) for each in wanted))
        wrong = next((reply for reply in replies if reply.outcome != "executed" or reply.code), None)
        assert wrong is None, f"{wrong.code}: {wrong.detail}"
    client.close()


def order(number: int) -> NewOrder:
    key = str(ids.uuid7())
    until = clock.now_ns() + int(ANSWER_S) * clock.NS_PER_S
    return NewOrder(order_id=key, client_order_id=key, deadline_ns=until, **fields(number))


def fill(count: int) -> None:
    wait_for(lambda: ask_sync(world.number, Status()).result.get("tick_seq"), "exchange with ticks")
    asyncio.run(place(count))
    say(filled=Order.objects.filter(status__in=OPEN_STATUSES).count())


if __name__ == "__main__":
    with Embedded(env.home(), durable=True):
        django.setup()
        call_command("migrate", verbosity=0, skip_checks=True)
        from accounts.models import Player
        from market import queries, worlds
        from simgame.kernel import clock, ids
        from trading import games
        from trading.engine.commands import NewOrder
        from trading.exchange.client import ask_sync, client_for
        from trading.exchange.wire import Status
        from trading.models import Order
        from trading.models.order import OPEN_STATUSES

        world = worlds.ensure("seeded")
        portfolios: list[int] = []
        lowest: dict[str, int] = {}  # by symbol, in cents
        say(ready=True)
        for line in sys.stdin:
            word, _, number = line.strip().partition(" ")
            open_books() if word == "open" else fill(int(number))
