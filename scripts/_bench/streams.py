"""Many streams at once in one gateway process, each with 20 events a second: what is added to the gaps, and memory."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from scripts._bench import cores as cores_module
from scripts._bench import report, targets
from scripts._bench.program import EXPECTED, say
from scripts._bench.rounds import Figures, Plan, measure
from scripts._bench.scenarios import paced


class OpenStreams(msgspec.Struct, frozen=True, kw_only=True):
    """What so many streams at a time came to, on one database. Memory is the most that the process ever had."""

    backend: str
    streams: int
    cpu_us_per_stream: float
    direct_gap_p99_ms: float
    gap_p99_ms: float
    added_first_byte_p50_ms: float
    added_first_byte_p99_ms: float
    peak_megabytes: float


_COLUMNS: Final = (
    "gateway", "streams", "CPU µs/stream", "gap p99 ms, direct", "through", "added", "first byte +p50 ms", "+p99 ms",
    "peak MB",
)  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when streams failed or the books are wrong."""
    try:
        found = [each for backend in arguments.backends for each in _measured(arguments, backend)]
    except EXPECTED as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(json.dumps(msgspec.to_builtins(found), indent=2) if arguments.json else table(found))
    return 0


def _measured(arguments: argparse.Namespace, backend: str) -> list[OpenStreams]:
    cores = cores_module.choose()
    found = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory) as name:
        scratch = Path(name)
        with (
            targets.emulator(scratch, cores, 44) as upstream,
            targets.gateway(scratch, cores, upstream, backend) as (target, operator),
        ):
            answered = 0
            for streams in sorted(arguments.streams):
                plan = Plan(arguments.rounds, streams, streams, shared=(paced(streams),))
                figures, calls = measure((upstream, target), plan, cores, say)
                answered += calls[target.name]
                found.append(_together(backend, streams, figures, _peak_megabytes(target)))
            audit = operator.run("ledger", "audit")
            targets.Books(target.name, answered, targets.count_usage(target), audit).check()
    return found


def _together(backend: str, streams: int, figures: Sequence[Figures], peak: float) -> OpenStreams:
    direct, through = figures
    return OpenStreams(
        backend=backend,
        streams=streams,
        cpu_us_per_stream=through.cpu_us_per_call,
        direct_gap_p99_ms=direct.gap_p99_ms,
        gap_p99_ms=through.gap_p99_ms,
        added_first_byte_p50_ms=through.added_first_byte_p50_ms or 0.0,
        added_first_byte_p99_ms=through.added_first_byte_p99_ms or 0.0,
        peak_megabytes=peak,
    )


def _peak_megabytes(target: targets.Target) -> float:
    status = Path(f"/proc/{target.pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1000


def table(found: Sequence[OpenStreams]) -> str:
    """A line for each number of streams."""
    rows = [
        (
            each.backend,
            f"{each.streams:,}",
            f"{each.cpu_us_per_stream:,.0f}",
            f"{each.direct_gap_p99_ms:.1f}",
            f"{each.gap_p99_ms:.1f}",
            f"{each.gap_p99_ms - each.direct_gap_p99_ms:.1f}",
            f"{each.added_first_byte_p50_ms:.2f}",
            f"{each.added_first_byte_p99_ms:.2f}",
            f"{each.peak_megabytes:.0f}",
        )
        for each in found
    ]
    return report.aligned([_COLUMNS, *rows], left=1)
