"""The price of a call auction as plainly as can be: every tick is tried, or every pair is made."""

from __future__ import annotations

from typing import Any

Line = list[Any]  # (price, size, whose), who is served first to last


def price_of(ties: str, tick: int, reference: int, buys: Line, sells: Line) -> tuple[int, int]:
    """(price, volume); (0, 0) when nothing trades. `ties`: which price, where several trade as much.

    `pressure`: the least imbalance, then the side of those left over, then the nearest to the reference,
    then the higher. `middle`: of the prices named, those of the least imbalance, the middle of the lowest
    and the highest. `nearest`: the least imbalance, then the nearest to the reference. `last_pair`: of the
    last two who meet, the one who is left over; the middle when neither is.
    """
    named = {price for price, *_ in (*buys, *sells)}
    tried = []
    for price in range(min(named, default=0), max(named, default=0) + 1, tick):
        bought = sum(size for p, size, _ in buys if p >= price)
        sold = sum(size for p, size, _ in sells if p <= price)
        tried.append((min(bought, sold), bought - sold, price))
    most = max((volume for volume, *_ in tried), default=0)
    if not most:
        return 0, 0
    if ties == "last_pair":
        return _last_pair(tick, buys, sells), most
    best = [t for t in tried if t[0] == most and (ties != "middle" or t[2] in named)]
    even = min(abs(over) for _, over, _ in best)
    best = [t for t in best if abs(t[1]) == even]
    lowest, highest = best[0][2], best[-1][2]
    if ties == "middle":
        return _middle(lowest, highest, tick), most
    if ties == "pressure" and all(over > 0 for _, over, _ in best):
        return highest, most
    if ties == "pressure" and all(over < 0 for _, over, _ in best):
        return lowest, most
    return min((price for *_, price in best), key=lambda p: (abs(p - reference), -p)), most


def _last_pair(tick: int, buys: Line, sells: Line) -> int:
    bids, asks = [[p, size] for p, size, _ in buys], [[p, size] for p, size, _ in sells]
    bid, ask = bids[0], asks[0]
    while bids and asks and bids[0][0] >= asks[0][0]:
        bid, ask = bids[0], asks[0]
        size = min(bid[1], ask[1])
        bid[1] -= size
        ask[1] -= size
        bids, asks = [b for b in bids if b[1]], [a for a in asks if a[1]]
    if bool(bid[1]) == bool(ask[1]):
        return _middle(ask[0], bid[0], tick)
    return int(bid[0] if bid[1] else ask[0])


def _middle(low: int, high: int, tick: int) -> int:
    """Half a tick is rounded up."""
    return (low + high + tick) // (2 * tick) * tick
