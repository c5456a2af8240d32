"""Same seed, same ticks, byte for byte: whoever runs it, however often it is asked, after any pause."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from django.conf import settings

from market.simulation import ALWAYS, MODEL, STEP_NS, VENUE, BadState, Event, SeededMarket
from market.simulation.seeded import encode

START = 1_795_355_999 * 10**9
SECOND = 10**9
RUN = """
import hashlib, sys
from market.simulation import SeededMarket
from market.simulation.seeded import encode
market = SeededMarket(11, {start})
ticks = market.advance_to({start} + 60 * 10**9)
bars = repr([market.history(listing.symbol) for listing in market.instruments[:3]])
print(hashlib.sha256(encode(ticks) + bars.encode()).hexdigest(), market.state_hash())
"""


def run_in_a_process_of_its_own(hash_seed: str) -> str:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", RUN.format(start=START)]
    ran = subprocess.run(command, env=env, cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    return ran.stdout


def test_two_processes_with_different_hash_seeds_say_the_same_bytes() -> None:
    first, second = run_in_a_process_of_its_own("1"), run_in_a_process_of_its_own("77")
    assert first == second
    assert len(first.split()) == 2


def test_it_does_not_matter_how_the_time_is_chopped() -> None:
    whole, chopped = SeededMarket(5, START), SeededMarket(5, START)
    at_once = whole.advance_to(START + 30 * SECOND)
    pieces = []
    for ms in range(0, 30_001, 37):  # never the step's length
        pieces += chopped.advance_to(START + ms * 1_000_000)
    pieces += chopped.advance_to(START + 30 * SECOND)
    assert len(at_once) > 500
    assert encode(pieces) == encode(at_once)
    assert chopped.state_hash() == whole.state_hash()
    assert chopped.step_no == whole.step_no == 30 * 4


def test_the_past_gives_nothing_and_changes_nothing() -> None:
    market = SeededMarket(5, START)
    market.advance_to(START + SECOND)
    before = market.state_hash()
    assert market.advance_to(START - SECOND) == []
    market.skip_to(START, 0)
    assert market.state_hash() == before


@pytest.mark.parametrize("pause_steps", [0, 1, 97])
def test_a_restored_market_goes_on_as_if_nothing_had_happened(pause_steps: int) -> None:
    steady, stopped = SeededMarket(5, START), SeededMarket(5, START)
    pause = START + pause_steps * STEP_NS
    steady.advance_to(pause)
    stopped.advance_to(pause)
    woken = SeededMarket(5, START)
    woken.restore(stopped.state())
    assert woken.state_hash() == steady.state_hash()
    assert encode(woken.advance_to(pause + 20 * SECOND)) == encode(steady.advance_to(pause + 20 * SECOND))


def test_a_market_restored_after_a_night_shows_the_new_day_alike() -> None:
    steady = SeededMarket(5, START, VENUE, 28_800, 5)
    steady.advance_to(START + 5 * SECOND)
    steady.skip_to(START + 60_000 * SECOND, 0)
    steady.begin_day(night=True)
    woken = SeededMarket(5, START, VENUE, 28_800, 5)
    woken.restore(steady.state())
    later = START + 60_010 * SECOND
    assert encode(woken.advance_to(later)) == encode(steady.advance_to(later))
    assert woken.references(20261123) == steady.references(20261123)


def lived(market: SeededMarket) -> tuple[list, list[Event]]:
    """A venue's day with everything that can happen in it."""
    ticks, journal = [], []

    def say(event: Event | None) -> None:
        assert event is not None
        journal.append(event)

    def live(seconds: int) -> None:
        ticks.extend(market.advance_to(market.now_ns + seconds * SECOND))

    live(5)
    say(market.set_mode("closed"))
    say(market.skip_to(market.now_ns + 60_000 * SECOND, 0))
    say(market.begin_day(night=True))
    say(market.set_mode("auction"))
    live(60)
    say(market.set_mode("continuous"))
    live(10)
    price = market.stocks[4].book.best_ask()
    say(market.happen(market.event("taken", upto=9, rows=[["PWS", "buy", price, 5_000]])))
    live(5)
    for kind in ("crash", "squeeze", "drought", "news", "halt"):
        asked = {"kind": kind, "size_ppm": 50_000, "seconds": 5, "symbols": ["ALB", "PWS"]}
        say(market.happen(market.event("scenario", **asked)))
        live(7)
    say(market.skip_to(market.now_ns + 600 * SECOND, 600))
    live(5)
    return ticks, journal


