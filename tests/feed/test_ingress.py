"""The bounded queue: every policy, exact to the item."""

from __future__ import annotations

import asyncio

import pytest

from market.feed.ingress import Ingress, Policy
from market.sources.items import Reached


def items(count: int) -> list[Reached]:
    return [Reached(n) for n in range(1, count + 1)]


async def test_drop_newest_keeps_what_came_first():
    ingress = Ingress(Policy.DROP_NEWEST, capacity=3)
    for item in items(5):
        await ingress.put(item)
    assert [item.at_ns for item in await ingress.take(10)] == [1, 2, 3]
    assert (ingress.accepted, ingress.dropped_newest, ingress.dropped_oldest) == (3, 2, 0)


async def test_drop_oldest_keeps_what_came_last():
    ingress = Ingress(Policy.DROP_OLDEST, capacity=3)
    for item in items(5):
        await ingress.put(item)
    assert [item.at_ns for item in await ingress.take(10)] == [3, 4, 5]
    assert (ingress.accepted, ingress.dropped_newest, ingress.dropped_oldest) == (5, 0, 2)


async def test_block_loses_nothing_and_never_grows():
    ingress = Ingress(Policy.BLOCK, capacity=4)

    async def produce() -> None:
        for item in items(1_000):
            await ingress.put(item)

    producer = asyncio.create_task(produce())
    taken: list[int] = []
    async with asyncio.timeout(10):
        while len(taken) < 1_000:
            taken += [item.at_ns for item in await ingress.take(3)]
            await asyncio.sleep(0)
    await producer
    assert taken == list(range(1, 1_001))
    assert ingress.longest == 4
    assert ingress.blocked > 0
    assert ingress.accepted == 1_000


async def test_take_waits_for_the_first_item():
    ingress = Ingress()
    waiting = asyncio.create_task(ingress.take(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    await ingress.put(Reached(9))
    async with asyncio.timeout(5):
        assert await waiting == [Reached(9)]


@pytest.mark.parametrize("policy", Policy)
async def test_many_at_a_stroke_are_as_many_one_by_one(policy: Policy):
    one_by_one, at_a_stroke = Ingress(policy, capacity=7), Ingress(policy, capacity=7)
    taken: list[list[int]] = []
    for ingress in (one_by_one, at_a_stroke):
        got: list[int] = []
        for part in (items(3), items(4), items(5)):
            putting = asyncio.create_task(
                ingress.put_all(part) if ingress is at_a_stroke else _one_by_one(ingress, part)
            )
            while not putting.done():
                await asyncio.sleep(0)
                got += [item.at_ns for item in ingress.take_now(2)] if ingress.holding else []
        got += [item.at_ns for item in ingress.take_now(100)]
        taken.append(got)
    assert taken[0] == taken[1]
    counts = [(i.accepted, i.dropped_newest, i.dropped_oldest) for i in (one_by_one, at_a_stroke)]
    assert counts[0] == counts[1]
    assert at_a_stroke.longest == 7
    assert not at_a_stroke.holding


async def _one_by_one(ingress: Ingress, part: list[Reached]) -> None:
    for item in part:
        await ingress.put(item)
