"""Depth for recordings that have none, by one stated rule. Such quotes are marked `made`. Pure.

Five levels a side, one tick apart. The touch stands at the last price on the side that was taken and
one tick off on the other: after a buy the ask is the last price, after a sell the bid is; when the
side is unknown both are one tick off. Level k (from 1) shows k times the given size.
"""

from __future__ import annotations

from market.ticks import Level

LEVELS = 5


def depth(last: int, side: str, tick: int, size: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """(bids, asks) around a last price, both scaled; prices stay above zero."""
    ask = last if side == "buy" else last + tick
    bid = last if side == "sell" else last - tick
    bids = tuple((bid - n * tick, (n + 1) * size) for n in range(LEVELS) if bid - n * tick > 0)
    asks = tuple((ask + n * tick, (n + 1) * size) for n in range(LEVELS))
    return bids, asks


def taker(last: int, before: int, side_before: str) -> str:
    """The tick rule (Lee and Ready 1991): up is a buy, down a sell, unchanged as before."""
    if last > before > 0:
        return "buy"
    return "sell" if last < before else side_before
