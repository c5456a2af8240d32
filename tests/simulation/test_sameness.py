"""Same seed, same ticks, byte for byte: whoever runs it, however often it is asked, after any pause."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from django.conf import settings

from market.simulation import ALWAYS, STEP_NS, VENUE, BadState, SeededMarket
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
    steady = SeededMarket(5, START, VENUE, 28_800)
    steady.advance_to(START + 5 * SECOND)
    steady.skip_to(START + 60_000 * SECOND, 0)
    steady.begin_day(night=True)
    woken = SeededMarket(5, START, VENUE, 28_800)
    woken.restore(steady.state())
    later = START + 60_010 * SECOND
    assert encode(woken.advance_to(later)) == encode(steady.advance_to(later))
    assert woken.references(20261123) == steady.references(20261123)


def test_a_life_with_outages_and_days_can_be_lived_again_from_its_journal() -> None:
    first = SeededMarket(5, START)
    first.advance_to(START + 3 * SECOND)
    first.skip_to(START + 600 * SECOND, 597)
    first.advance_to(START + 605 * SECOND)
    first.begin_day()
    first.advance_to(START + 610 * SECOND)
    again = SeededMarket(5, START)
    again.relive(first.journal, first.step_no)
    assert again.state_hash() == first.state_hash()
    assert [entry[0] for entry in again.journal] == ["skip", "day"]


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
