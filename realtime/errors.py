"""Every way the post office says no by itself. The rest comes from `simgame.kernel.errors`."""

from __future__ import annotations

from simgame.kernel.errors import NotFound, Unavailable


class UnknownTopic(NotFound):
    code = "UNKNOWN_TOPIC"
    title = "There is no such topic, or it is not yours"


class TopicUnavailable(Unavailable):
    code = "TOPIC_UNAVAILABLE"
    title = "The topic cannot be read just now: subscribe again in a moment"
