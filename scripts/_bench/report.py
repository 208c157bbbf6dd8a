"""Shows what was measured: a table and one JSON document. Measures nothing."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from scripts._bench.cores import Cores
from scripts._bench.rounds import Figures, Plan
from scripts._bench.targets import Books

GOAL_CALLS_PER_CORE_SECOND: Final = 5000
_COLUMNS: Final = (
    "target",
    "mode",
    "calls/s",
    "CPU µs/call",
    "calls/core-s",
    "× pass-through",
    "× base",
    "db µs/call",
    "p50 ms",
    "p99 ms",
    "added p50",
    "added p99",
)


def table(figures: Sequence[Figures]) -> str:
    """The figures as text, one line for each target and mode."""
    return aligned([_COLUMNS, *(_row(each) for each in figures)], left=2)


def aligned(rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Rows in columns: the first `left` columns to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def document(
    figures: Sequence[Figures], books: Sequence[Books], plan: Plan, cores: Cores, burst: int
) -> dict[str, Any]:
    """Everything, for machines and for the record."""
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "one_core_for_the_gateway": cores.apart,
        },
        "plan": {
            "rounds": plan.rounds,
            "calls": plan.calls,
            "connections": plan.connections,
            "stream": {"events": 44, "events_per_write": burst},
        },
        "figures": [msgspec.to_builtins(each) for each in figures],
        "books": [
            {"target": each.target, "calls": each.calls, "usage_records": each.usage_records, "audit": each.audit}
            for each in books
        ],
        "goal_met": {
            f"{each.target}, {each.mode}": each.calls_per_core_second >= GOAL_CALLS_PER_CORE_SECOND
            for each in figures
            if each.target.startswith("gateway")
        },
    }


def _row(each: Figures) -> tuple[str, ...]:
    return (
        each.target,
        each.mode,
        f"{each.calls_per_second:,.0f}",
        f"{each.cpu_us_per_call:.1f}",
        f"{each.calls_per_core_second:,.0f}",
        _optional(each.times_pass_through),
        _optional(each.times_base),
        _optional(each.database_cpu_us_per_call),
        f"{each.p50_ms:.2f}",
        f"{each.p99_ms:.2f}",
        _optional(each.added_p50_ms),
        _optional(each.added_p99_ms),
    )


def _optional(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  # not a file of ours
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    except OSError:
        return "unknown"
