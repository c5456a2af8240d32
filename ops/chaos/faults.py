"""Every fault by name: what is done to a running town, and what must be seen. Numbers: reliability 5.3.

An injection returns when the fault is over and healed; it gives the moment from which on the next ack
is waited for. What must happen and does not is raised as InVain.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psycopg

from ops.chaos.town import InVain, Lines, left, python, wait_for
from simgame.embedded import run_dir
from simgame.embedded.identity import server_identity
from simgame.kernel import failpoints as fp
from trading.engine.accounts import CORPORATE, system_account
from trading.engine.commands import CorporateAction
from trading.exchange.client import ask_sync
from trading.exchange.database import connect
from trading.exchange.wire import Status

FENCED = 4  # exit code of an exchange that another one took over from
KILLED = -signal.SIGKILL
ASLEEP_S = 10.0  # a paused writer sleeps so long, or until the other serves
HANG_S = 3.0  # Redis does not answer
LOCK_S = 4.0  # a rogue session holds a table
DISK_FULL_S = 3.0
RECOVERIES_KILLED = 5
BATCHES_MAX = 60  # a failpoint of the batch is armed for one of so many passings
JOB_PATIENCE_S = 240.0  # a market day takes half a minute, more on a busy machine
AFTER_COMMIT = 3  # the third passing of a job
DURING_ACKS = 5  # that must still come while something unneeded is away
DATABASE_FAULT_S = 30.0


@dataclass(frozen=True)
class Fault:
    name: str
    group: str
    says: str
    inject: Callable[[Any, Random], int]


def _moment(chance: Random) -> None:
    time.sleep(chance.random() * 1.5)


def _kill(name: str) -> Callable[[Any, Random], int]:
    def inject(drill: Any, chance: Random) -> int:
        _moment(chance)
        at = drill.town.kill(name)
        drill.town.restart(name)
        return at

    return inject


def _failpoint(name: str) -> Callable[[Any, Random], int]:
    """The exchange of the next life is armed; it takes over from the running one, and dies there."""

    def inject(drill: Any, chance: Random) -> int:
        job = name in JOBS
        nth = chance.randint(1, 3) if job else chance.randint(2, BATCHES_MAX)
        if name == fp.FP8_IN_RECOVERY:
            nth = 1
        former, armed = drill.town.start_rival(SIMGAME_FAILPOINTS=f"{name}=kill@{nth}")
        code = left(armed, f"the exchange armed with {name}@{nth}", JOB_PATIENCE_S)
        at = time.monotonic_ns()
        _insist(code == KILLED, f"{name} ended the exchange with {code}, not by SIGKILL")
        if name == fp.FP8_IN_RECOVERY:
            for _ in range(RECOVERIES_KILLED - 1):
                drill.town.restart("exchange", SIMGAME_FAILPOINTS=f"{name}=kill@1")
                left(drill.town.running["exchange"], "an exchange that dies in recovery")
                at = time.monotonic_ns()
        drill.town.restart("exchange")
        drill.expect_fenced(former)
        return at

    return inject


def _action_failpoint(drill: Any, chance: Random) -> int:
    """FP12: the exchange dies in a dividend; asked again under the same key it is paid once."""
    nth = chance.randint(1, 3)
    former, armed = drill.town.start_rival(SIMGAME_FAILPOINTS=f"{fp.FP12_CORPORATE_ACTION}=kill@{nth}")
    drill.expect_fenced(former)
    world = drill.world.number
    wait_for(lambda: ask_sync(world, Status()).result.get("tick_seq"), "the armed exchange")
    issuers = system_account(world, CORPORATE)
    symbol = chance.choice(drill.symbols)
    dividend = CorporateAction(issuers, f"drill-{chance.getrandbits(48)}", symbol, "dividend", cash=1)
    first = ask_sync(world, dividend)
    _insist(
        first.outcome == "unknown", f"a dividend was answered {first.outcome} {first.code} {first.detail}"
    )
    code = left(armed, "the exchange armed with fp12")
    at = time.monotonic_ns()
    _insist(code == KILLED, f"fp12 ended the exchange with {code}")
    drill.town.restart("exchange")
    again = wait_for(
        lambda: (said := ask_sync(world, dividend)).outcome == "executed" and said, "the dividend"
    )
    _insist(again.replayed == (nth == AFTER_COMMIT), f"killed at passing {nth}, replayed: {again.replayed}")
    return at


def _gateway_failpoint(drill: Any, chance: Random) -> int:
    """FP7: the web worker dies with frames handed to its sockets; who resumes gets each event once."""
    drill.town.stop("web")
    web = drill.town.start("web", SIMGAME_FAILPOINTS=f"{fp.FP7_GATEWAY_SENT}=kill@{chance.randint(5, 60)}")
    code = left(web, "the web worker armed with fp7", JOB_PATIENCE_S)
    at = time.monotonic_ns()
    _insist(code == KILLED, f"fp7 ended the web worker with {code}")
    drill.town.restart("web")
    return at


def _paused_writer(drill: Any, chance: Random) -> int:
    """The writer sleeps through a takeover and wakes with a batch in its hands."""
    _moment(chance)
    sleeper = drill.town.running["exchange"]
    sleeper.send_signal(signal.SIGSTOP)
    at = time.monotonic_ns()
    drill.town.start_rival()
    deadline = time.monotonic() + ASLEEP_S
    try:
        drill.wait_for_acks(at, 1)
        if chance.random() < 0.25:  # sometimes it sleeps the whole time, else it wakes into the takeover
            time.sleep(max(0.0, deadline - time.monotonic()))
    finally:
        sleeper.send_signal(signal.SIGCONT)
    drill.expect_fenced(sleeper)
    return at


def _two_at_once(drill: Any, chance: Random) -> int:
    """Two newcomers beside the one that serves: one of the three goes on."""
    _moment(chance)
    at = time.monotonic_ns()
    three = [drill.town.running["exchange"], drill.town.start_rival()[1], drill.town.start_rival()[1]]
    ended = wait_for(
        lambda: [p for p in three if p.poll() is not None][1:] and three, "two exchanges to leave"
    )
    alive = [process for process in ended if process.poll() is None]
    _insist(len(alive) == 1, f"of three exchanges {len(alive)} go on")
    drill.town.running["exchange"] = alive[0]
    for process in three:
        if process is not alive[0]:
            drill.expect_fenced(process)
    drill.town.retired = [process for process in drill.town.retired if process is not alive[0]]
    return at


def _backend(drill: Any, chance: Random) -> int:
    _moment(chance)
    at = time.monotonic_ns()
    with connect("chaos") as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND application_name LIKE 'simgame exchange %'"
        ).rowcount
    _insist(ended > 0, "no session of the exchange was found")
    return at


def _postgres(number: signal.Signals) -> Callable[[Any, Random], int]:
    """SIGQUIT is an immediate stop. Its sessions die with it; recovery replays the log."""

    def inject(drill: Any, chance: Random) -> int:
        _moment(chance)
        pid = drill.town.services.pids()["PostgreSQL"]
        at = time.monotonic_ns()
        os.kill(pid, number)
        wait_for(lambda: not drill.town.services.alive(), "PostgreSQL to be gone")
        drill.heal_database()
        return at

    return inject


def _disk_full(drill: Any, chance: Random) -> int:
    """No process of PostgreSQL may write one more byte to a file: what a full disk or quota looks like."""
    _moment(chance)
    pid = drill.town.services.pids()["PostgreSQL"]
    try:
        _limit_files(pid, "0")  # first, so that its new children have it too
        for each in _children_of(pid):
            _limit_files(each, "0")
        full = time.monotonic_ns()
        time.sleep(DISK_FULL_S)
        acks = drill.acks_between(full, time.monotonic_ns())
    finally:
        for each in [pid, *_children_of(pid)]:
            _limit_files(each, "unlimited")
    _insist(acks == 0, f"{acks} acks while nothing could be written")
    drill.heal_database()
    return time.monotonic_ns()


def _children_of(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in listed.read_text(encoding="utf-8").split()] if listed.exists() else []


def _limit_files(pid: int, size: str) -> None:
    """The soft limit of what it may write, by the server's own user: root may lack the right to."""
    program, identity = shutil.which("prlimit"), server_identity()
    _insist(program is not None and identity is not None, "disk-full needs the program prlimit (util-linux)")
    assert program is not None
    assert identity is not None
    command = [program, "--pid", str(pid), f"--fsize={size}:"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **identity.popen_options())
    gone = done.returncode and not Path(f"/proc/{pid}").exists()  # a full disk does that
    _insist(not done.returncode or gone, f"prlimit: {done.stderr.strip()}")


