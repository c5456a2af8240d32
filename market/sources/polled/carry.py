"""The worker's half: send what the dialect wrote, bring the body back whole.

The answer goes into a list in Redis that the feed waits at; it is dropped when nobody fetches it. A
task that is delivered twice brings two answers: the feed takes the first.
"""

from __future__ import annotations

import httpx
import msgspec
import redis
from django.conf import settings

from market.sources.polled import budget
from market.sources.polled.dialect import Answer, Request
from simgame import env
from simgame.kernel import clock

KEPT_S = 60
HTTP_S = 8.0
BODY_MAX = 8 * 1024 * 1024

answer_of = msgspec.msgpack.Decoder(Answer).decode


def carry(request: Request, number: int, key: str, per_minute: int) -> Answer:
    """Ask, put the answer at `key`, return it. Never raises for what the venue does."""
    client = redis.from_url(settings.REDIS_URL, socket_timeout=5)
    try:
        answer = _ask(client, request, number, per_minute)
        with client.pipeline() as pipe:
            pipe.rpush(key, msgspec.msgpack.encode(answer))
            pipe.expire(key, KEPT_S)
            pipe.execute()
        return answer
    finally:
        client.close()


def _ask(client: redis.Redis, request: Request, number: int, per_minute: int) -> Answer:
    wait_s = budget.take(client, request.secret, request.api, per_minute, clock.now_ns() / clock.NS_PER_S)
    if wait_s:
        return Answer(number, error="no_budget", text=f"{request.api}: {per_minute} a minute", wait_s=wait_s)
    token = env.text(f"{request.secret}_TOKEN") if request.secret else ""
    if request.secret and not token:
        return Answer(number, error="login", text=f"{request.secret}_TOKEN is not set")
    content = request.body.replace("{token}", token).encode()
    try:
        answer = httpx.request(
            "POST" if content else "GET",
            request.url,
            headers=request.headers,
            content=content or None,
            timeout=HTTP_S,
        )
    except httpx.HTTPError as error:
        return Answer(number, error="network", text=type(error).__name__)
    if answer.status_code != 200 or len(answer.content) > BODY_MAX:
        return Answer(number, error=f"http_{answer.status_code}", text=request.api)
    return Answer(number, answer.content, received_ns=clock.now_ns())
