"""Verdicts as a table and as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from tests.lab.verdict import Verdict

_COLUMNS: Final = (
    "scenario",
    "",
    "calls",
    "good",
    "client errors",
    "left",
    "asked",
    "× calls",
    "charged USD",
    "by journal",
    "cut",
    "first byte p50",
    "p99 ms",
    "recovery s",
    "took s",
)


def table(verdicts: Sequence[Verdict]) -> str:
    """A line for each scenario, and what is wrong below."""
    rows = [_COLUMNS, *map(_row, verdicts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines += [f"{each.name}: {fault}" for each in verdicts for fault in each.faults]
    return "\n".join(lines)


def document(verdicts: Sequence[Verdict], audit: dict[str, Any]) -> dict[str, Any]:
    """Everything, for machines."""
    scenarios = [msgspec.to_builtins(each) | {"ok": each.ok} for each in verdicts]
    return {"ok": all(each.ok for each in verdicts) and audit["ok"], "scenarios": scenarios, "audit": audit}


def _row(each: Verdict) -> tuple[str, ...]:
    asked = max(each.asked, each.attempts)
    return (
        each.name,
        "ok" if each.ok else "FAIL",
        str(each.calls),
        str(each.good),
        str(each.client_errors),
        str(each.left + each.refused),
        str(asked),
        f"{asked / each.calls:.2f}" if each.calls else "",
        each.charged,
        "the same" if each.charged == each.expected else each.expected,
        str(each.by_rule or ""),
        _milliseconds(each.first_byte_p50),
        _milliseconds(each.first_byte_p99),
        "" if each.recovery is None else f"{each.recovery:.2f}",
        f"{each.seconds:.1f}",
    )


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.0f}"
