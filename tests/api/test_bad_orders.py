"""Generated orders that bite: the short version of `manage.py drill bad_input`."""

from __future__ import annotations

import json
from typing import Any

from channels.db import database_sync_to_async

from market.models import World
from ops.drills.documented import Judge, order_of
from ops.drills.nonsense import Nonsense
from tests.api.wire import Client
from trading import invariants
from trading.models import Order

REQUESTS, SEED = 400, 1


async def test_every_order_that_bites_gets_a_documented_answer(
    alice: Client, world: World, settings: Any
) -> None:
    settings.ORDER_RATE = settings.REQUEST_RATE = 1_000_000
    judge, nonsense = Judge(), Nonsense(SEED, {"SHARE": 1000, "PENNY": 1000})
    told: dict[str, str] = {}
    for asked in nonsense.requests(REQUESTS):
        headers = {name.replace("-", "_").lower(): value for name, value in asked.headers.items()}
        answer = await alice.ask(asked.method, asked.path, asked.body, **headers)
        body = json.loads(answer.body) if answer.body else None
        assert not judge.wrong(asked, answer.status, answer.headers, body), (asked, answer)
        order = None if asked.path.endswith("/preview") else order_of(answer.status, body)
        if order is not None:
            told[order["id"]] = order["status"]
            nonsense.known.append(order["id"])
    assert len(told) > REQUESTS // 10
    stored = Order.objects.exclude(client_order_id__startswith="leg-").values_list("id", flat=True)
    assert {str(order) async for order in stored} == set(told)
    assert (await database_sync_to_async(invariants.reconcile)(world)).breaks == 0
