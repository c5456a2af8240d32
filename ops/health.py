"""Is it alive, is it ready: what a supervisor, a load balancer or a person asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from market.errors import MarketError
from market.feed.client import ask_sync as ask_feed
from market.models import FeedLease
from simgame.kernel import clock
from trading.exchange.client import ask_sync as ask_exchange
from trading.exchange.wire import Status
from trading.invariants import watch
from trading.models import ExchangeLease

BEAT_AGE_MAX = timedelta(seconds=10)  # a process that has not signed for so long does not serve
CHECKER_AGE_S_MAX = 30.0

Check = Callable[[], str]  # "" when all is well, else what is wrong


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(waiting)} migrations wait: run `manage.py migrate`" if waiting else ""


def _redis() -> str:
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=settings.REDIS_TIMEOUT_S)
    try:
        client.ping()
    except redis.RedisError as error:
        return f"no answer from Redis ({error}): news travels by polling"
    finally:
        client.close()
    return ""


def _feed() -> str:
    lease = FeedLease.objects.order_by("-beat_at").first()
    wrong = _fresh(lease, "feed")
    if wrong or lease is None:
        return wrong
    try:
        ask_feed(lease.world_id, {"op": "status"})  # it listens only once it has something to say
    except MarketError as error:
        return str(error)
    return ""


def _exchange() -> str:
    lease = ExchangeLease.objects.order_by("-beat_at").first()
    if lease is not None and lease.state == "quarantined":
        return f"the exchange is quarantined (cancel only): {lease.why}"
    if lease is not None and lease.state != "serving":
        return f"the exchange is {lease.state}"
    wrong = _fresh(lease, "exchange")
    if wrong or lease is None:
        return wrong
    reply = ask_exchange(lease.world_id, Status())
    if reply.outcome != "executed":
        return f"the exchange does not answer: {reply.detail or reply.code}"
    heard = reply.result and reply.result["tick_seq"]
    return "" if heard else "the exchange has not heard the feed yet: until then it refuses orders"


def _books() -> str:
    wrong = []
    for said in watch.summaries():
        if said.open_breaks:
            wrong.append(f"{said.world}: {said.open_breaks} open breaks of the books (admin: Breaks)")
        if said.age_s > CHECKER_AGE_S_MAX:
            wrong.append(f"{said.world}: nobody has looked at the books for {said.age_s:.0f} s (run_checker)")
    return "; ".join(wrong)


def _fresh(lease: FeedLease | ExchangeLease | None, name: str) -> str:
    if lease is None or lease.beat_at is None:
        return f"no {name} has ever run: start it with `manage.py run_{name}`"
    age = clock.now() - lease.beat_at
    return f"no sign of life from the {name} for {age.total_seconds():.0f} s" if age > BEAT_AGE_MAX else ""


CHECKS: dict[str, Check] = {
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "feed": _feed,
    "exchange": _exchange,
    "books": _books,
}
# Without these the game still plays, more slowly or with a portfolio frozen: reported, not required.
OPTIONAL = frozenset({"redis", "books"})


def livez(_request: HttpRequest) -> JsonResponse:
    """This process answers. Touches nothing else."""
    return JsonResponse({"status": "alive"})


def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when a player can trade now, else 503; the body says what is wrong and where."""
    results = {name: run(check) for name, check in CHECKS.items()}
    broken = [name for name, wrong in results.items() if wrong and name not in OPTIONAL]
    body = {
        "status": "not ready" if broken else "ready",
        "checks": {name: wrong or "ok" for name, wrong in results.items()},
    }
    return JsonResponse(body, status=503 if broken else 200, headers={"Cache-Control": "no-store"})


def run(check: Check) -> str:
    """What is wrong, "" when nothing is."""
    try:
        return check()
    except DatabaseError as error:
        return f"the database does not answer: {error.__class__.__name__}"
