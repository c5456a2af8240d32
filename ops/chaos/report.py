"""The report of a drill as a table for people."""

from __future__ import annotations

from typing import Any

FACTS = {
    "acked": "acks",
    "asked_again": "asked again",
    "lost": "lost",
    "changed": "changed",
    "doubled": "doubled",
    "lied": '"not executed", and was',
    "unanswered": "without an answer",
    "fenced": "fenced exchanges",
    "hashes_equal": "equal state hashes",
    "replays": "replays of the journal",
    "pushed": "pushed messages compared",
    "reads": "reads in the history",
}


def table(report: dict[str, Any]) -> str:
    lines = [f"{'fault':<24}{'cycles':>7}{'first ack p50':>16}{'max':>10}"]
    for name, times in report["first_ack_ms"].items():
        lines.append(f"{name:<24}{times['cycles']:>7}{_ms(times['p50']):>16}{_ms(times['max']):>10}")
    lines.append("")
    lines += [f"{words:<28}{report[name]:>12,}" for name, words in FACTS.items()]
    lines.append(f"{'findings':<28}{len(report['findings']):>12,}")
    lines.append(f"\nseed {report['seed']}, {report['cycles']} cycles, {report['seconds']:,.0f} s")
    if report["home"]:
        lines.append(f"evidence: {report['home']}")
    return "\n".join(lines)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"
