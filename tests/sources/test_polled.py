"""Markets that are asked over HTTP: real requests, a real Redis, a real Celery worker at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.conf import settings

from market.sources.base import State
from market.sources.polled import carry, workers
from market.sources.polled.dialect import Dialect
from market.sources.polled.sina import Sina
from market.sources.polled.source import Polled
from market.sources.polled.tencent import Tencent
from market.sources.polled.tushare import Tushare, denied
from market.ticks import Print, Quote
from simgame import embedded
from simgame.kernel.broker import broker
from tests.sources.stage import playing, scale, until
from tests.venues.process import Street, Venue

ONE, OTHER = "600000.SH", "000001.SZ"
SCALES = [scale(ONE), scale(OTHER)]
SECRET = "SIMGAME_TEST"


class Kind(NamedTuple):
    name: str
    api: str
    levels: int

    def dialect(self, there: Venue) -> Dialect:
        at = f"http://{there.address}"
        return {"sina": Sina(at), "tencent": Tencent(at), "tushare": Tushare(at, SECRET)}[self.name]

    def code(self, symbol: str) -> str:
        return symbol if self.name == "tushare" else f"{symbol[-2:].lower()}{symbol[:6]}"


@pytest.fixture(params=[Kind("sina", "sina", 5), Kind("tencent", "tencent", 5), Kind("tushare", "rt_k", 1)])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, street: Street) -> Venue:
    monkeypatch.setenv(f"{SECRET}_TOKEN", f"token-{uuid4().hex}")
    return street.fresh("quotes")


def source_of(dialect: Dialect, **more: Any) -> Polled:
    arguments = {
        "redis_url": settings.REDIS_URL,
        "send": carry.carry,
        "interval_s": 0.05,
        "per_minute": 60_000,
    }
    return Polled([ONE, OTHER], dialect, **arguments | more)  # type: ignore[arg-type]


async def test_quotes_with_their_depth_and_trades_from_the_days_volume(kind: Kind, there: Venue) -> None:
    source = source_of(kind.dialect(there))
    async with playing(source, SCALES) as stage:
        await until(lambda: source.state is State.LIVE, "the source is live")
        first = next(tick for tick in stage.of(ONE) if isinstance(tick, Quote))
        assert len(first.bids) == len(first.asks) == kind.levels
        assert (first.bids[0][0], first.asks[0][0]) == (999, 1000)
        if kind.levels == 5:
            assert first.bids[0][1] == 100
            assert first.asks[0][1] == 200
        assert not [tick for tick in stage.ticks if isinstance(tick, Print)]
        there.control("move", symbol=kind.code(ONE), price="10.05", volume=1_000_700)
        printed = await until(lambda: [t for t in stage.of(ONE) if isinstance(t, Print)], "a trade")
        assert [(t.price, t.size, t.made) for t in printed] == [(1005, 700, True)]


async def test_an_unknown_code_is_named_and_the_others_go_on(kind: Kind, there: Venue) -> None:
    there.control("forget", symbol=kind.code(OTHER))
    source = source_of(kind.dialect(there))
    async with playing(source, SCALES) as stage:
        await until(lambda: source.state is State.LIVE, "the source is live")
        assert set(source.subscriptions.refused) == {OTHER}
        await until(lambda: stage.of(ONE), "the other one")


@pytest.mark.parametrize("fault", ["500", "429", "garbage", "empty", "html"])
async def test_one_bad_answer_costs_one_round(kind: Kind, there: Venue, fault: str) -> None:
    source = source_of(kind.dialect(there))
    async with playing(source, SCALES) as stage:
        await until(lambda: source.state is State.LIVE, "the source is live")
        asked = there.control("fail", kind=fault)["asked"][kind.api]
        await until(lambda: there.control("status")["asked"][kind.api] > asked + 3, "it goes on asking")
        assert source.state is State.LIVE
        assert source.epoch == 1
        assert len(stage.malformed) == (fault in ("garbage", "empty", "html"))


async def test_many_bad_answers_are_a_lost_source_that_returns(kind: Kind, there: Venue) -> None:
    source = source_of(kind.dialect(there))
    async with playing(source, SCALES):
        await until(lambda: source.state is State.LIVE, "the source is live")
        there.control("fail", kind="500", count=3)
        await until(lambda: source.reconnects["venue"] == 1, "the loss")
        await until(lambda: source.state is State.LIVE, "the return")
        assert source.epoch == 2


async def test_the_account_asks_no_more_than_its_budget(there: Venue) -> None:
    source = source_of(Tushare(f"http://{there.address}", SECRET), per_minute=2)
    source.dialect.request([ONE])  # a budget has a name: the account's and the API's
    async with playing(source, SCALES):
        await until(lambda: "2 a minute" in source.note, "the budget is used up")
        assert there.control("status")["asked"]["rt_k"] <= 2


async def test_a_wrong_token_is_not_tried_again_at_once(there: Venue) -> None:
    there.control("fail", kind="login")
    source = source_of(Tushare(f"http://{there.address}", SECRET))
    async with playing(source, SCALES):
        await until(lambda: source.state is State.BACKOFF, "the refusal")
        assert source.reconnects["login_refused"] == 1


async def test_no_permission_is_said_and_not_asked_for_again(there: Venue) -> None:
    there.control("fail", kind="permission")
    source = source_of(Tushare(f"http://{there.address}", SECRET))
    async with playing(source, SCALES):
        await until(lambda: len(source.subscriptions.refused) == 2, "the refusal")
        assert "权限" in source.subscriptions.refused[ONE]


@pytest.mark.parametrize(
    ("code", "text", "reason", "wait_s"),
    [
        (40203, "抱歉,您每分钟最多访问该接口2次,权限的具体详情访问", "rate", 60),
        (40203, "抱歉,您每小时最多访问该接口1次,权限的具体详情访问", "rate", 3600),
        (40203, "抱歉,您没有接口访问权限", "permission", 0),
        (2002, "", "permission", 0),
        (40101, "您的token不对", "login", 0),
        (-2001, "必填参数", "bad_request", 0),
        (50101, None, "transient", 0),
    ],
)
def test_tushares_words_come_before_its_codes(
    code: int, text: str | None, reason: str, wait_s: float
) -> None:
    no = denied({"code": code, "msg": text, "data": None})
    assert (no.reason, no.wait_s) == (reason, wait_s)


@pytest.mark.django_db(transaction=True)
async def test_a_real_worker_carries_and_no_token_travels_through_the_broker(
    there: Venue, child_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", embedded.celery_url(child_env["REDIS_URL"]))
    broker.cache_clear()
    command = [sys.executable, "-m", "celery", "--quiet", "-A", "simgame.celery", "worker", "--pool", "solo"]
    worker = subprocess.Popen(
        [*command, "--without-mingle", "--without-gossip", "--without-heartbeat"],
        env=child_env,
    )
    try:
        dialect = Tushare(f"http://{there.address}", SECRET)
        request = dialect.request([ONE])
        assert os.environ[f"{SECRET}_TOKEN"] not in repr(request)
        source = source_of(dialect, send=workers.send)
        async with playing(source, SCALES) as stage:
            await until(lambda: stage.of(ONE), "a quote, by way of the worker")
        assert there.control("status")["tokens"] == [os.environ[f"{SECRET}_TOKEN"]]
    finally:
        worker.terminate()
        worker.wait()
