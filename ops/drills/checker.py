"""`manage.py drill checker`: errors planted into a running world; how long until they are found?"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

import psycopg
from django.db import connections

from market import queries
from market.models import World
from ops.chaos.town import InVain, Town, wait_for
from ops.drills import private
from ops.load.bench import positive_int
from simgame import env
from simgame.kernel import clock, money
from simgame.kernel.ids import uuid7
from trading.engine.commands import NewOrder
from trading.exchange.client import ask_sync
from trading.models import Break, CheckerState, ExchangeLease, Portfolio
from trading.proof import progress

PROMISE_S = 10.0
PATIENCE_S = 60.0
LATER_NS = 30 * clock.NS_PER_S
# Of one portfolio, which nothing touches afterwards; `{who}` is its number.
OF_A_PORTFOLIO = {
    "I4": "UPDATE trading_balance SET reserved = reserved + 1 WHERE account = {who} AND posted > reserved",
    "I6p": "UPDATE trading_position SET qty = qty + 1 WHERE portfolio_id = {who}",
    "I6t": "UPDATE trading_position SET bought_today = qty, market_day = 20200101 WHERE portfolio_id = {who}",
    "I7": "UPDATE trading_order SET filled_cash = filled_cash + 1 "
    "WHERE portfolio_id = {who} AND status = 'filled'",
    "I7o": "UPDATE trading_order SET fees = fees + 1 WHERE portfolio_id = {who} AND status = 'new'",
    "I8f": "UPDATE trading_fill SET fee = fee + 1 WHERE portfolio_id = {who}",
    "I13": "UPDATE trading_order SET closed_at = NULL WHERE portfolio_id = {who} AND status = 'filled'",
    "I14s": "DELETE FROM trading_accountevent WHERE portfolio_id = {who} AND seq = 2",
    "I3": "UPDATE trading_transfer SET amount = amount + 1 WHERE credit_account = {who} AND code = 1",
}
OF_THE_WORLD = {
    "I17": "UPDATE trading_command SET at = at + interval '1 day' "
    "WHERE id = (SELECT min(id) + 3 FROM trading_command)",
    "I16": "UPDATE trading_command SET epoch = 99 WHERE id = (SELECT min(id) + 3 FROM trading_command)",
    "I14": "DELETE FROM trading_command WHERE id = (SELECT min(id) + 5 FROM trading_command)",
    "I2": "UPDATE trading_balance SET posted = posted + 1 WHERE account = {who}",
}
HELP = """Errors planted past every guard into a running world; how long until each is found and stopped.

  manage.py drill checker
  manage.py drill checker --rounds 5 --format json

A private home gets PostgreSQL, Valkey, a feed, an exchange and the checker (run_checker). For each error a
new player trades; then a superuser changes one row behind everybody's back. Measured: from that COMMIT to
the stored break, and to the freeze (or, for the world's own books, the quarantine). Nothing touches the
portfolio in between.

Exit codes: 0 all found within 10 s, 1 it could not run, 2 wrong usage, 3 one was not."""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=positive_int, default=1, help="errors of portfolios, so many times")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """The report; `difference` is None when every error was found in time."""
    private.move(["drill", "checker", "--rounds", str(options["rounds"]), "--format", options["format"]])
    plants = [*OF_A_PORTFOLIO.items()] * options["rounds"] + [*OF_THE_WORLD.items()]
    with private.town("feed", "exchange") as (town, world), progress.bar("Errors", len(plants)) as advance:
        town.start("checker", [sys.executable, str(env.BASE_DIR / "manage.py"), "run_checker"])
        wait_for(lambda: CheckerState.objects.filter(world=world, passes__gt=0).exists(), "the first pass")
        measured = []
        last = Trader(world, "before")
        for number, (invariant, sql) in enumerate(plants):
            last = Trader(world, f"player{number}") if invariant in OF_A_PORTFOLIO else last
            measured.append(_measure(town, world, invariant, sql.format(who=last.portfolio)))
            advance(1)
    return _report(measured, options["rounds"])


class Trader:
    """Bought, offers, and bids."""

    def __init__(self, world: World, name: str):
        self.world = world
        self.portfolio: int = private.player(world, name)["portfolio"]
        row = wait_for(lambda: [row for row in queries.quotes(world).values() if row["ask"]], "quotes")[0]
        price = money.parse(row["ask"], 2)
        for side, limit in (
            ("buy", price * 102 // 100),
            ("sell", price * 105 // 100),
            ("buy", price * 95 // 100),
        ):
            self._order(row["symbol"], side, limit)

    def _order(self, symbol: str, side: Any, limit: int) -> None:
        order = str(uuid7())
        deadline = clock.now_ns() + LATER_NS
        asked = NewOrder(self.portfolio, order, order, symbol, side, "limit", "gtc", 100, limit, deadline)
        reply = ask_sync(self.world.number, asked)
        if reply.outcome != "executed" or reply.code:
            raise InVain(f"an order was not taken: {reply}")


def _measure(town: Town, world: World, invariant: str, sql: str) -> dict[str, Any]:
    """Plant, and wait for the break and the freeze."""
    before = Break.objects.filter(world=world).order_by("-id").values_list("id", flat=True).first() or 0
    _plant(sql)
    began_s = clock.monotonic_s()
    new = Break.objects.filter(world=world, invariant=invariant, id__gt=before)
    row = wait_for(new.first, f"{invariant} to be found", PATIENCE_S)
    found_s = clock.monotonic_s() - began_s
    wait_for(lambda: _stopped(world, row), f"the freeze after {invariant}", PATIENCE_S)
    return {
        "invariant": invariant,
        "found_s": round(found_s, 2),
        "stopped_s": round(clock.monotonic_s() - began_s, 2),
    }


def _stopped(world: World, row: Break) -> bool:
    if row.portfolios:
        return not Portfolio.objects.filter(pk__in=row.portfolios).exclude(status="frozen").exists()
    return ExchangeLease.objects.get(world=world).state == "quarantined"


def _plant(sql: str) -> None:
    options = connections["default"].get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{name: options[name] for name in names if options.get(name)}) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        if not connection.execute(sql.encode()).rowcount:
            raise InVain(f"nothing to plant: {sql}")


def _report(measured: list[dict[str, Any]], rounds: int) -> dict[str, Any]:
    late = [each for each in measured if each["stopped_s"] > PROMISE_S]
    return {
        "drill": "checker",
        "rounds": rounds,
        "planted": len(measured),
        "found_s_max": max(each["found_s"] for each in measured),
        "stopped_s_max": max(each["stopped_s"] for each in measured),
        "found_s": {each["invariant"]: each["found_s"] for each in measured},
        "difference": {"late": late} if late else None,
    }
