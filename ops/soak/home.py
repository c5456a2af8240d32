"""The environment of a private world for a drill: where its home is, and where the feed finds our venue."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ops.soak import street

NOT_OURS = ("DATABASE_URL", "REDIS_URL", "SIMGAME_FAILPOINTS", "SIMGAME_WORLD")
VENUE = "SOAK_VENUE"  # the venue's own address; what the feed is told may lead over a wire


def environment(home: Path, symbols: int, *, sources: str = "binance", wire: bool = False) -> dict[str, str]:
    """What processes of this home are started with, on ports that are free now."""
    venue = free_port()
    ports = [free_port(), free_port()] if wire else [venue, venue]
    clean = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    return clean | {
        "SIMGAME_HOME": str(home),
        "DJANGO_SETTINGS_MODULE": "simgame.settings",
        "SIMGAME_LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
        "SIMGAME_CRYPTO_SYMBOLS": ",".join(street.symbols(symbols)),
        "SIMGAME_CRYPTO_SOURCES": sources,
        "SIMGAME_BINANCE_WS": f"ws://127.0.0.1:{ports[0]}/stream",
        "SIMGAME_BINANCE_REST": f"http://127.0.0.1:{ports[0]}",
        "SIMGAME_OKX_REST": f"http://127.0.0.1:{ports[1]}",
        "SIMGAME_OKX_WS": f"ws://127.0.0.1:{ports[1]}/ws/v5/public",
        "SIMGAME_START_CASH": "100000000",
        VENUE: f"http://127.0.0.1:{venue}",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
