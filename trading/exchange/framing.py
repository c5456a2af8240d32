"""Frames on our Unix sockets: 4 bytes of length (big-endian), then the body. Pure."""

from __future__ import annotations

from trading.exchange.wire import FRAME_BYTES_MAX

LENGTH_BYTES = 4


class BadFrame(ValueError):
    """The peer does not speak our frames: close the connection."""


def frame(body: bytes) -> bytes:
    if len(body) > FRAME_BYTES_MAX:
        raise BadFrame(f"a frame of {len(body)} bytes: at most {FRAME_BYTES_MAX} are allowed")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


class Deframer:
    """Bytes in as they arrive, whole bodies out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Raises BadFrame when a length cannot be true."""
        self._buffer += data
        bodies: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= LENGTH_BYTES:
            size = int.from_bytes(self._buffer[start : start + LENGTH_BYTES], "big")
            if size > FRAME_BYTES_MAX:
                raise BadFrame(f"a frame of {size} bytes: at most {FRAME_BYTES_MAX} are allowed")
            end = start + LENGTH_BYTES + size
            if len(self._buffer) < end:
                break
            bodies.append(bytes(self._buffer[start + LENGTH_BYTES : end]))
            start = end
        if start:
            del self._buffer[:start]
        return bodies
