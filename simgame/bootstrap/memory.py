"""Large pages for processes that live long and touch much memory little by little.

What they look up has often left the processor's caches, and finding the page costs as much as reading it:
with Python's objects on pages of 2 MB the feed takes a sixth less of a core (docs/decisions/0082).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

KERNEL = Path("/sys/kernel/mm/transparent_hugepage/enabled")
LIBC_LEAST = (2, 35)  # the first with the tunable
# The C library's own allocator instead of Python's, and it asks the kernel for large pages.
ON_LARGE_PAGES = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def large_pages(environment: Mapping[str, str], kernel: Path = KERNEL) -> dict[str, str]:
    """What to add to the environment; nothing where there are none, or the operator chose otherwise."""
    if ON_LARGE_PAGES.keys() & environment.keys() or _libc() < LIBC_LEAST:
        return {}
    try:
        offered = "[never]" not in kernel.read_text(encoding="ascii")
    except OSError:
        return {}
    return dict(ON_LARGE_PAGES) if offered else {}


def again_on_large_pages(words: list[str]) -> None:
    """The same command in the same process from the beginning, if that gives it large pages."""
    more = large_pages(os.environ)
    if more:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *words], os.environ | more)


def _libc() -> tuple[int, ...]:
    """The version of glibc; (0,) for another C library."""
    try:
        said = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return (0,)
    return tuple(map(int, re.findall(r"\d+", said)[:2])) or (0,)
