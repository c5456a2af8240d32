"""Lines of a page as SVG paths: pure, whole numbers in, coordinates out. A table stands behind each."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

WIDTH: Final = 960
HEIGHT: Final = 180
BAND_HALF: Final = 96  # of the plot of luck bands, from its zero to either end
EDGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)  # percent at its ends


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


def luck_edge(rows: Sequence[dict[str, Any]]) -> int:
    """Percent at the ends of the one axis on which the bands and returns of all rows have room."""
    drawn = [row for row in rows if row["luck"]]
    figures = (row["luck"][name] for row in drawn for name in ("low_pct", "high_pct"))
    most = max((abs(float(each)) for each in (*figures, *(row["return_pct"] for row in drawn))), default=0.0)
    return next((edge for edge in EDGES if edge >= most), EDGES[-1])


def luck(row: dict[str, Any], edge: int) -> dict[str, Any] | None:
    """Where a row's band and return lie, from -BAND_HALF to BAND_HALF; what is beyond stands at the end."""
    if not row["luck"]:
        return None

    def x(percent: str) -> float:
        return round(BAND_HALF * max(-1.0, min(1.0, float(percent) / edge)), 1)

    low, high = x(row["luck"]["low_pct"]), x(row["luck"]["high_pct"])
    return {"low": low, "high": high, "wide": round(high - low, 1), "at": x(row["return_pct"])}
