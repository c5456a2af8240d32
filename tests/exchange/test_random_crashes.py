"""A state machine on engine and PostgreSQL: commands, commits, crashes before and after them, repeats.

After every step memory is sound; in the end the tables hold exactly what the journal makes.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ops.drills.books import Drill, make_world
from ops.drills.crowd import Told, opening
from ops.drills.indoors import TICKS
from trading.engine.commands import Freeze, Halt

numbers = itertools.count()


class Crashes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.drill: Drill | None = None

    @initialize(seed=st.integers(0, 10_000))
    def begin(self, seed: int) -> None:
        self.drill = Drill(make_world(f"machine-{next(numbers)}"), str(seed), self.runner)
        self.told: Iterator[Told] = self.drill.crowd.commands(10**9)
        for _ in range(len(opening(self.drill.crowd.people))):
            command, _, at = next(self.told)
            self.drill.apply(command, at)
        self.drill.commit()

    @rule(n=st.integers(1, 40))
    def commands(self, n: int) -> None:
        assert self.drill is not None
        for command, _, at in itertools.islice(self.told, n):
            self.drill.apply(command, at)

    @rule()
    def commit(self) -> None:
        assert self.drill is not None
        self.drill.commit()

    @rule(n=st.integers(1, 10))
    def twice(self, n: int) -> None:
        """The same request again, right after its batch: the same answer, and nothing happens."""
        assert self.drill is not None
        for command, _, at in itertools.islice(self.told, n):
            answer = self.drill.apply(command, at)
            if isinstance(command, (*TICKS, Halt, Freeze)) or answer is None or answer.outcome != "executed":
                continue
            self.drill.commit()
            events = self.drill.applier.head.seq
            again = self.drill.apply(command, at)
            assert again is not None
            assert again.replayed
            assert again.shown == answer.shown
            assert self.drill.applier.head.seq == events

    @rule()
    def crash_before_the_commit(self) -> None:
        assert self.drill is not None
        self.drill.kill(commit_first=False)

    @rule()
    def crash_after_the_commit(self) -> None:
        assert self.drill is not None
        self.drill.kill(commit_first=True)

    @invariant()
    def memory_is_sound(self) -> None:
        if self.drill is not None:
            assert self.drill.applier.engine.breaches() == []

    def teardown(self) -> None:
        if self.drill is not None:
            self.drill.commit()
            assert self.drill.check(full=True) is None
            assert self.drill.judge() is None
            self.drill.close()
        self.runner.close()


@pytest.mark.django_db(transaction=True)
def test_no_crash_bends_the_books() -> None:
    few = settings(
        max_examples=2, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Crashes, settings=few)
