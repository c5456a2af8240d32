"""How long a source waits before it tries again."""

from __future__ import annotations

import random

from market.sources.live.backoff import CAP_S, CUT_S, CUTS_MAX, RESET_S, Backoff


def test_patience_grows_with_each_failure_up_to_half_a_minute():
    waits = [max(Backoff.next(one, 0.0) for one in crowd) for crowd in _crowds(8)]
    assert waits[:6] == sorted(waits[:6])
    assert 0.9 * CAP_S < waits[-1] <= CAP_S


def test_a_good_connection_makes_the_next_wait_short_again():
    backoff = Backoff(random.Random(1))
    for _ in range(10):
        backoff.next(0.0)
    assert backoff.next(RESET_S) <= 0.5


def test_a_series_of_cut_connections_does_not_make_it_wait_longer():
    backoff = Backoff(random.Random(1))
    assert max(backoff.next(1.0, cut=True) for _ in range(CUTS_MAX)) <= CUT_S


def test_a_venue_that_hangs_up_again_and_again_is_left_in_peace():
    backoff = Backoff(random.Random(1))
    for _ in range(CUTS_MAX):
        backoff.next(1.0, cut=True)
    assert max(backoff.next(1.0, cut=True) for _ in range(20)) > 10.0


def test_a_connection_that_was_never_live_was_not_cut():
    backoff = Backoff(random.Random(1))
    assert max(backoff.next(0.0, cut=True) for _ in range(20)) > 10.0


def _crowds(steps: int) -> list[list[Backoff]]:
    """Two hundred of them after 0, 1, 2 … failures."""
    crowds = []
    for failures in range(steps):
        crowd = [Backoff(random.Random(n)) for n in range(200)]
        for one in crowd:
            for _ in range(failures):
                one.next(0.0)
        crowds.append(crowd)
    return crowds
