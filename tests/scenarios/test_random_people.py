"""Four people do whatever comes to their minds in the moving seeded market, and the books hold all the time.

In the middle the exchange is killed with orders on their way; everybody asks again with the same key until
the answer is certain. Chance comes from a seed that is printed when a test fails.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from tests.scenarios.people import Answer, D, Person, Stream, told
from tests.scenarios.town import Town, wait_for

PEOPLE = ("Alice", "Bob", "Carol", "Dora")
STOCK = 400  # of each share, to begin with: about half of their money
STEPS, BATCH = 120, 8  # the invariants are asked after every batch
MEETING = 0.2  # of the steps
AT_ONCE = 25  # orders of each, while the exchange is killed
KILL_AFTER = 30
START = D("1000000.00")
BACK_OFF_S = 0.05  # of a polite client
AGAIN_MAX = 2_000
DECIDED = {200, 403, 422}
UNDECIDED = {503, 504}


class Somebody:
    """Plays by chance; remembers the key and the answer of every order."""

    def __init__(self, person: Person, seed: int, symbols: list[str]):
        self.person = person
        self.symbols = symbols
        self.chance = random.Random(seed)
        self.answers: dict[str, Answer] = {}
        self.asked_again = 0
        self.failure: BaseException | None = None

    def step(self) -> None:
        verb = self.chance.choices(
            [self.order, self.replace, self.cancel, self.cancel_all, self.nonsense, self.repeat],
            weights=[60, 12, 15, 2, 6, 5],
        )[0]
        verb()

    def begin(self) -> None:
        for symbol in self.symbols:
            self.certain("buy", STOCK, symbol)

    def meet(self, other: Somebody) -> None:
        """One rests between bid and ask, the other takes it, if the market is not quicker."""
        symbol, side = self.chance.choice(self.symbols), self.chance.choice(["buy", "sell"])
        price = D(self.quote(symbol)["bid"]) + D(self.chance.randint(1, 2)) / 100
        self.certain(side, 100, symbol, price, time_in_force="gtc")
        other.certain("sell" if side == "buy" else "buy", 100, symbol, price, time_in_force="ioc")

    def order(self) -> None:
        """Near the market on both sides of it, so that some rest, some meet each other and some trade."""
        symbol, side = self.chance.choice(self.symbols), self.chance.choice(["buy", "buy", "sell"])
        qty = self.chance.choice([100, 100, 200, 300, 1000])
        price = None
        if self.chance.random() > 0.15:
            price = D(self.quote(symbol)["bid"]) + D(self.chance.randint(-4, 5)) / 100
        force = self.chance.choice(["day", "gtc", "gtc", "ioc", "fok"])
        self.certain(side, qty, symbol, price, time_in_force=force)

    def nonsense(self) -> None:
        symbol = self.chance.choice(self.symbols)
        words = self.chance.choice([("buy", 130, symbol, "10.00"), ("buy", 100, symbol, "0.01"),
                                    ("sell", 1_000_000, symbol, None), ("buy", 1_000_000, symbol, None),
                                    ("buy", 100, "NOPE", "1.00"), ("buy", "NaN", symbol, "1.00"),
                                    ("buy", "1e18", symbol, None), ("buy", -100, symbol, None)])  # fmt: skip
        answer = self.person.order(*words)
        assert answer.status in {403, 422}, (words, answer)

    def repeat(self) -> None:
        """The same key with other words is refused, and nothing happens."""
        if self.answers:
            key = self.chance.choice(list(self.answers))
            answer = self.person.order("buy", 77_700, self.symbols[0], "1.00", client_order_id=key)
            assert (answer.status, answer.json["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED"), answer

    def replace(self) -> None:
        if order := self.one_open():
            change = self.chance.choice([{"qty": "100"}, {"qty": "900"}, {"limit_price": self.near(order)}])
            answer = self.person.replace(order, **change)
            assert answer.status in {200, 403, 404, 409, 422}, answer

    def cancel(self) -> None:
        if order := self.one_open():
            answer = self.person.cancel(order)
            assert answer.status in {204, 409}, answer

    def cancel_all(self) -> None:
        assert self.person.ask("DELETE", "/v2/orders").status == 207

    def certain(self, *words: Any, **more: Any) -> Answer:
        """An order under a new key, asked again until the answer is certain."""
        key = f"{self.person.name}-{len(self.answers)}"
        while (answer := self.person.order(*words, client_order_id=key, **more)).status in UNDECIDED:
            self.asked_again += 1
            assert self.asked_again < AGAIN_MAX, answer
            time.sleep(BACK_OFF_S)
        assert answer.status in DECIDED, answer
        self.answers[key] = answer
        return answer

    def hurry(self) -> None:
        """Many orders one after another, in a thread of its own."""
        try:
            for _ in range(AT_ONCE):
                side, price = self.chance.choice([("buy", None), ("sell", None), ("buy", self.limit_low())])
                self.certain(side, 100, self.symbols[0], price)
        except BaseException as failure:  # noqa: BLE001  told by the thread that waits for us
            self.failure = failure

    def limit_low(self) -> str:
        return self.quote(self.symbols[0])["limit_low"]

    def near(self, order: Any) -> str:
        return str(D(order["limit_price"]) + D(self.chance.choice([-2, -1, 1, 2])) / 100)

    def quote(self, symbol: str) -> Any:
        return self.person.read(f"/api/v1/quotes?symbols={symbol}")["quotes"][symbol]

    def one_open(self) -> Any:
        found = self.person.read("/v2/orders?status=open")
        return self.chance.choice(found) if found else None


@pytest.fixture
def people(town: Town, seeded: str) -> list[Somebody]:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    persons = [Person(town, name) for name in PEOPLE]
    symbols = persons[0].widest(3)
    return [Somebody(person, seed + n, symbols) for n, person in enumerate(persons)]


def test_whatever_they_do_the_books_hold(town: Town, seeded: str, people: list[Somebody]) -> None:
    chance = people[0].chance
    with ExitStack() as stack:
        streams = [stack.enter_context(Stream(one.person)) for one in people]
        for one in people:
            one.begin()
        wander(town, seeded, people, chance, STEPS // 2)
        kill_under_load(town, seeded, people)
        wander(town, seeded, people, chance, STEPS // 2)
        for one, stream in zip(people, streams, strict=True):
            what_they_were_told_is_so(one, stream)
    assert_it_was_a_lively_day(people)


def assert_it_was_a_lively_day(people: list[Somebody]) -> None:
    desks = [one.person.desk() for one in people]
    orders = Counter(row["status"] for desk in desks for row in desk["orders"])
    fills = Counter(row["against"] for desk in desks for row in desk["fills"])
    print(f"{orders} {fills} asked again {[one.asked_again for one in people]}")
    assert {"filled", "canceled", "rejected"} <= orders.keys()
    assert {"market", "player"} <= fills.keys()


def wander(town: Town, world: str, people: list[Somebody], chance: random.Random, steps: int) -> None:
    for n in range(steps):
        one, other = chance.sample(people, 2)
        if chance.random() < MEETING:
            one.meet(other)
        else:
            one.step()
        if n % BATCH == BATCH - 1:
            assert town.breaks(world) == []


def kill_under_load(town: Town, world: str, people: list[Somebody]) -> None:
    before = sum(len(one.answers) for one in people)
    threads = [threading.Thread(target=one.hurry) for one in people]
    for thread in threads:
        thread.start()
    wait_for(lambda: sum(len(one.answers) for one in people) >= before + KILL_AFTER, "orders under way")
    town.kill(f"exchange {world}")
    assert any(thread.is_alive() for thread in threads)
    town.start_exchange(world)
    while any(thread.is_alive() for thread in threads):
        assert town.breaks(world) == []
    for one in people:
        if one.failure:
            raise one.failure
    assert sum(one.asked_again for one in people) > 0, "nobody noticed"


def what_they_were_told_is_so(one: Somebody, stream: Stream) -> None:
    """Every answer stands in the books once; the stream missed nothing; the cash is what the fills moved."""
    person = one.person
    desk = person.desk()
    assert told(stream.read_to(desk["version"])) == told(desk)
    for key, answer in one.answers.items():
        row = answer.json if answer.status == 200 else answer.json.get("order")
        found = person.get(f"/v2/orders:by_client_order_id?client_order_id={key}")
        if row is None:  # refused before it was an order
            assert found.status == 404, (answer, found)
            continue
        assert (found.status, found.json["id"], found.json["qty"]) == (200, row["id"], found.json["qty"]), (
            found
        )
    fills = {fill["id"]: fill for message in stream.messages for fill in message["fills"]}
    moved = {"buy": D(0), "sell": D(0)}
    for fill in fills.values():
        cost = D(fill["cash"]) + D(fill["fee"]) if fill["side"] == "buy" else D(fill["cash"]) - D(fill["fee"])
        assert D(fill["cash"]) == D(fill["price"]) * D(fill["qty"])
        moved[fill["side"]] += cost
    (cash,) = desk["balances"]
    assert D(cash["posted"]) == START - moved["buy"] + moved["sell"]
    held: Counter[str] = Counter()
    for fill in fills.values():
        held[fill["symbol"]] += int(fill["qty"]) if fill["side"] == "buy" else -int(fill["qty"])
    assert {row["symbol"]: int(row["qty"]) for row in desk["positions"]} == dict(held)
