"""The figures as a picture: SVG, written by hand, no library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from market.calibration.figures import TARGETS, Figures, verdict

WIDTH, ROW, LEFT, BAR = 940, 26, 330, 330
OURS, REAL, RANGE, INK, FAINT = "#c2410c", "#1d4ed8", "#d9e2ec", "#1f2933", "#7b8794"
CHART_H: Final = 190


def svg(ours: Figures, real: Figures, shape: Sequence[float], real_shape: Sequence[float], title: str) -> str:
    """One row per figure (the range, the target, ours, a real day's) and the day's shape of volume."""
    height = 90 + ROW * len(TARGETS) + CHART_H + 90
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="24" y="34" font-size="17" font-weight="600">{escape(title)}</text>',
        _legend(),
    ]
    for n, _ in enumerate(TARGETS):
        parts += _row(n, 92 + ROW * n, ours, real)
    parts += _shapes(height - CHART_H - 50, shape, real_shape)
    return "\n".join([*parts, "</svg>\n"])


def _legend() -> str:
    return (
        f'<g transform="translate(24,60)"><rect width="26" height="10" y="-9" fill="{RANGE}"/>'
        f'<text x="32">may lie here</text><line x1="120" x2="120" y1="-11" y2="3" stroke="{INK}"'
        f' stroke-width="2"/><text x="128">target</text><circle cx="186" cy="-4" r="5" fill="{OURS}"/>'
        f'<text x="196">seeded market</text><rect x="292" y="-9" width="9" height="9" fill="{REAL}"/>'
        f'<text x="306">recorded market</text></g>'
        f'<g text-anchor="end" fill="{FAINT}"><text x="712" y="60">seeded</text>'
        f'<text x="790" y="60">target</text><text x="870" y="60">recorded</text></g>'
    )


def _row(n: int, y: int, ours: Figures, real: Figures) -> list[str]:
    target = TARGETS[n]
    mine, theirs = ours.get(target.name), real.get(target.name)
    values = [target.low, target.high, *(v for v in (target.value, mine, theirs) if v is not None)]
    low, high = min(values), max(values)
    pad = (high - low) * 0.06 or 1.0

    def x(value: float) -> float:
        return LEFT + BAR * (value - low + pad) / (high - low + 2 * pad)

    parts = [
        f'<text x="24" y="{y}">{escape(target.about)}</text>',
        f'<rect x="{x(target.low):.1f}" y="{y - 11}" width="{x(target.high) - x(target.low):.1f}" height="14"'
        f' fill="{RANGE}"/>',
    ]
    if target.value is not None:
        at = f"{x(target.value):.1f}"
        parts.append(
            f'<line x1="{at}" x2="{at}" y1="{y - 13}" y2="{y + 5}" stroke="{INK}" stroke-width="2"/>'
        )
    if theirs is not None:
        parts.append(f'<rect x="{x(theirs) - 4.5:.1f}" y="{y - 9}" width="9" height="9" fill="{REAL}"/>')
    if mine is not None:
        parts.append(f'<circle cx="{x(mine):.1f}" cy="{y - 4}" r="5" fill="{OURS}"/>')
    said = [number(value, target.unit) for value in (mine, target.value, theirs)]
    for place, text in zip((712, 790, 870), said, strict=True):
        parts.append(f'<text x="{place}" y="{y}" text-anchor="end">{text}</text>')
    state = verdict(target, mine)
    colour = FAINT if state == "ok" else OURS
    parts.append(f'<text x="884" y="{y}" fill="{colour}">{"ok" if state == "ok" else "!"}</text>')
    return parts


def number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.3g} {unit}".strip()


def _shapes(y: int, shape: Sequence[float], real: Sequence[float]) -> list[str]:
    parts = [f'<text x="24" y="{y - 8}" font-weight="600">Volume by minute of the day</text>']
    top = sorted([*shape, *real, 1e-9])[-3]
    for values, colour in ((real, REAL), (shape, OURS)):
        points = " ".join(
            f"{24 + (WIDTH - 48) * n / max(len(values) - 1, 1):.1f},"
            f"{y + CHART_H - CHART_H * min(value / top, 1.0):.1f}"
            for n, value in enumerate(values)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    for n, label in ((0, "09:30"), (119, "11:30 · 13:00"), (239, "15:00")):
        x = 24 + (WIDTH - 48) * n / 239
        anchor = "start" if n == 0 else "end" if n == 239 else "middle"
        parts.append(
            f'<text x="{x:.0f}" y="{y + CHART_H + 18}" fill="{FAINT}" text-anchor="{anchor}">{label}</text>'
        )
    return parts
