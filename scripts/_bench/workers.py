"""What a second worker costs: the processor time of a call with one process and with two, on one core in turns.

Each server has a core to itself with all its workers, and a database of its own. Two workers on two cores do twice the
calls of one if a call takes the same processor time: so the ratio tells it without cores that load and database want.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from scripts._bench import cores as cores_module
from scripts._bench import report, targets
from scripts._bench.program import books_of, check_books, guarded, say
from scripts._bench.rounds import Figures, Plan, measure
from scripts._lib.demo.product import Operator

_COLUMNS: Final = ("gateway", "workers", "mode", "CPU µs/call", "× one worker", "two cores do ×", "p50 ms", "p99 ms")
_WORKERS: Final = (1, 2)


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when calls failed or the books are wrong."""
    return guarded(_run, arguments)


def _run(arguments: argparse.Namespace) -> int:
    cores = cores_module.choose()
    plan = Plan(arguments.rounds, arguments.calls, arguments.connections)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory)))
        upstream = stack.enter_context(targets.emulator(scratch, cores, 44))
        gateways: list[tuple[targets.Target, Operator]] = []
        for backend in arguments.backends:
            for workers in _WORKERS:
                name = _name(backend, workers)
                say(f"provisioning {name}")
                folder = scratch / str(workers)
                folder.mkdir(exist_ok=True)
                place = stack.enter_context(targets.provisioned(folder, cores, backend, upstream.port))
                options = ("--workers", str(workers))
                key = targets.customer(place.operator)
                server = stack.enter_context(targets.serving(scratch, cores, place, name, key, options))
                gateways.append((server, place.operator))
        figures, answered = measure([target for target, _ in gateways], plan, cores, say)
        books = books_of(gateways, answered)
    print(json.dumps(msgspec.to_builtins(figures), indent=2) if arguments.json else _table(arguments.backends, figures))
    check_books(books)
    return 0


def _name(backend: str, workers: int) -> str:
    return f"gateway, {backend}, {workers}"


def _table(backends: Sequence[str], figures: Sequence[Figures]) -> str:
    found = {(each.target, each.mode): each for each in figures}
    rows = []
    for backend in backends:
        for mode in dict.fromkeys(each.mode for each in figures):
            one = found[_name(backend, 1), mode]
            for workers in _WORKERS:
                each = found[_name(backend, workers), mode]
                ratio = each.cpu_us_per_call / one.cpu_us_per_call
                rows.append(
                    (
                        backend,
                        str(workers),
                        mode,
                        f"{each.cpu_us_per_call:.1f}",
                        f"{ratio:.2f}",
                        f"{workers / ratio:.2f}",
                        f"{each.p50_ms:.2f}",
                        f"{each.p99_ms:.2f}",
                    )
                )
    return report.aligned([_COLUMNS, *rows], left=3)
