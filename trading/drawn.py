"""Lines of a page as SVG paths: pure, whole numbers in, coordinates out. A table stands behind each."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

WIDTH: Final = 960
HEIGHT: Final = 180


def curve(points: Sequence[dict[str, Any]], field: str, base: str | None = None) -> dict[str, str]:
    """The path of `field` over `t`, the height of `base`, and the lowest and highest value there is.

    With fewer than two points there is no line: every value is "".
    """
    if len(points) < 2:
        return {"line": "", "base": "", "low": "", "high": ""}
    values = [Decimal(point[field]) for point in points]
    every = [*values, Decimal(base)] if base is not None else values
    low, high = min(every), max(every)
    first, last = points[0]["t"], points[-1]["t"]

    def x(at: int) -> str:
        return f"{WIDTH * (at - first) / ((last - first) or 1):.1f}"

    def y(value: Decimal) -> str:
        share = (value - low) / (high - low) if high > low else Decimal("0.5")
        return f"{HEIGHT - share * HEIGHT:.1f}"

    path = "".join(
        f"{'L' if index else 'M'}{x(point['t'])} {y(value)}"
        for index, (point, value) in enumerate(zip(points, values, strict=True))
    )
    return {
        "line": path,
        "base": y(Decimal(base)) if base is not None else "",
        "low": f"{low}",
        "high": f"{high}",
    }
