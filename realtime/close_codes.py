"""Why a socket was closed, as numbers that tell the client whether to come back.

4000 to 4499: connect again (with back-off) and resume. 4500 to 4999: stay away until something
about the client has changed.
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    SHUTDOWN = 4001
    SLOW = 4008
    POSITION_LOST = 4010
    NO_PONG = 4012
    TOO_MANY_REQUESTS = 4013
    BAD_TOKEN = 4500
    BAD_REQUEST = 4501
    AUTH_LATE = 4502
    TOO_MANY_SOCKETS = 4504
    TOO_MANY_TOPICS = 4505
    FORBIDDEN = 4507

    @property
    def comes_back(self) -> bool:
        return self < 4500

    @property
    def reason(self) -> str:
        """The close frame's reason: for people who read a console. At most 123 bytes."""
        return self.name.lower().replace("_", " ")