def _connections(drill: Any, chance: Random) -> int:
    """Everybody's connections are taken, and the exchange loses its own: it has a reserved one."""
    with connect("chaos") as connection:
        connection.execute("RESET ROLE")  # only the owner may make one
        connection.execute(
            "DO $$ BEGIN CREATE ROLE crowd LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
        params = connection.info.get_parameters() | {"user": "crowd", "application_name": "crowd"}
    crowd: list[psycopg.Connection] = []
    try:
        while True:
            crowd.append(psycopg.connect(**params))
    except psycopg.OperationalError:
        at = _backend(drill, chance)
        drill.wait_for_acks(at, DURING_ACKS)
        return at
    finally:
        for each in crowd:
            each.close()


def _rogue_lock(drill: Any, chance: Random) -> int:
    """Somebody's session holds the table of orders: nobody waits without end, all get an answer."""
    _moment(chance)
    with connect("chaos") as rogue:
        rogue.execute("BEGIN")
        rogue.execute("LOCK TABLE trading_order IN ACCESS EXCLUSIVE MODE")
        time.sleep(LOCK_S)
        waiting = rogue.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        ).fetchone()
        rogue.execute("ROLLBACK")
    _insist(waiting is not None and waiting[0] < drill.players, f"{waiting} sessions queued behind a lock")
    return time.monotonic_ns()


