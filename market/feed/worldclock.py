"""The clock of a world: the wall, or game time with speed, pause and seek. Pure: the wall comes in."""

from __future__ import annotations

SPEED_MAX = 1_000


class WorldClock:
    """World time is nanoseconds since 1970; it never runs backwards."""

    def __init__(self, wall_ns: int, start_ns: int | None = None, speed: int = 1):
        """Without `start_ns` the world runs on the wall clock: speed 1, and a pause is skipped over."""
        self.on_wall = start_ns is None
        self.speed = 1 if self.on_wall else speed
        self.paused = False
        self._world = wall_ns if start_ns is None else start_ns
        self._wall = wall_ns

    def now(self, wall_ns: int) -> int:
        if self.paused:
            return self._world
        if self.on_wall:
            self._world = max(self._world, wall_ns)
        elif wall_ns > self._wall:
            self._world += (wall_ns - self._wall) * self.speed
        self._wall = wall_ns
        return self._world

    def pause(self, wall_ns: int) -> None:
        self.now(wall_ns)
        self.paused = True

    def resume(self, wall_ns: int) -> None:
        if self.paused:
            self.paused, self._wall = False, wall_ns

    def set_speed(self, speed: int, wall_ns: int) -> None:
        """Raises ValueError: 1 to SPEED_MAX; a world on the wall clock has speed 1."""
        if self.on_wall and speed != 1:
            raise ValueError("This world runs on the wall clock: its speed is 1. Speed is for replays.")
        if not 1 <= speed <= SPEED_MAX:
            raise ValueError(f"Speed {speed} is not possible: 1 to {SPEED_MAX}.")
        self.now(wall_ns)
        self.speed = speed

    def seek(self, world_ns: int, wall_ns: int) -> None:
        """Jump forward. Raises ValueError for a time that has passed already."""
        if self.on_wall:
            raise ValueError("This world runs on the wall clock: it cannot be sought. Seek is for replays.")
        if world_ns < self.now(wall_ns):
            raise ValueError("World time never runs backwards.")
        self._world, self._wall = world_ns, wall_ns
