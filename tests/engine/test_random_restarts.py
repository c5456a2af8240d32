"""The random commands with terms, and among them restarts: the engine goes on from its rows."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule

from tests.engine.test_random_commands import restored
from tests.engine.test_random_terms import RandomTerms


class RandomRestarts(RandomTerms):
    @rule()
    def crash(self) -> None:
        """The feed tells the day again; quotes come when they come, and until then orders wait."""
        before = self.engine.state_hash()
        self.engine = restored(self.engine, self.audit)
        assert self.engine.state_hash() == before
        self.tick_phase()
        self.references()

    def same_commands_same_bytes(self) -> None:
        """Not without the restarts: `manage.py replay_journal` and `drill books` replay those too."""


RandomRestarts.TestCase.settings = settings(
    max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRandomRestarts = RandomRestarts.TestCase
