"""Receipts are computed again from the stored ticks; a wrong price, level, queue or fee is found by name."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from market.models import World
from tests.exchange import street
from tests.exchange.test_replay import a_busy_morning, planted
from trading.proof.verify_receipts import verify

LAST = "(SELECT max(id) FROM trading_fill WHERE {})"
TAKEN = LAST.format(
    "receipt::jsonb -> 'levels' -> 0 ->> 'against' = 'market' AND NOT receipt::jsonb ? 'print'"
)
PRINTED = LAST.format("receipt::jsonb ? 'print'")
CHANGES = [
    (f"UPDATE trading_fill SET fee = fee - 1 WHERE id = {TAKEN}", "fee"),
    (f"UPDATE trading_fill SET price = price - 1 WHERE id = {TAKEN}", "levels.price"),
    (f"UPDATE trading_fill SET price = price + 1 WHERE id = {PRINTED}", "order, price, quantity"),
    (f"UPDATE trading_fill SET cash = cash + 1 WHERE id = {TAKEN}", "cash"),
    (
        "UPDATE trading_fill SET receipt = jsonb_set(receipt::jsonb, '{levels,0,size}', '5') "
        f"WHERE id = {TAKEN}",
        "levels.size",
    ),
    (
        "UPDATE trading_fill SET receipt = jsonb_set(receipt::jsonb, '{quote,source_seq}', '77') "
        f"WHERE id = {TAKEN}",
        "quote.source_seq",
    ),
    (
        "UPDATE trading_fill SET receipt = jsonb_set(receipt::jsonb, '{fees,0,rate_ppb}', '1') "
        f"WHERE id = {TAKEN}",
        "receipt.fees",
    ),
    (
        "UPDATE trading_fill SET receipt = jsonb_set(receipt::jsonb, '{fees,0,row}', '\"plain.fee.none\"') "
        f"WHERE id = {TAKEN}",
        "receipt.fees.row",
    ),
    (f"UPDATE trading_fill SET order_id = gen_random_uuid() WHERE id = {TAKEN}", "order_id"),
    ("UPDATE trading_transfer SET amount = amount + 1 WHERE code = 4", "fee"),
    ("UPDATE trading_order SET filled_cash = filled_cash + 1 WHERE status = 'filled'", "filled_cash"),
    (
        "UPDATE trading_order SET receipt = jsonb_set(receipt::jsonb, '{facts,limit_high}', '9000') "
        "WHERE status = 'rejected'",
        "band",
    ),
]


def test_receipts_hold_and_every_planted_mistake_is_named(
    world: World, feed: street.Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    running = street.InThread(world)
    a_busy_morning(world, feed)
    running.stop()
    found = verify(world)
    assert found.found == []
    assert found.fills > 6
    assert found.fee_rows >= 2
    for sql, field in CHANGES:
        with planted(sql):
            capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                call_command("verify_receipts", "--world", world.slug, "--format", "json")
        assert ended.value.code == 3
        mistakes = json.loads(capsys.readouterr().out)["worlds"][0]["found"]
        assert field in [each["field"] for each in mistakes], (sql, mistakes)
        assert all(each["key"] for each in mistakes if each["kind"] == "order")


def test_only_what_came_since_is_judged(world: World, feed: street.Feed) -> None:
    running = street.InThread(world)
    a_busy_morning(world, feed)
    running.stop()
    with planted("UPDATE trading_fill SET cash = cash + 1"):
        call_command("verify_receipts", "--since", "2100-01-01")
    with pytest.raises(CommandError, match="no date"):
        call_command("verify_receipts", "--since", "yesterday")
