"""What an operator or a teacher can let happen: crash, squeeze, drought, news, halt. Pure.

A scenario is a logged event (`events.py`): the same event at the same step gives the same ticks. It works
through **spells**: for some steps the fair value is driven, depth, spread, pace and the lean of takers
are other than usual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from market.simulation import chance

USUAL: Final = 1_000
STEPS_PER_S: Final = 4
SECONDS_MAX: Final = 4 * 3_600
SIZE_MAX_PPM: Final = 300_000


class Mood(NamedTuple):
    """How it is now, in per mille of the usual; `lean`: how far takers lean to buying, of 128."""

    depth: int = USUAL
    spread: int = USUAL
    pace: int = USUAL
    impact: int = USUAL
    lean: int = 0


CALM: Final = Mood()


class Spell(NamedTuple):
    start: int  # after this step
    end: int  # up to this step
    drive: int  # return per step, chance.ONE = 100 %
    depth: int = USUAL
    spread: int = USUAL
    pace: int = USUAL
    impact: int = USUAL
    lean: int = 0

    def change(self, seen: int, step: int) -> int:
        """What it adds to the fair value's return between two steps."""
        return self.drive * max(min(step, self.end) - max(seen, self.start), 0)


def mood_of(spells: list[Spell], step: int) -> tuple[Mood, int]:
    """The mood at a step, and the step at which to ask again."""
    depth = spread = pace = impact = USUAL
    lean, until = 0, 1 << 62
    for spell in spells:
        if spell.start < step <= spell.end:
            depth, spread = depth * spell.depth // USUAL, spread * spell.spread // USUAL
            pace, impact = pace * spell.pace // USUAL, impact * spell.impact // USUAL
            lean += spell.lean
            until = min(until, spell.end + 1)
        elif step <= spell.start:
            until = min(until, spell.start + 1)
    return Mood(depth, spread, pace, impact, max(min(lean, 120), -120)), until


class Asked(NamedTuple):
    """A scenario as it was asked for. size_ppm: how far prices go (news: negative is bad news)."""

    kind: str
    size_ppm: int
    seconds: int


class Plot(NamedTuple):
    """How a kind of scenario goes."""

    about: str
    size_ppm: int  # unless somebody says otherwise
    seconds: int
    spells: Callable[[int, int, int], list[Spell]]  # (step, size_ppm, steps)
    by_beta: bool = False  # of the whole market: each share moves by its beta


def _per_step(size_ppm: int, steps: int) -> int:
    return size_ppm * chance.ONE // 10**6 // steps


def _crash(step: int, size_ppm: int, steps: int) -> list[Spell]:
    down, back = _per_step(-size_ppm, steps), _per_step(size_ppm * 2 // 5, steps * 4)
    after = step + steps
    return [
        Spell(step, after, down, depth=500, spread=2_000, pace=3_000, impact=1_500, lean=-80),
        Spell(after, after + steps * 4, back, depth=800, spread=1_300, pace=1_500, lean=10),
    ]


def _squeeze(step: int, size_ppm: int, steps: int) -> list[Spell]:
    up, back = _per_step(size_ppm, steps), _per_step(-size_ppm * 7 // 10, steps * 2)
    after = step + steps
    return [
        Spell(step, after, up, depth=450, spread=1_800, pace=3_000, impact=2_000, lean=90),
        Spell(after, after + steps * 2, back, depth=700, spread=1_500, pace=2_000, lean=-40),
    ]


def _drought(step: int, _: int, steps: int) -> list[Spell]:
    return [Spell(step, step + steps, 0, depth=150, spread=3_000, pace=350, impact=3_000)]


def _news(step: int, size_ppm: int, steps: int) -> list[Spell]:
    return [
        Spell(step, step + 1, _per_step(size_ppm, 1), spread=2_000),
        Spell(step, step + steps, 0, depth=700, spread=1_500, pace=2_500, lean=50 if size_ppm > 0 else -50),
    ]


def word_spreads(change: int, step: int) -> list[Spell]:
    """A company's own news, as a return: half within twenty seconds, the rest over three minutes."""
    first, last = 20 * STEPS_PER_S, 200 * STEPS_PER_S
    half = change // 2
    return [
        Spell(step, step + first, half // first, depth=700, spread=1_500, pace=2_500),
        Spell(step + first, step + last, half // (last - first), depth=850, spread=1_200, pace=2_000),
    ]


def _halt(_step: int, _size_ppm: int, _steps: int) -> list[Spell]:
    return []  # the instrument's own clock stands still: `Stock.halted_until`


PLOTS: Final = {
    # Slow enough that the venue's rule halts the wildest shares and the others go on trading.
    "crash": Plot("prices fall, depth goes, two fifths come back slowly", 70_000, 600, _crash, by_beta=True),
    "squeeze": Plot("buyers chase few sellers; most of it is lost again", 80_000, 240, _squeeze),
    "drought": Plot("a sixth of the depth, three times the spread, few trades", 0, 600, _drought),
    "news": Plot("worth jumps at once (a negative size: bad news); traders rush in", 40_000, 300, _news),
    "halt": Plot("nothing trades; then an auction reopens it", 0, 300, _halt),
}


def spells_of(asked: Asked, step: int, beta_ppm: int = 10**6) -> list[Spell]:
    """beta_ppm: of the share, when the scenario is one of the whole market."""
    plot = PLOTS[asked.kind]
    size_ppm = asked.size_ppm * beta_ppm // 10**6 if plot.by_beta else asked.size_ppm
    return plot.spells(step, size_ppm, asked.seconds * STEPS_PER_S)


def checked(kind: str, size_ppm: int | None, seconds: int | None) -> Asked:
    """Fills in what was not said. Raises ValueError with a sentence."""
    if kind not in PLOTS:
        raise ValueError(f"There is no scenario {kind[:40]!r}: {', '.join(PLOTS)}.")
    plot = PLOTS[kind]
    size = plot.size_ppm if size_ppm is None else size_ppm
    length = plot.seconds if seconds is None else seconds
    if not 1 <= length <= SECONDS_MAX:
        raise ValueError(f"A scenario lasts 1 to {SECONDS_MAX} seconds.")
    if abs(size) > SIZE_MAX_PPM or (size < 0 and kind != "news"):
        raise ValueError("The size is up to 30 %, and negative for bad news only.")
    return Asked(kind, size, length)
