"""Does a server answer on its socket? Spoken in its own protocol, without a client library."""

from __future__ import annotations

import socket
import struct
from enum import Enum
from pathlib import Path

PROBE_TIMEOUT_S = 2.0
PROTOCOL_3_0 = 196608
CANNOT_CONNECT_NOW = b"C57P03\0"  # starting up, shutting down or recovering


class Answer(Enum):
    READY = "ready"
    BUSY = "busy"  # somebody is there, not yet or no longer of use
    DOWN = "down"


def postgres(path: Path) -> Answer:
    """A start-up packet; READY when the server goes on to authenticate us (or is full)."""
    body = struct.pack("!i", PROTOCOL_3_0) + b"user\0simgame\0database\0postgres\0\0"
    reply = _exchange(path, struct.pack("!i", len(body) + 4) + body)
    if reply is None:
        return Answer.DOWN
    if not reply or CANNOT_CONNECT_NOW in reply:
        return Answer.BUSY
    return Answer.READY


def valkey(path: Path) -> Answer:
    reply = _exchange(path, b"PING\r\n")
    if reply is None:
        return Answer.DOWN
    return Answer.READY if reply.startswith(b"+PONG") else Answer.BUSY


def _exchange(path: Path, message: bytes) -> bytes | None:
    """The first bytes of the answer; b"" when it closed or kept silent; None when nobody is there."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PROBE_TIMEOUT_S)
        try:
            connection.connect(str(path))
        except OSError:
            return None
        try:
            connection.sendall(message)
            return connection.recv(4096)
        except OSError:
            return b""
