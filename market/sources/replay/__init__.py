"""Recordings played again: see README.md in `market`. `describe` and `open_recording` are the doors."""

from market.sources.replay.facts import RecordingFacts
from market.sources.replay.shelf import describe, open_recording

__all__ = ["RecordingFacts", "describe", "open_recording"]