def _redis(number: signal.Signals, back_s: float) -> Callable[[Any, Random], int]:
    """No order may need it: acks go on while it is away."""

    def inject(drill: Any, chance: Random) -> int:
        _moment(chance)
        pid = drill.town.services.pids()["Valkey"]
        at = time.monotonic_ns()
        os.kill(pid, number)
        try:
            drill.wait_for_acks(at, DURING_ACKS)
            time.sleep(back_s)
        finally:
            if number == signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)
        drill.town.heal()
        return at

    return inject


def _commit_lost(word: str) -> Callable[[Any, Random], int]:
    """The exchange talks through a proxy, which cuts the wire around a COMMIT."""

    def inject(drill: Any, chance: Random) -> int:
        sockets = run_dir(drill.town.home) / "cut"
        sockets.mkdir(exist_ok=True)
        listen = sockets / ".s.PGSQL.5432"
        listen.unlink(missing_ok=True)
        command = python("ops.chaos.proxy", listen, run_dir(drill.town.home) / "db" / listen.name)
        proxy = Lines(drill.town.start("proxy", command))
        proxy.expect("listening")
        at = time.monotonic_ns()
        former, _ = drill.town.start_rival(DATABASE_URL=f"postgresql://simgame@/postgres?host={sockets}")
        drill.expect_fenced(former)
        drill.wait_for_acks(at, DURING_ACKS)
        for _ in range(3):
            at = time.monotonic_ns()
            proxy.tell(word)
            proxy.expect("cut")
            drill.wait_for_acks(at, DURING_ACKS)
        former, _ = drill.town.start_rival()
        drill.expect_fenced(former)
        drill.town.stop("proxy")
        return at

    return inject


def _insist(holds: bool, what: str) -> None:
    if not holds:
        raise InVain(what)


JOBS = (fp.FP9_EXPIRY, fp.FP10_CLOSE, fp.FP11_DAY_ROLL)
IN_BATCH = (
    fp.FP1_BEFORE_BEGIN,
    fp.FP2_BETWEEN_INSERTS,
    fp.FP3_BEFORE_COMMIT,
    fp.FP4_COMMIT_ANSWER,
    fp.FP5_BEFORE_ACK,
    fp.FP6_BEFORE_PUBLISH,
)
FAULTS = {
    fault.name: fault
    for fault in (
        *(
            Fault(n, "failpoints", "the exchange dies at this place of a batch", _failpoint(n))
            for n in IN_BATCH
        ),
        Fault(
            fp.FP7_GATEWAY_SENT, "failpoints", "a web worker dies between push and cursor", _gateway_failpoint
        ),
        Fault(
            fp.FP8_IN_RECOVERY, "failpoints", "five recoveries in a row die", _failpoint(fp.FP8_IN_RECOVERY)
        ),
        *(
            Fault(n, "failpoints", "the exchange dies in a job of the market day", _failpoint(n))
            for n in JOBS
        ),
        Fault(fp.FP12_CORPORATE_ACTION, "failpoints", "the exchange dies in a dividend", _action_failpoint),
        Fault("kill-exchange", "kills", "SIGKILL at a random moment", _kill("exchange")),
        Fault("kill-web", "kills", "SIGKILL at a random moment", _kill("web")),
        Fault("kill-feed", "kills", "SIGKILL at a random moment", _kill("feed")),
        Fault("paused-writer", "takeovers", "SIGSTOP, a takeover, SIGCONT: fenced, exit 4", _paused_writer),
        Fault(
            "two-at-once", "takeovers", "two exchanges are started beside the one that serves", _two_at_once
        ),
        Fault("backend-killed", "postgres", "the exchange's sessions are terminated", _backend),
        Fault(
            "postgres-immediate", "postgres-crashes", "immediate stop and restart", _postgres(signal.SIGQUIT)
        ),
        Fault("postgres-killed", "postgres-crashes", "SIGKILL of the postmaster", _postgres(signal.SIGKILL)),
        Fault("commit-answer-lost", "postgres", "the wire is cut after COMMIT", _commit_lost("answer")),
        Fault("commit-request-lost", "postgres", "the wire is cut before COMMIT", _commit_lost("request")),
        Fault("disk-full", "postgres", "PostgreSQL cannot write a byte for some seconds", _disk_full),
        Fault("connections-exhausted", "postgres", "no connection is left but the reserved", _connections),
        Fault("rogue-lock", "postgres", "a session locks the table of orders", _rogue_lock),
        Fault("redis-killed", "redis", "SIGKILL; acks go on without it", _redis(signal.SIGKILL, 0.5)),
        Fault("redis-hangs", "redis", "it stops answering; acks go on", _redis(signal.SIGSTOP, HANG_S)),
    )
}
GROUPS = sorted({fault.group for fault in FAULTS.values()})


def chosen(text: str) -> list[str]:
    """Names of faults from a list of names and groups, `all` for everything. Raises ValueError."""
    names: list[str] = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        mine = [f.name for f in FAULTS.values() if word in (f.name, f.group, "all")]
        if not mine:
            raise ValueError(f"there is no fault {word!r}: take {', '.join(['all', *GROUPS, *FAULTS])}")
        names += mine
    if not names:
        raise ValueError("name at least one fault")
    return names
