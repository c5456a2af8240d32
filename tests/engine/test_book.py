"""The price-time book against the plainest model: a sorted list."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.book import Book, BookSide


@dataclass(frozen=True)
class Entry:
    id: str
    price: int


@given(st.booleans(), st.lists(st.tuples(st.sampled_from(["add", "add", "remove"]), st.integers(1, 9))))
def test_it_keeps_price_and_then_time(buys: bool, steps: list[tuple[str, int]]):
    side: BookSide[Entry] = BookSide(buys=buys)
    model: list[Entry] = []
    for n, (what, number) in enumerate(steps):
        if what == "add":
            model.append(Entry(str(n), number))
            side.add(model[-1])
        elif model:
            side.remove(model.pop(number % len(model)))
        ordered = sorted(model, key=lambda entry: -entry.price if buys else entry.price)
        assert list(side) == ordered
        assert side.first() == (ordered[0] if ordered else None)
        prices = list(dict.fromkeys(entry.price for entry in ordered))
        assert [side.price(rank) for rank in range(len(prices) + 1)] == [*prices, None]
        assert bool(side) is bool(model)
        for price in range(10):
            assert list(side.at(price)) == [entry for entry in ordered if entry.price == price]


def test_what_is_not_in_it_cannot_be_removed():
    side: BookSide[Entry] = BookSide(buys=True)
    side.add(Entry("a", 5))
    with pytest.raises(KeyError):
        side.remove(Entry("b", 5))
    with pytest.raises(KeyError):
        side.remove(Entry("a", 6))


def test_a_book_is_crossed_when_a_bid_reaches_an_ask():
    book: Book[Entry] = Book()
    book.bids.add(Entry("a", 5))
    assert not book.is_crossed()
    book.asks.add(Entry("b", 6))
    assert not book.is_crossed()
    book.asks.add(Entry("c", 5))
    assert book.is_crossed()
