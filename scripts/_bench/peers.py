"""The gateway beside those that a user would pick instead, in one run: each takes its turn in every round.

A gateway that is not on this machine and cannot be installed is named and left out. None of the others accounts for
what it passes on; the product has keys, limits, holds, settles, usage records and metrics on, as always.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from scripts._bench import cores as cores_module
from scripts._bench import report, targets
from scripts._bench.peer_targets import STARTERS
from scripts._bench.program import books_of, check_books, guarded, say
from scripts._bench.rounds import Figures, Plan, measure
from scripts._bench.scenarios import OPEN_RATE, PACED_STREAMS, beside_peers
from scripts._lib.bootstrap import SetupFailed
from scripts._lib.demo.product import Operator
from scripts._lib.processes import ChildFailed

_PACED: Final = f"{PACED_STREAMS} paced streams"
_OPEN: Final = f"{OPEN_RATE} calls/s"
_COLUMNS: Final = (
    "target",
    "plain µs",
    "× Go",
    "stream µs",
    "× Go",
    "70 kB µs",
    "× Go",
    "first byte +p50 ms",
    "+p99 ms",
    f"{_OPEN} p50 ms",
    "p99 ms",
    "failed",
)


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when calls of the gateway failed or its books are wrong."""
    return guarded(_run, arguments)


def _run(arguments: argparse.Namespace) -> int:
    cores = cores_module.choose()
    plan = Plan(arguments.rounds, arguments.calls, arguments.connections, shared=beside_peers())
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory)))
        upstream = stack.enter_context(targets.emulator(scratch, cores, 44))
        peers, left_out = _peers(stack, arguments.peers, scratch, cores, upstream)
        gateways: list[tuple[targets.Target, Operator]] = []
        for backend in arguments.backends:
            say(f"provisioning the gateway on {backend}")
            gateways.append(stack.enter_context(targets.gateway(scratch, cores, upstream, backend)))
        measured = [upstream, *peers, *(target for target, _ in gateways)]
        figures, answered = measure(measured, plan, cores, say)
        books = books_of(gateways, answered)
    document = report.document(figures, books, plan, cores, 44) | {"left_out": left_out}
    print(json.dumps(document, indent=2) if arguments.json else table(figures))
    for name, reason in left_out.items():
        print(f"bench: {name} is left out: {reason}", file=sys.stderr)
    check_books(books)
    return 0


def _peers(
    stack: ExitStack, names: Sequence[str], scratch: Path, cores: cores_module.Cores, upstream: targets.Target
) -> tuple[list[targets.Target], dict[str, str]]:
    """Those that run, and why the others do not."""
    started: list[targets.Target] = []
    left_out: dict[str, str] = {}
    for name in names:
        say(f"starting {name}")
        try:
            started.append(stack.enter_context(STARTERS[name](scratch, cores, upstream)))
        except (SetupFailed, ChildFailed, OSError) as error:
            left_out[name] = str(error)
    return started, left_out


def table(figures: Sequence[Figures]) -> str:
    """A line for each target: processor time a call, and first bytes later than the upstream's own."""
    found = {(each.target, each.mode): each for each in figures}
    names = list(dict.fromkeys(each.target for each in figures))
    return report.aligned([_COLUMNS, *(_row(name, found) for name in names)], left=1)


def _row(name: str, found: Mapping[tuple[str, str], Figures]) -> tuple[str, ...]:
    cells: list[str] = [name]
    for mode in ("plain", "stream", "70 kB request"):
        own, go = found.get((name, mode)), found.get(("Go net/http", mode))
        cells.append(_cell(own, "cpu_us_per_call", 1))
        ratio = own is not None and go is not None and go.cpu_us_per_call and own.cpu_us_per_call / go.cpu_us_per_call
        cells.append(f"{ratio:.2f}" if ratio else "")
    paced, rate = found.get((name, _PACED)), found.get((name, _OPEN))
    cells += [_cell(paced, "added_first_byte_p50_ms", 2), _cell(paced, "added_first_byte_p99_ms", 2)]
    cells += [_cell(rate, "p50_ms", 2), _cell(rate, "p99_ms", 2)]
    failed = sum(each.failed_calls for (target, _), each in found.items() if target == name)
    return (*cells, f"{failed:,}" if failed else "")


def _cell(figures: Figures | None, name: str, digits: int) -> str:
    value: Any = None if figures is None else getattr(figures, name)
    return "" if value is None else f"{value:,.{digits}f}"
