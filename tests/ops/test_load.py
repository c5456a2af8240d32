"""The load generator charges a stall to every order that it held up."""

from __future__ import annotations

import asyncio
import json
import os
from argparse import ArgumentTypeError
from contextlib import suppress
from typing import Any

import pytest

from ops.load import burn, flow, followed, orders, orders_client
from ops.load.bench import rates, span
from ops.load.open_client import Run, drive
from ops.load.pit import CLOSE, Pit

QUESTION = {
    "orders": [{"symbol": "X", "high": "10.10", "low": "9.50"}],
    "marketable": 50,
    "run": "r",
}


class Line:
    """A connection that remembers what it sent, and when that was meant to leave."""

    def __init__(self) -> None:
        self.meant = 0.0
        self.bodies: list[bytes] = []

    def send(self, meant: float, body: bytes) -> None:
        self.meant = meant
        self.bodies.append(body)


def test_an_order_that_waited_for_a_connection_counts_from_when_it_was_due():
    run, line = Run(QUESTION), Line()
    run.free.append(line)
    run._order(meant=1.0, now=1.0)
    run._order(meant=2.0, now=2.0)  # the only connection is busy
    assert list(run.late) == [2.0]
    run.answered(line, 200, b"{}")
    assert (line.meant, len(line.bodies), list(run.late)) == (2.0, 2, [])
    run.answered(line, 429, b'{"code":"RATE_LIMITED"}')
    assert (dict(run.errors), len(run.times[0]), run.out) == ({"429 RATE_LIMITED": 1}, 1, 0)


def test_a_long_run_says_in_which_minute_it_was_slow(capsys: pytest.CaptureFixture[str]):
    run = Run(QUESTION)
    for meant_s, took_s in ((0.5, 0.004), (59.9, 0.004), (61.0, 0.250), (61.5, 0.003), (180.0, 0.002)):
        run._took(meant_s, took_s)
    assert [list(minute) for minute in run.times] == [[0.004, 0.004], [0.250, 0.003], [], [0.002]]
    assert max(run.worst, key=run.worst.__getitem__) == 61
    assert capsys.readouterr().err.count("over") == 3  # progress, for who waits ten minutes


def test_people_buy_and_sell_at_prices_of_now_inside_the_days_limits():
    quote = {"symbol": "ALB", "bid": "10.00", "ask": "10.02", "limit_low": "9.60", "limit_high": "10.10"}
    offers = [flow.offer(quote), flow.offer(quote | {"symbol": "BHG", "limit_low": "", "limit_high": ""})]
    assert offers[0] == ("ALB", {"buy": "10.10", "sell": "9.90"}, {"buy": "9.60", "sell": "10.10"})
    assert offers[1].rests == {"buy": "9.50", "sell": "10.52"}
    assert flow.offer(quote | {"ask": ""}) is None, "a market with one side"
    sent = [flow.nth(n, offers, marketable=50) for n in range(400)]
    assert {(symbol, side) for symbol, side, _ in sent} == {
        (s, side) for s in ("ALB", "BHG") for side in flow.SIDES
    }
    fill = sum(price == offers[n % 2].reaches[side] for n, (_, side, price) in enumerate(sent))
    rest = sum(price == offers[n % 2].rests[side] for n, (_, side, price) in enumerate(sent))
    assert (fill, rest) == (200, 200)


def test_a_market_that_moved_is_followed():
    run, line = Run(QUESTION), Line()
    for bid, ask in (("10.00", "10.02"), ("11.00", "11.02")):
        quote = {"symbol": "ALB", "bid": bid, "ask": ask, "limit_low": "", "limit_high": ""}
        run.offers = [flow.offer(quote)]
        run._send(line, 0.0)
    prices = [float(json.loads(body)["limit_price"]) for body in line.bodies]
    assert prices == [9.90, 10.45], "a sell that can fill, and a buy that rests in the market of now"


def test_no_two_orders_of_a_run_share_a_key():
    offer = flow.Offer("ALB", {"buy": "10.10", "sell": "9.90"}, {"buy": "9.60", "sell": "10.10"})
    bodies = [json.loads(flow.body(n, offers, QUESTION)) for offers in ([], [offer]) for n in range(40)]
    assert len({body["client_order_id"] for body in bodies[:40]}) == 40
    assert [body["client_order_id"] for body in bodies[:2]] == ["r-0", "r-1"]
    prices = {(body["symbol"], body["side"], body["limit_price"]) for body in bodies}
    near, far = {("buy", "10.10"), ("sell", "9.90")}, {("buy", "9.60"), ("sell", "10.10")}
    assert prices == {("X", "buy", "10.10"), ("X", "buy", "9.50")} | {("ALB", *each) for each in near | far}