def test_a_life_with_everything_in_it_can_be_lived_again_from_its_journal() -> None:
    first, again = SeededMarket(5, START, VENUE, 28_800, 5), SeededMarket(5, START, VENUE, 28_800, 5)
    ticks, journal = lived(first)
    said = again.relive(journal, first.step_no)
    assert encode(said) == encode(ticks)
    assert again.state_hash() == first.state_hash()
    assert again.ticks_digest == first.ticks_digest
    assert again.journal_digest == first.journal_digest
    other = SeededMarket(5, START, VENUE, 28_800, 5)
    changed = [
        Event(e.n, e.step, e.what, e.detail | {"rows": []}) if e.what == "taken" else e for e in journal
    ]
    other.relive(changed, first.step_no)
    assert other.ticks_digest != first.ticks_digest


def test_a_market_saved_in_the_middle_of_anything_goes_on_alike() -> None:
    first, journal = (
        SeededMarket(5, START, VENUE, 28_800, 5),
        lived(SeededMarket(5, START, VENUE, 28_800, 5))[1],
    )
    for event in journal:
        first.advance_to(first.start_ns + event.step * STEP_NS)
        woken = SeededMarket(5, START, VENUE, 28_800, 5)
        woken.restore(first.state())
        first.happen(event)
        woken.happen(event)
        later = first.now_ns + 2 * SECOND
        assert encode(woken.advance_to(later)) == encode(first.advance_to(later)), event
        assert woken.state_hash() == first.state_hash(), event
        first = SeededMarket(5, START, VENUE, 28_800, 5)
        first.relive(journal[: event.n], event.step)


def test_an_event_that_does_not_follow_is_refused() -> None:
    market = SeededMarket(5, START)
    event = market.event("day", night=False)
    market.advance_to(START + SECOND)
    with pytest.raises(ValueError, match="does not follow"):
        market.happen(event)


def test_the_ticks_of_this_model_are_known_to_the_byte() -> None:
    """Other ticks from the same seed need another MODEL: then running worlds and sealed seasons know."""
    market = SeededMarket(11, START, VENUE, 28_800, 5)
    ticks, _ = lived(market)
    said = hashlib.sha256(encode(ticks)).hexdigest()[:16]
    assert (MODEL, said) == ("street-5", "bffd48c52c4b6e6c")


def test_received_ns_is_carried_and_changes_nothing_else() -> None:
    one, other = SeededMarket(5, START), SeededMarket(5, START)
    ticks = one.advance_to(START + SECOND, received_ns=123)
    other.advance_to(START + SECOND)
    assert {tick.received_ns for tick in ticks} == {123}
    assert one.state_hash() == other.state_hash()


def test_source_numbers_are_dense_and_times_never_go_back() -> None:
    ticks = SeededMarket(5, START).advance_to(START + 20 * SECOND)
    assert [tick.source_seq for tick in ticks] == list(range(1, len(ticks) + 1))
    times = [tick.at_ns for tick in ticks]
    assert times == sorted(times)
    assert all((at - START) % STEP_NS == 0 and START < at <= START + 20 * SECOND for at in times)


def test_other_seeds_are_other_markets() -> None:
    said = {
        hashlib.sha256(encode(SeededMarket(seed, START).advance_to(START + SECOND))).digest()
        for seed in range(5)
    }
    assert len(said) == 5


def test_it_refuses_the_state_of_another_market_and_says_which() -> None:
    state = SeededMarket(5, START).state()
    with pytest.raises(BadState, match="seed 5"):
        SeededMarket(6, START).restore(state)
    with pytest.raises(BadState, match=str(START)):
        SeededMarket(5, START + SECOND).restore(state)
    with pytest.raises(BadState, match="cannot be read"):
        SeededMarket(5, START).restore(state[:200])
    with pytest.raises(BadState, match="cannot be read"):
        SeededMarket(5, START).restore(b"")


def test_past_bars_are_the_same_each_time_they_are_asked_for() -> None:
    market = SeededMarket(5, START, ALWAYS)
    first = market.history("PWS")
    market.advance_to(START + 5 * SECOND)
    assert market.history("PWS") == first
