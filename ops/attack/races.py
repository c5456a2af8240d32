"""S20 to S22: limits, guessing, and limited things that many want at once."""

from __future__ import annotations

import asyncio
from collections import Counter

from accounts import tokens
from ops.attack import timing
from ops.attack.line import Answer, Line
from ops.attack.stage import PASSWORD, Stage, in_thread
from ops.attack.tally import Tally, attack
from simgame.kernel import clock
from trading import invariants
from trading.models import Order, Portfolio

RATE = 20
WANTING = 100


@attack(
    "S20", "A limit holds against a burst, other tokens, forged addresses and other spellings, without Redis."
)
async def s20(stage: Stage, tally: Tally) -> None:
    whole, rate = stage.port, str(RATE)
    settings = {"SIMGAME_REQUEST_RATE": rate, "SIMGAME_ORDER_RATE": rate, "REDIS_URL": "redis://127.0.0.1:1"}
    async with stage.another_web(**settings) as port:
        stage.port = port
        try:
            await _bursts(stage, tally)
        finally:
            stage.port = whole


async def _bursts(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("hasty")
    pairs = [await in_thread(tokens.issue)(who.player, f"device {n}") for n in range(4)]
    many = stage.count(200, 80)

    async def reads(line: Line, number: int) -> Answer:
        path = ("/api/v1/keys", "/api/v1/keys?", "/api/v1/keys?x", "/api/v1/auth/sessions")[number % 4]
        return await line.ask(
            "GET",
            path,
            authorization=f"Bearer {pairs[number % 4].access}",
            x_forwarded_for=f"10.0.0.{number}",
            forwarded=f"for=10.0.0.{number}",
            x_real_ip=f"10.0.0.{number}",
        )

    async def strangers(line: Line, number: int) -> Answer:
        return await line.ask("GET", "/api/v1/games", x_forwarded_for=f"10.0.1.{number}")

    async def orders(line: Line, number: int) -> Answer:
        path = "/v2/orders" if number % 2 else "/v2/orders/"
        return await line.ask("DELETE", path, **who.key)

    async def names(line: Line, number: int) -> Answer:
        body = {"username": f"x{number}", "password": "1"}
        return await line.ask("POST", "/api/v1/auth/register", body, x_forwarded_for=f"10.0.2.{number}")

    for what, ask, rate, window in (
        ("a player's requests", reads, RATE, 1.0),
        ("a stranger's requests", strangers, RATE, 1.0),
        ("orders", orders, RATE, 1.0),
        ("registrations", names, 30, 60.0),
    ):
        await stage.line().ask("GET", "/livez")
        began = clock.monotonic_s()
        answers = await stage.at_once(many, ask)
        most = rate * (1 + (clock.monotonic_s() - began) / window) + 1
        passed = [answer for answer in answers if answer.status != 429]
        tally.tried += many
        tally.expect(len(passed) <= most, f"{what}: {len(passed)} of {many} passed, at most {most:.0f} may")
        refused = [answer for answer in answers if answer.status == 429]
        told = all("retry-after" in answer.headers for answer in refused)
        tally.expect(bool(refused) and told, f"{what}: {Counter(answer.status for answer in answers)}")
        tally.facts[what] = len(passed)


@attack(
    "S21", "Nobody learns by body or time whether a player exists; guessing one locks nobody else out.", 420
)
async def s21(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("known")
    sources = (f"127.0.{part}.{number}" for part in range(1, 9) for number in range(1, 250))
    bodies: set[bytes] = set()

    async def sign_in(name: str) -> None:
        line = stage.line(next(sources))
        said = await line.ask(
            "POST", "/api/v1/auth/token", {"username": name, "password": "wrong horse battery"}
        )
        line.close()
        tally.expect(said.status == 401, f"{name}: {said.status}")
        bodies.add(repr(sorted(said.told.items())).encode())

    await timing.same(
        stage,
        tally,
        "sign-in",
        lambda: sign_in(who.player.username),
        lambda: sign_in("nobody-of-that-name"),
        stage.count(40, 5),
    )
    tally.expect(len(bodies) == 1, f"the refusals differ: {bodies}")
    guess = {"username": who.player.username, "password": "guess"}
    lines = [stage.line("127.0.9.9") for _ in range(60)]
    said = await asyncio.gather(*(line.ask("POST", "/api/v1/auth/token", guess) for line in lines))
    tally.expect(any(each.status == 429 for each in said), "60 guesses from one address are all looked at")
    good = {"username": who.player.username, "password": PASSWORD}
    owner = await stage.line("127.0.9.10").ask("POST", "/api/v1/auth/token", good)
    tally.expect(owner.status == 200, f"guesses of others lock the player out: {owner.status}")


@attack("S22", "Of a hundred who want what is there once exactly one gets it, and the books hold.")
async def s22(stage: Stage, tally: Tally) -> None:
    prices = await stage.prices()
    symbol, price = max(prices.items(), key=lambda item: item[1])
    rounds = stage.count(5, 1)
    with stage.counted(rounds):
        for _ in range(rounds):
            who = await stage.newcomer("wanting")
            await _one_order(stage, tally, who.key, symbol, price)
            await _one_sale(stage, tally, who.key, symbol, price)
            await _one_name(stage, tally, who.key, symbol, price)
            stage.tick(1)
    await _one_seat(stage, tally)
    await _one_key_too_many(stage, tally)
    report = await in_thread(invariants.reconcile)(stage.world)
    tally.expect(report.breaks == 0, f"the books: {[found.as_dict() for found in report.found[:5]]}")


async def _one_order(stage: Stage, tally: Tally, key: dict[str, str], symbol: str, price: int) -> None:
    """Each wants six tenths of the cash."""
    line = stage.line(**key)
    cash = int(float((await line.ask("GET", "/v2/account")).json["cash"]) * 100)
    qty, limit = cash * 6 // 10 // price // 100 * 100, f"{price * 97 // 10_000}.{price * 97 // 100 % 100:02}"
    body = {
        "symbol": symbol,
        "side": "buy",
        "type": "limit",
        "limit_price": limit,
        "time_in_force": "day",
        "qty": str(qty),
    }
    answers = await stage.at_once(WANTING, lambda line, _: line.ask("POST", "/v2/orders", body, **key))
    _exactly(tally, answers, 1, f"orders for cash of one ({qty} {symbol} at {limit})")
    await line.ask("DELETE", "/v2/orders")


async def _one_sale(stage: Stage, tally: Tally, key: dict[str, str], symbol: str, price: int) -> None:
    """Each wants to sell all that is held, at a price that nobody pays yet."""
    line = stage.line(**key)
    buy = {"symbol": symbol, "side": "buy", "type": "market", "time_in_force": "day", "qty": "100"}
    await line.ask("POST", "/v2/orders", buy)
    held = [row for row in (await line.ask("GET", "/v2/positions")).json if row["symbol"] == symbol]
    free = held[0]["qty_available"] if held else "0"
    if float(free) <= 0:
        tally.facts["sales"] = f"{symbol} cannot be sold today"
        return
    limit = f"{price * 104 // 10_000}.{price * 104 // 100 % 100:02}"
    sell = buy | {"side": "sell", "type": "limit", "limit_price": limit, "qty": free}
    answers = await stage.at_once(WANTING, lambda line, _: line.ask("POST", "/v2/orders", sell, **key))
    _exactly(tally, answers, 1, f"sales of the same {free} {symbol}")
    await line.ask("DELETE", "/v2/orders")


async def _one_name(stage: Stage, tally: Tally, key: dict[str, str], symbol: str, price: int) -> None:
    """One client_order_id, a hundred times: one order, told to all."""
    body = {"symbol": symbol, "side": "buy", "type": "limit", "limit_price": f"{price * 97 // 10_000}.00"}
    body |= {"time_in_force": "day", "qty": "100", "client_order_id": f"once-{clock.now_ns()}"}
    answers = await stage.at_once(WANTING, lambda line, _: line.ask("POST", "/v2/orders", body, **key))
    ids = {answer.json["id"] for answer in answers if answer.status == 200}
    rows = await in_thread(lambda: Order.objects.filter(client_order_id=body["client_order_id"]).count())()
    tally.tried += WANTING
    tally.expect(len(ids) == rows == 1, f"one client_order_id made {rows} orders and told of {len(ids)}: "
                 f"{Counter(answer.status for answer in answers)}")  # fmt: skip


def _exactly(tally: Tally, answers: list[Answer], count: int, what: str) -> None:
    statuses = Counter(answer.status for answer in answers)
    tally.tried += len(answers)
    odd = [answer.body[:160] for answer in answers if answer.status not in (200, 403)][:1]
    held = statuses[200] == count and statuses[403] == len(answers) - count
    tally.expect(held, f"{what}: {dict(statuses)} {odd}")


async def _one_seat(stage: Stage, tally: Tally) -> None:
    """Fifty first calls to join one game: one portfolio."""
    host, guest = await stage.newcomer("host"), await stage.newcomer("guest")
    game = (await stage.line(**host.bearer).ask("POST", "/api/v1/games", {"name": "a race"})).json
    path, body = f"/api/v1/games/{game['slug']}/join", {"invitation": game["invitation"]}
    answers = await stage.at_once(50, lambda line, _: line.ask("POST", path, body, **guest.bearer))
    rows = await in_thread(
        lambda: Portfolio.objects.filter(player=guest.player, game_id=game["id"]).count()
    )()
    tally.tried += 50
    told = Counter(answer.status for answer in answers)
    tally.expect(rows == 1 and told == {200: 50}, f"one seat: {rows} portfolios, {told}")


async def _one_key_too_many(stage: Stage, tally: Tally) -> None:
    who = await stage.newcomer("collector")
    made = await stage.at_once(40, lambda line, _: line.ask("POST", "/api/v1/keys", {}, **who.bearer))
    rows = len((await stage.line(**who.bearer).ask("GET", "/api/v1/keys")).json)
    tally.tried += 40
    tally.expect(
        rows == 20, f"{rows} keys of a portfolio that may have 20: {Counter(each.status for each in made)}"
    )
