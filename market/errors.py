"""Every way the market says no."""

from __future__ import annotations

from simgame.kernel.errors import Invalid, NotFound, SimGameError, Unavailable


class MarketError(SimGameError):
    """Any of them: what commands catch."""


class UnknownWorld(MarketError, NotFound):
    code, alpaca = "UNKNOWN_WORLD", 40410010
    title = "There is no world of this name"


class UnknownInstrument(MarketError, NotFound):
    code, alpaca = "UNKNOWN_INSTRUMENT", 40410011
    title = "There is no instrument of this symbol in this world"


class FeedUnavailable(MarketError, Unavailable):
    code, alpaca = "FEED_UNAVAILABLE", 50310010
    title = "The feed of this world is not running just now"


class BadControl(MarketError, Invalid):
    code, alpaca = "BAD_CONTROL", 40010010
    title = "The feed cannot do this"


class RecordingMissing(MarketError, NotFound):
    code, alpaca = "RECORDING_MISSING", 40410012
    title = "There is no recording here"


class RecordingUnknown(MarketError, Invalid):
    code, alpaca = "RECORDING_UNKNOWN", 40010011
    title = "This is no recording that can be replayed"


class FeedHeld(MarketError):
    """Another feed of the world holds its write-ahead log and does not let go."""

    code, status, alpaca, retryable = "FEED_HELD", 409, 40910010, True
    title = "Another feed serves this world and does not stop"


class BadInterval(MarketError, Invalid):
    code, alpaca = "BAD_INTERVAL", 40010012
    title = "There are no bars of this length"


class NotSeeded(MarketError, NotFound):
    code, alpaca = "NOT_SEEDED", 40410013
    title = "This world is not made from a seed"


class NotHidden(MarketError, Invalid):
    code, alpaca = "NOT_HIDDEN", 40010015
    title = "This world hides nothing"


class NotSealed(MarketError, NotFound):
    code, alpaca = "NOT_SEALED", 40410019
    title = "This world is no sealed season"


class RulesDoNotFit(MarketError, Invalid):
    code, alpaca = "RULES_DO_NOT_FIT", 40010014
    title = "This rulebook says nothing of the world's instruments on its day"


class BadSource(MarketError, Invalid):
    code, alpaca = "BAD_SOURCE", 40010013
    title = "This source of market data cannot be used as it is set"


class SourceAway(MarketError, Unavailable):
    code, alpaca = "SOURCE_AWAY", 50310011
    title = "The source of market data cannot be reached"
