"""A world of an earlier release goes on: the old market's state is refused, its prices are not."""

from __future__ import annotations

import msgspec

from market.simulation import MODEL, STEP_NS, Event, SeededMarket, code_hash
from market.simulation import events as happenings
from market.sources.seeded import SeededSource
from market.ticks import Quote

SECOND = 10**9
START = 1_795_355_999 * SECOND
LATER = START + 90_000 * SECOND


class Wall:
    """What `due` asks of the feed."""

    def wall_ns(self) -> int:
        return LATER


def test_a_world_of_the_first_model_goes_on_at_its_prices_in_another_life() -> None:
    was = msgspec.msgpack.encode([5, START, "always", 20261122, 0, msgspec.msgpack.encode([2, 5, START, 99])])
    last = Quote("ALB", ((1_299, 100),), ((1_300, 100),), LATER, LATER, "seeded", 0, 77_000)
    written: list[Event] = []
    source = SeededSource(5, START)
    source.remember([], {"ALB": [1_300, 1_290], "PWS": [40_000, 39_500]})
    source.resume(was, last)
    source.log_to(lambda event: written.append(happenings.decode(event)))
    assert [event.what for event in written] == ["adopt", "code"]
    assert "model 2" in written[0].detail["why"]
    assert written[1].detail == {"model": MODEL, "code": code_hash()}

    shown = {tick.symbol: tick for tick in source.due(LATER + STEP_NS, Wall()) if isinstance(tick, Quote)}
    assert abs(shown["ALB"].asks[0][0] - 1_300) <= 3
    assert abs(shown["PWS"].asks[0][0] - 40_000) <= 40
    assert {tick.source_epoch for tick in shown.values()} == {1}
    again = SeededMarket(5, START)
    again.relive(written, source.market.step_no)
    assert again.state_hash() == source.market.state_hash()


def test_a_feed_killed_after_an_event_says_what_it_had_not_said_yet() -> None:
    first, written = SeededSource(5, START), []
    first.log_to(written.append)
    said = first.due(START + 20 * SECOND, Wall())
    saved = first.save()
    said += first.due(START + 25 * SECOND, Wall())
    first.asked({"what": "scenario", "kind": "news", "symbols": ["ALB"], "size_ppm": 30_000})
    said += first.due(START + 30 * SECOND, Wall())

    heard = next(n for n, tick in enumerate(said) if tick.at_ns > START + 24 * SECOND)
    second = SeededSource(5, START)
    second.remember(written, {})
    second.resume(saved, said[heard - 1])
    second.log_to(written.append)
    rest = second.due(START + 30 * SECOND, Wall())
    assert rest == said[heard:]
    assert len(written) == 2  # the code at the start, the news: nothing is logged twice