class Street:
    """A web server with one instrument whose price is higher at each look."""

    def __init__(self, looks: int):
        self.looks = looks  # that are answered, before the market goes away
        self.seen = 0
        self.orders: list[dict[str, str]] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                said = self.quotes() if head.startswith(b"GET") else await self.order(reader, head)
                writer.write(said)
                await asyncio.sleep(0.001)
        writer.close()

    def quotes(self) -> bytes:
        self.seen += 1
        if self.seen > self.looks:
            return b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n"
        price = 10 * self.seen
        quote = {"symbol": "X", "bid": f"{price}.00", "ask": f"{price}.00", "limit_low": "", "limit_high": ""}
        body = json.dumps({"quotes": {"X": quote}}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def order(self, reader: asyncio.StreamReader, head: bytes) -> bytes:
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        self.orders.append(json.loads(await reader.readexactly(length)))
        return b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


async def closed(street: Street) -> dict[str, Any]:
    async with await asyncio.start_server(street.answer, "127.0.0.1", 0) as server:
        here = {"port": server.sockets[0].getsockname()[1], "path": "/", "headers": [{}], "connections": 2}
        timing = {"warm_s": 0.0, "seconds": 0.5, "follows": True}
        return await orders_client.drive(QUESTION | here | timing)


async def test_who_sends_when_they_were_answered_follow_the_market_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(followed, "LOOK_S", 0.01)
    street = Street(looks=1_000)
    said = await closed(street)
    assert (said["errors"], said["acks_per_s"] > 0) == (0, True)
    assert len({order["client_order_id"] for order in street.orders}) == len(street.orders)
    first, last = (float(street.orders[n]["limit_price"]) for n in (0, -1))
    assert last > first
    assert {order["side"] for order in street.orders} == set(flow.SIDES)


async def test_a_market_that_went_away_is_no_measurement(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(followed, "LOOK_S", 0.01)
    for looks in (0, 3):
        with pytest.raises(SystemExit, match="could not be followed: no quotes"):
            await closed(Street(looks))


def test_rates_and_spans_are_read_as_people_write_them():
    assert rates("50,200,1000") == [50.0, 200.0, 1000.0]
    assert [span(text) for text in ("10", "90s", "10m", "1h")] == [10.0, 90.0, 600.0, 3600.0]
    for wrong in ("", "-1", "5,,6", "m", "nan"):
        with pytest.raises(ArgumentTypeError):
            rates(wrong)


def test_the_books_of_a_bench_hold():
    pit = Pit(symbols=2, players=3)
    for n in range(30):
        pit.do(pit.order(n, CLOSE + 5 if n % 2 else CLOSE - 20))
    assert pit.engine.state.fills_n == 15
    assert pit.engine.breaches() == []


def test_the_report_of_orders_tells_the_timetable_apart_from_the_closed_loop():
    closed = {"acks_per_s": 6_137, "p50_ms": 20.3, "p99_ms": 36.0, "p999_ms": 51.6, "errors": 0}
    timed = orders._timed(
        {"rate": 5_000.0, "sent": 40_000, "acks": 39_998, "p50_ms": 12.9, "p90_ms": 30.9, "p99_ms": 58.2,
         "p999_ms": 65.2, "max_ms": 69.1, "errors": {"429 RATE_LIMITED": 2}, "core_share": {"idle": 0.34}}
    )  # fmt: skip
    facts = {"orders_new": 1, "fills": 1, "breaks": 0, "batches": 3, "largest_batch": 39}
    ours = closed | {"at_rate": timed, "cpu_us_by_stage": {"rows": 89}, "prices": "fixed, buys only"} | facts
    nobody = {
        "name": "DRF + ORM",
        "acks_per_s": 0,
        "p50_ms": None,
        "p99_ms": None,
        "p999_ms": None,
        "errors": 9,
    }
    shown = orders.table({"ours": ours, "peer": nobody, "ratio": None})
    lines = {line.split("  ")[0]: line.split() for line in shown.splitlines() if line}
    assert lines["acks_per_s"][1:] == ["6,137", "0"]
    assert lines["ratio"][1:] == ["-"]
    assert "on a timetable of 5,000 orders/s" in shown
    assert lines["errors"][1:] == ["2"], "the last of the two: of 40,000 orders two were refused"
    assert lines["books"][1:3] == ["orders_new", "1,"]
    assert lines["prices of our orders"][4:] == ["fixed,", "buys", "only"]


async def test_the_report_says_how_much_of_a_core_each_watched_process_took():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        here = {"port": server.sockets[0].getsockname()[1], "path": "/", "headers": [{}], "connections": 1}
        said = await drive(QUESTION | here | {"watched": {"web": os.getpid()}, "rate": 50.0, "seconds": 0.1})
    assert set(said["core_share"]) == {"web", "client", "idle"}
    assert (said["acks"], said["errors"]) == (said["sent"], {})


def test_tokens_go_round_through_four_processes_that_only_burn_time():
    said: list[str] = []
    options = {"connections": 70, "seconds": 1.0, "runs": 2, "us": [10.0, 10.0, 10.0, 5.0]}
    found = burn.run(options, said.append)["ours"]
    assert len(said) == len(found["runs"]) == 2
    assert 0 < found["p50_ms"] <= found["p99_ms"] == min(each["p99_ms"] for each in found["runs"])
    assert burn.table({"ours": found}).count("\n") == 2


def test_who_asks_for_more_time_than_there_is_hears_that_no_token_came(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(burn, "LOST_S", 0.2)
    options = {"connections": 2, "seconds": 0.1, "runs": 1, "us": [5_000_000.0, 1.0, 1.0, 1.0]}
    with pytest.raises(RuntimeError, match="No token came round"):
        burn.run(options, print)


def test_burning_wants_to_know_what_each_of_the_four_costs():
    with pytest.raises(ArgumentTypeError, match="expected four numbers"):
        burn.shares("100,115,77")
    with pytest.raises(ArgumentTypeError, match="at most 256"):
        burn.tokens("257")
