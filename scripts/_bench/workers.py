"""What a second worker costs: the processor time of a call with one process and with two, on one core in turns.

Each server has a core to itself with all its workers, and a database of its own. Two workers on two cores do twice the
calls of one if a call takes the same processor time: so the ratio tells it without cores that load and database want.
Two are asked twice: with the connections of one, half of them each, and with as many each, since twice the calls come
from twice the callers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from reseller_kit.db.engine import Database
from reseller_kit.flows import snapshot
from reseller_kit.flows.keys import KeyTerms, create_key
from reseller_kit.flows.unlock import unlock
from scripts._bench import cores as cores_module
from scripts._bench import report, targets
from scripts._bench.ledger import payer
from scripts._bench.program import books_of, check_books, guarded, say
from scripts._bench.rounds import Figures, Plan, measure
from scripts._lib.demo.product import Operator

_COLUMNS: Final = (
    "gateway", "workers", "connections", "mode", "CPU µs/call", "× one worker", "two cores do ×", "p50 ms", "p99 ms",
)  # fmt: skip
_ASKED: Final = ((1, 1), (2, 1), (2, 2))
"""Workers, and how many times the connections."""


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
        asked: list[targets.Target] = []
        for backend in arguments.backends:
            for workers in (1, 2):
                name = _name(backend, workers, 1)
                say(f"provisioning {name}")
                folder = scratch / str(workers)
                folder.mkdir(exist_ok=True)
                place = stack.enter_context(targets.provisioned(folder, cores, backend, upstream.port))
                options = ("--workers", str(workers))
                key = targets.customer(place.operator)
                more = tuple(uvloop.run(_more_keys(place, arguments.customers - 1)))
                server = stack.enter_context(targets.serving(scratch, cores, place, name, key, options))
                server = replace(server, more_keys=more)
                gateways.append((server, place.operator))
                asked += [
                    replace(server, name=_name(backend, workers, load), load=load)
                    for number, load in _ASKED
                    if number == workers
                ]
        figures, answered = measure(asked, plan, cores, say)
        for backend in arguments.backends:
            answered[_name(backend, 2, 1)] += answered[_name(backend, 2, 2)]
        books = books_of(gateways, answered)
    print(
        json.dumps(msgspec.to_builtins(figures), indent=2)
        if arguments.json
        else _table(arguments.backends, figures, arguments.connections)
    )
    check_books(books)
    return 0


async def _more_keys(place: targets.Provisioned, count: int) -> list[str]:
    """Keys of further customers with credit, one each."""
    db = Database(place.database_url)
    try:
        vault = await unlock(db, place.secret_key)
        storefront = next(iter((await snapshot.load(db, vault)).hosts.values())).storefront
        keys = []
        for number in range(count):
            made = await payer(db, vault, storefront, number)
            terms, who = KeyTerms(), "scripts/bench"
            key = await create_key(db, vault, tenant_slug=storefront.slug, customer=made.id, terms=terms, actor=who)
            keys.append(key.secret)
        return keys
    finally:
        await db.close()


def _name(backend: str, workers: int, load: int) -> str:
    return f"gateway, {backend}, {workers}, {load}"


def _table(backends: Sequence[str], figures: Sequence[Figures], connections: int) -> str:
    found = {(each.target, each.mode): each for each in figures}
    rows = []
    for backend in backends:
        for mode in dict.fromkeys(each.mode for each in figures):
            one = found[_name(backend, 1, 1), mode]
            for workers, load in _ASKED:
                each = found[_name(backend, workers, load), mode]
                ratio = each.cpu_us_per_call / one.cpu_us_per_call
                rows.append(
                    (
                        backend,
                        str(workers),
                        str(connections * load),
                        mode,
                        f"{each.cpu_us_per_call:.1f}",
                        f"{ratio:.2f}",
                        f"{workers / ratio:.2f}",
                        f"{each.p50_ms:.2f}",
                        f"{each.p99_ms:.2f}",
                    )
                )
    return report.aligned([_COLUMNS, *rows], left=4)
