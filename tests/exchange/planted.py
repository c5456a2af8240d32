"""One corruption for each invariant, and somebody with every right to plant it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connections

from market.models import World
from tests.exchange import street
from trading.exchange.client import ask_sync

CONSTRAINTS = {"trading_balance": "balance_available", "trading_order": "order_released"}
CORRUPTIONS = {
    "I1": "INSERT INTO trading_transfer (id, seq, code, debit_account, credit_account, asset, amount) "
    "SELECT max(id) + 1, 1, 1, 987654321, {bob}, 'CNY', 5 FROM trading_transfer",
    "I2": "UPDATE trading_balance SET posted = posted + 1 WHERE account = {alice} AND asset = 'CNY'",
    "I3": "UPDATE trading_transfer SET amount = amount + 1 WHERE id = (SELECT min(id) FROM trading_transfer)",
    "I4": "UPDATE trading_balance SET reserved = reserved + 1 WHERE account = {alice} AND asset = 'CNY'",
    "I4s": "UPDATE trading_order SET reserved_qty = 50 WHERE side = 'sell' AND status = 'new'",
    "I4h": "UPDATE trading_order SET reserved_cash = 1 WHERE status = 'held'",
    "I4l": "UPDATE trading_order SET status = 'new' WHERE status = 'held' AND terms ->> 'leg' = 'stop_loss'",
    "I5": "UPDATE trading_balance SET posted = reserved - 1 WHERE account = {bob} AND asset = 'CNY'",
    "I6": "UPDATE trading_fill SET qty = qty + 100 WHERE id = (SELECT min(id) FROM trading_fill)",
    "I6p": "UPDATE trading_position SET qty = qty + 1 WHERE portfolio_id = {alice}",
    "I7": "UPDATE trading_order SET filled_cash = filled_cash + 1 WHERE status = 'filled'",
    "I7o": "UPDATE trading_order SET fees = fees + 1 WHERE status = 'new'",
    "I8": "UPDATE trading_transfer SET amount = amount - 1 WHERE code = 2",
    "I8f": "UPDATE trading_fill SET fee = fee + 1",
    "I8m": "UPDATE trading_transfer SET code = 21 WHERE code = 4",  # a fee that calls itself interest
    "I9": "UPDATE trading_fill SET price = 1100 WHERE side = 'buy'",
    "I11": "UPDATE trading_order SET limit_price = 1051, receipt = '{{}}' "
    "WHERE side = 'buy' AND status = 'new'",
    "I14": "DELETE FROM trading_command WHERE id = (SELECT min(id) + 1 FROM trading_command)",
    "I14s": "DELETE FROM trading_accountevent WHERE portfolio_id = {alice} AND seq = 2",
    "I14c": "DELETE FROM trading_accountevent WHERE portfolio_id = {alice} AND seq = 3",
    "I15": "UPDATE trading_order SET client_order_id = 'stranger' WHERE status = 'new' AND side = 'buy'",
    "I15l": "UPDATE trading_order SET client_order_id = 'leg-stranger', terms = NULL "
    "WHERE status = 'new' AND side = 'buy'",
    "I15f": "UPDATE trading_order SET client_order_id = 'forced 1.1' WHERE status = 'new' AND side = 'buy'",
    "I14h": "DELETE FROM trading_command WHERE id = (SELECT max(id) - 1 FROM trading_command)",
    "I14e": "UPDATE trading_accountevent SET command = command + 1000 "
    "WHERE portfolio_id = {alice} AND seq = 3",
    "I13": "UPDATE trading_order SET closed_at = NULL WHERE status = 'filled' AND portfolio_id = {alice}",
    "I12": "UPDATE trading_fill SET against = 'player' WHERE id = (SELECT max(id) FROM trading_fill)",
    "I6t": "UPDATE trading_position SET bought_today = qty, market_day = 20200101 "
    "WHERE portfolio_id = {alice}",
    "I3b": "UPDATE trading_transfer SET reverses = (SELECT min(id) FROM trading_transfer) "
    "WHERE id = (SELECT max(id) FROM trading_transfer)",
    "I3f": "UPDATE trading_fill SET reverses = id - 1 WHERE id = (SELECT min(id) FROM trading_fill)",
    "I3t": "INSERT INTO trading_fill (id, match, seq, order_id, portfolio_id, symbol, side, price, qty, "
    "cash, fees, fee, against, market_day, at, receipt, reverses) SELECT id + 1, id + 1, seq, order_id, "
    "portfolio_id, symbol, 'sell', price, qty, cash, fees, -fee, against, market_day, at, receipt, id "
    "FROM trading_fill ORDER BY id DESC LIMIT 1",
    "I6a": "INSERT INTO trading_actionentry (world_id, seq, key, step, portfolio_id, symbol, qty, cash, "
    "cost, realised) SELECT number, 1, 'x', 'ex', {alice}, 'SHARE', 5, 0, 0, 0 FROM market_world",
    "I17d": "UPDATE trading_order SET market_day = 20261030 WHERE status = 'new' AND side = 'sell'",
    "I16": "UPDATE trading_command SET epoch = 99 WHERE id = (SELECT min(id) FROM trading_command)",
    "I17": "UPDATE trading_command SET at = at + interval '1 day' "
    "WHERE id = (SELECT min(id) FROM trading_command)",
}


def trade(world: World) -> dict[str, int]:
    """Alice holds shares, offers them, and bids; Bob has cash, a bid, and a bracket."""
    alice, bob = (street.open_portfolio(world, name) for name in ("alice", "bob"))
    ask_sync(world.number, street.new_order(alice.id, limit_price=1001))
    ask_sync(world.number, street.new_order(alice.id, side="sell", limit_price=1050))
    ask_sync(world.number, street.new_order(alice.id, symbol=street.SHARES))
    ask_sync(world.number, street.new_order(bob.id))
    profit, loss = street.leg(limit_price=1080), street.leg(stop_price=950)
    legs = {"order_class": "bracket", "take_profit": profit, "stop_loss": loss}
    ask_sync(world.number, street.with_terms(bob.id, symbol=street.PENNY, limit_price=1001, **legs))
    return {"alice": alice.id, "bob": bob.id}


@contextmanager
def superuser() -> Iterator[psycopg.Connection]:
    """A transaction that no trigger holds up; commit it, or it never happened."""
    options = connections["default"].get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{name: options[name] for name in names if options.get(name)}) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        yield connection
        connection.rollback()


def plant(connection: psycopg.Connection, invariant: str, people: dict[str, int]) -> None:
    assert connection.execute(CORRUPTIONS[invariant].format(**people)).rowcount


def commit(invariant: str, people: dict[str, int]) -> None:
    """For good, past the triggers; the corruption must get past the constraints itself."""
    with superuser() as connection:
        plant(connection, invariant, people)
        connection.commit()
