"""Proving the books: every invariant over everything, in one snapshot, tolerance zero.

`find` says what is broken in a connection's transaction; `reconcile` is a whole run with all that follows.
"""

from trading.invariants.queries import QUERIES, Found, Query, cheap, find
from trading.invariants.runs import Report, nightly, reconcile, reconcile_all

__all__ = ["QUERIES", "Found", "Query", "Report", "cheap", "find", "nightly", "reconcile", "reconcile_all"]
