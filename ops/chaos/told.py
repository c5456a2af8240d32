"""The diary of all players as one history (`ops.drills.history`). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ops.chaos.acklog import Answer, Look, Wish
from ops.drills.history import History, Outcome, Read, Write


@dataclass
class Story:
    """A wish with all its attempts."""

    wish: Wish
    attempts: list[Answer] = field(default_factory=list)

    @property
    def final(self) -> Answer | None:
        return self.attempts[-1] if self.attempts and self.attempts[-1].decided else None


def history_of(stories: Iterable[Story], looks: Iterable[Look]) -> History:
    """Every attempt is a write of its own. A key used for another request says nothing of its command."""
    history = History()
    for story in stories:
        wish = story.wish
        if wish.reuse:
            continue
        key, client = (wish.portfolio, wish.kind, wish.key), str(wish.portfolio)
        for each in story.attempts:
            write = Write(client, key, each.sent_ns, each.at_ns, _outcome(each), each.order, each.replayed)
            history.writes.append(write)
    for look in looks:
        desk = look.desk
        seen = (desk["version"], desk["orders"], desk["balances"])
        history.reads.append(Read(str(look.portfolio), look.portfolio, look.sent_ns, look.at_ns, *seen))
    return history


def _outcome(answer: Answer) -> Outcome:
    if answer.executed:
        return "executed"
    return "not_executed" if answer.decided or answer.surely_not_executed else "unknown"
