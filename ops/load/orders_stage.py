"""The stage of `bench orders`: the database, the world and the players. Lines in, lines of JSON out."""

from __future__ import annotations

import sys
from typing import Any

import django
from django.core.management import call_command

from ops.load.stages import say, wait_for
from simgame import env
from simgame.embedded import Embedded

SYMBOLS = 8
HOLDING = 10_000_000  # shares of each instrument, for who is to sell


def open_books(count: int) -> None:
    """Players with portfolios and API keys, and prices that rest and prices that can fill."""
    wait_for(lambda: status(world)["tick_seq"], "exchange with ticks")
    season = games.ensure_season(world)
    headers = []
    for number in range(count):
        player = Player.objects.create(username=f"bench{number}")
        portfolio = games.join(player, season)
        assert portfolio.status == "active", "the exchange did not open the books"
        portfolios.append(portfolio.id)
        key, secret = keys.make(player.id, portfolio.id)
        headers.append({"APCA-API-KEY-ID": key.key_id, "APCA-API-SECRET-KEY": secret})
    rows = wait_for(lambda: [row for row in queries.quotes(world).values() if row["ask"]][:SYMBOLS], "quotes")
    symbols.extend(row["symbol"] for row in rows)
    say(headers=headers, orders=[template(row) for row in rows], database=writer_pid())


def known() -> None:
    """Until the exchange knows which streams are read: just after its start it sends those of everybody."""
    wait_for(lambda: status(world)["streams"]["known"], "exchange that knows who reads")
    say(known=True)


def give() -> None:
    """Something to sell, for everybody."""
    for portfolio in portfolios:
        for symbol in symbols:
            reply = ask_sync(world.number, Adjust(portfolio, symbol, HOLDING, "bench", f"give-{symbol}"))
            assert reply.outcome == "executed", reply
    say(given=True)


def writer_pid() -> int:
    """The server process that works for the exchange."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'simgame exchange writer'")
        return int(cursor.fetchone()[0])


def template(row: dict[str, Any]) -> dict[str, str]:
    """`low` rests 5 % below the market, `high` reaches 1 % into it; both inside the day's limits."""
    ask = money.parse(row["ask"], 2)
    least = money.parse(row["limit_low"], 2) if row["limit_low"] else 0
    most = money.parse(row["limit_high"], 2) if row["limit_high"] else ask * 2
    return {
        "symbol": row["symbol"],
        "low": money.show(max(ask * 95 // 100, least), 2),
        "high": money.show(min(ask * 101 // 100, most), 2),
    }


def settle() -> None:
    """After the run: what became of the orders, and whether the books hold."""
    orders = dict(Order.objects.values_list("status").annotate(count=Count("id")))
    breaks = invariants.reconcile(world).breaks
    facts = {f"orders_{status}": count for status, count in sorted(orders.items())}
    facts |= {"fills": Fill.objects.count(), "breaks": breaks}
    batches = status(world)["counters"]
    facts |= {"batches": batches["batches"], "largest_batch": batches["largest_batch"]}
    say(facts=facts)


def peer(count: int) -> None:
    """The peer's own tables and players."""
    orders_peer.make_tables(count)
    say(headers=[{"Authorization": f"Token {orders_peer.token(n)}"} for n in range(count)],
        orders=[{"symbol": "SHARE", "low": "9.50", "high": "10.10"}])  # fmt: skip


def status(of: Any) -> dict[str, Any]:
    reply = ask_sync(of.number, Status())
    return reply.result or {"tick_seq": 0}


if __name__ == "__main__":
    with Embedded(env.home(), durable=True):
        django.setup()
        call_command("migrate", verbosity=0, skip_checks=True)
        from django.db import connection
        from django.db.models import Count

        from accounts import keys
        from accounts.models import Player
        from market import queries, worlds
        from ops.load import order_clock, orders_peer
        from simgame.kernel import money
        from trading import games, invariants
        from trading.engine.commands import Adjust
        from trading.exchange.client import ask_sync
        from trading.exchange.wire import Status
        from trading.models import Fill, Order

        world, portfolios, symbols = worlds.ensure("seeded"), [], []
        wanted = int(sys.argv[1])
        say(ready=True)
        for line in sys.stdin:
            verbs = {
                "open": lambda: open_books(wanted),
                "known": known,
                "give": give,
                "settle": settle,
                "stages": lambda: say(cpu_us_by_stage=order_clock.measure(world)),
                "peer": lambda: peer(wanted),
            }
            verbs[line.strip()]()
