"""One run of the bench from the first server to the verdict. Reads no command line; scripts/bench does."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from scripts._bench import cores as cores_module
from scripts._bench import guard, report, scenarios, targets
from scripts._bench.rounds import Figures, LoadFailed, Plan, measure
from scripts._lib.demo.product import CommandFailed, Operator
from scripts._lib.postgres import PostgresUnavailable
from scripts._lib.processes import ChildFailed

EXPECTED: Final = (ChildFailed, CommandFailed, LoadFailed, PostgresUnavailable, targets.WrongBooks)


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when calls failed, the books are wrong or the guard objects."""
    return guarded(_run, arguments)


def guarded(measuring: Callable[[argparse.Namespace], int], arguments: argparse.Namespace) -> int:
    """The exit code of a measurement; 1, with a line that says why, where it could not be made."""
    try:
        return measuring(arguments)
    except EXPECTED as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def books_of(gateways: Sequence[tuple[targets.Target, Operator]], answered: Mapping[str, int]) -> list[targets.Books]:
    """What each gateway's own audit says, beside the calls that it answered."""
    return [
        targets.Books(target.name, answered[target.name], targets.count_usage(target), operator.run("ledger", "audit"))
        for target, operator in gateways
    ]


def check_books(books: Sequence[targets.Books]) -> None:
    """Say that they are in order. Raises WrongBooks."""
    for each in books:
        each.check()
        say(f"{each.target}: {each.calls} calls, as many usage records, audit ok")


def _run(arguments: argparse.Namespace) -> int:
    cores = cores_module.choose()
    apis = scenarios.apis() if arguments.apis else ()
    plan = Plan(arguments.rounds, arguments.calls, arguments.connections, apis)
    baseline = guard.recorded() if arguments.check else {}
    runs: list[dict[str, str]] = []
    while True:
        figures, books = _measured(arguments, plan, cores)
        check_books(books)
        runs.append(guard.objections(figures, baseline) if arguments.check else {})
        if not guard.lasting(runs) or len(runs) == guard.RUNS:
            break
        say("once more: " + "; ".join(guard.lasting(runs)))
    document = report.document(figures, books, plan, cores, arguments.burst)
    print(json.dumps(document, indent=2) if arguments.json else report.table(figures))
    if arguments.record:
        guard.record(figures)
    objections = guard.lasting(runs)
    for objection in objections:
        print(f"bench: {objection}", file=sys.stderr)
    return 1 if objections else 0


def _measured(
    arguments: argparse.Namespace, plan: Plan, cores: cores_module.Cores
) -> tuple[list[Figures], list[targets.Books]]:
    """One run, with servers of its own."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory)))
        upstream = stack.enter_context(targets.emulator(scratch, cores, arguments.burst))
        measured = [upstream, stack.enter_context(targets.passthrough(scratch, cores, upstream))]
        gateways: list[tuple[targets.Target, Operator]] = []
        for backend in arguments.backends:
            say(f"provisioning the gateway on {backend}")
            gateways.append(stack.enter_context(targets.gateway(scratch, cores, upstream, backend)))
        measured += [target for target, _ in gateways]
        figures, answered = measure(measured, plan, cores, say)
        return figures, books_of(gateways, answered)


def say(text: str) -> None:
    """Tell how far it is, beside the figures."""
    print(f"… {text}", file=sys.stderr, flush=True)
