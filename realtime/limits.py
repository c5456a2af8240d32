"""Every limit of the post office, each with its reason. Tests and drills pass their own `Limits`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    # --- what a client may send
    frame_bytes: int = 16_384  # 200 topics with `since` fit; nothing honest is larger
    commands_per_s: float = 20.0  # a page that switches symbols as fast as a hand can sends 5
    commands_burst: int = 100  # a page that opens everything at once
    commands_per_frame: int = 50  # an array of commands
    topics_per_socket: int = 200  # a watchlist of 60 with quote, depth and trades
    interval_ms_least: int = 50  # below it, conflation costs more than it saves
    interval_ms_most: int = 10_000  # above it, polling is the better tool
    # --- who may connect
    sockets_per_player: int = 32  # tabs, phone and some bots
    sockets_per_worker: int = 10_000  # file descriptors
    # --- when a silent socket goes
    ping_s: float = 25.0  # below the 30 s after which common proxies cut an idle connection
    pong_s: float = 10.0
    auth_s: float = 10.0
    close_s: float = 10.0  # how long a slow socket may take to accept its close frame
    revocation_s: float = 3.0  # period of the check: with its own duration it stays below 5 s
    # --- what a slow client may make us keep (references to shared texts)
    every_messages: int = 1_024
    every_bytes: int = 1_048_576
    array_bytes: int = 131_072  # of pushes in one frame: common clients refuse frames above 1 MiB
    # Daphne's `send` never waits, so we count ourselves what a client has not shown to have read: ask
    # for a pong early, and hold what follows until it comes.
    unheard_ask_bytes: int = 65_536  # 3 s of a 20 KB/s link, within the time for a pong
    unheard_most_bytes: int = 262_144  # 2.6 MB/s at 100 ms there and back

    # --- what we keep for those who come back
    history_every: int = 256
    history_merge: int = 64
    history_latest: int = 8
    idle_topics_latest: int = 16_384  # topics without a subscriber, oldest forgotten first
    idle_topics_merge: int = 64
    idle_topics_every: int = 1_024
    recover_messages: int = 500  # more missed than this: a snapshot is quicker
    # --- what we ask of the owners of topics
    owner_calls: int = 8  # at a time: a storm of reconnects must not become a storm of queries
    owner_timeout_s: float = 5.0
    snapshot_reuse_s: float = 1.0  # a storm on one topic asks its owner once
    degrade_s: float = 1.0  # how often the switches are looked at: operators wait for an effect
    poll_s: float = 1.0  # while the bus is down
    sweep_s: float = 10.0  # topics whose owner has `since`: a hint may be lost, the table is not
