"""Measures the product on a database with a long past: appending, what pages ask, rolling up, the audit.

The same figures on a database without a past come first. Afterwards the audit must have no findings, and every
record must be in the charts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from reseller_kit.core.paging import Window, window
from reseller_kit.db import leases, schema
from reseller_kit.db.engine import NO_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter, new_owner, open_writer
from reseller_kit.flows import snapshot, unlock
from reseller_kit.flows.credits import credit_balance, credit_history
from reseller_kit.flows.rollup import roll_up
from reseller_kit.flows.usage import list_usage
from reseller_kit.flows.usage_summary import summarize
from scripts._bench import cores, ledger, report, targets
from scripts._bench.growth_fill import DAYS, fill

_REPEATS: Final = 15
_CONCURRENCY: Final = 128
_MONTH_US: Final = 30 * 86_400_000_000


class Growth(msgspec.Struct, kw_only=True):
    """One backend's figures; times in ms are medians."""

    backend: str
    records: int
    fill_seconds: float
    megabytes: float
    append_empty: ledger.Figures
    append_full: ledger.Figures
    rolled_per_second: float
    queries_ms: dict[str, float]
    audit_seconds: float = 0
    audit_peak_megabytes: float = 0


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when the books are wrong."""
    chosen = cores.choose()
    figures = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory)))
        for backend in arguments.backends:
            place = stack.enter_context(targets.provisioned(scratch, chosen, backend))
            try:
                found = uvloop.run(_measure(place, backend, arguments))
                _audit(place, found)
            except targets.WrongBooks as error:
                print(f"bench: {error}", file=sys.stderr)
                return 1
            figures.append(found)
    print(json.dumps([msgspec.to_builtins(each) for each in figures], indent=2) if arguments.json else _table(figures))
    return 0


async def _measure(place: targets.Provisioned, backend: str, arguments: argparse.Namespace) -> Growth:
    db = Database(place.database_url)
    try:
        vault = await unlock.unlock(db, place.secret_key)
        storefront = next(iter((await snapshot.load(db, vault)).hosts.values())).storefront
        payers = [await ledger.payer(db, vault, storefront, number) for number in range(ledger.CUSTOMERS)]
        writer = await _writer(db)
        load = ledger.Load(writer, storefront, payers, dict.fromkeys((payer.id for payer in payers), 0))
        append_empty = await _append(load, backend, arguments.pairs, place)
        _say(f"{backend}: writing {arguments.records:,} records")
        fill_seconds = await _timed(fill(db, storefront, payers, arguments.records))
        append_full = await _append(load, backend, arguments.pairs, place)
        _say(f"{backend}: rolling up")
        roll_seconds = await _timed(roll_up(db))
        calls = arguments.records + 2 * _appended(arguments.pairs)
        # A little behind the rollups, as in a running server.
        await load.run(_CONCURRENCY, _CONCURRENCY)
        await _check_charts(db, calls + _CONCURRENCY)
        queries_ms = await _queries(db, payers[0].id)
        await writer.close()
        return Growth(
            backend=backend,
            records=arguments.records,
            fill_seconds=fill_seconds,
            megabytes=await _size(db),
            append_empty=append_empty,
            append_full=append_full,
            rolled_per_second=calls / roll_seconds,
            queries_ms=queries_ms,
        )
    finally:
        await db.close()


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def _check_charts(db: Database, calls: int) -> None:
    since = now_us() - (DAYS + 2) * 86_400_000_000
    found = (await summarize(db, tenant_slug=targets.TENANT, since=since)).total.calls
    if found != calls:
        raise targets.WrongBooks(f"{db.backend}: {found} calls are in the charts, not {calls}")


async def _writer(db: Database) -> LedgerWriter:
    writer = open_writer(db, owner=new_owner(), epoch=1)
    async with db.write(NO_TENANT) as connection:
        await leases.take(connection, writer.owner, writer.epoch, schema.head())
    await writer.start()
    return writer


def _appended(pairs: int) -> int:
    """How many pairs one measurement of appending writes, warming up included."""
    return pairs + max(_CONCURRENCY, pairs // 4)


async def _append(load: ledger.Load, backend: str, pairs: int, place: targets.Provisioned) -> ledger.Figures:
    _say(f"{backend}: appending")
    await load.run(_appended(pairs) - pairs, _CONCURRENCY)
    return await ledger.figures(load, backend, _CONCURRENCY, pairs, place.database_pid)


async def _queries(db: Database, customer: str) -> dict[str, float]:
    """Median times of what pages ask, in ms."""
    tenant, since = targets.TENANT, now_us() - _MONTH_US
    deep: dict[str | None, Window] = {}
    for whose in (None, customer):
        page = await list_usage(db, tenant_slug=tenant, customer=whose, since=None, window=window(1000))
        for _ in range(20):
            if page.next_cursor is None:
                break
            deep[whose] = window(50, page.next_cursor)
            page = await list_usage(
                db, tenant_slug=tenant, customer=whose, since=None, window=window(1000, page.next_cursor)
            )
    first = window(50)
    asked: dict[str, Callable[[], Awaitable[Any]]] = {
        "storefront's records, first page": lambda: _page(db, None, first),
        "storefront's records, page far back": lambda: _page(db, None, deep.get(None, first)),
        "customer's records, first page": lambda: _page(db, customer, first),
        "customer's records, page far back": lambda: _page(db, customer, deep.get(customer, first)),
        "customer's month by day": lambda: summarize(db, tenant_slug=tenant, customer=customer, since=since),
        "customer's month by model": lambda: summarize(
            db, tenant_slug=tenant, customer=customer, since=since, by="model"
        ),
        "customer's month by key": lambda: summarize(db, tenant_slug=tenant, customer=customer, since=since, by="key"),
        "storefront's month by day": lambda: summarize(db, tenant_slug=tenant, since=since),
        "storefront's month by key": lambda: summarize(db, tenant_slug=tenant, since=since, by="key"),
        "customer's balance": lambda: credit_balance(db, tenant, customer),
        "customer's history": lambda: credit_history(db, tenant, customer, first),
    }
    return {name: await _median_ms(ask) for name, ask in asked.items()}


async def _page(db: Database, customer: str | None, asked: Window) -> None:
    await list_usage(db, tenant_slug=targets.TENANT, customer=customer, since=None, window=asked)


async def _median_ms(ask: Callable[[], Awaitable[Any]]) -> float:
    took = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _audit(place: targets.Provisioned, found: Growth) -> None:
    """The audit as its own process, for its memory. Raises WrongBooks."""
    _say(f"{found.backend}: auditing")
    command = [sys.executable, "-m", "reseller_kit", "ledger", "audit", "--json"]
    began = time.perf_counter()
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, env=dict(place.operator.environment), stdout=said) as process,
    ):
        # What wait4() tells begins with the memory of whoever started the process.
        while process.poll() is None:
            found.audit_peak_megabytes = _peak_megabytes(process.pid) or found.audit_peak_megabytes
            time.sleep(0.05)
        said.seek(0)
        document = json.loads(said.read())
    found.audit_seconds = time.perf_counter() - began
    if process.returncode or not document["ok"]:
        raise targets.WrongBooks(f"{found.backend}: the audit has findings: {document['findings'][:5]}")


def _peak_megabytes(pid: int) -> float:
    """The most memory that a process ever had; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0)


async def _size(db: Database) -> float:
    if db.backend == "sqlite":
        return sum(path.stat().st_size for path in Path(db.path).parent.glob("reseller_kit.db*")) / 1e6
    async with db.read(NO_TENANT) as connection:
        result = await connection.exec_driver_sql("SELECT pg_database_size(current_database())")
        return int(result.scalar_one()) / 1e6


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


_FIGURES: Final[dict[str, Callable[[Growth], str]]] = {
    "database, MB": lambda each: f"{each.megabytes:,.0f}",
    "append without a past, pairs/s": lambda each: f"{each.append_empty.pairs_per_second:,.0f}",
    "append, pairs/s": lambda each: f"{each.append_full.pairs_per_second:,.0f}",
    "append without a past, CPU µs/pair": lambda each: f"{each.append_empty.cpu_us_per_pair:.1f}",
    "append, CPU µs/pair": lambda each: f"{each.append_full.cpu_us_per_pair:.1f}",
    "rolled up, records/s": lambda each: f"{each.rolled_per_second:,.0f}",
    "audit, s": lambda each: f"{each.audit_seconds:.1f}",
    "audit, peak MB": lambda each: f"{each.audit_peak_megabytes:.0f}",
}


def _table(figures: Sequence[Growth]) -> str:
    head = ("", *(f"{each.backend}, {each.records:,}" for each in figures))
    rows = [head, *((name, *map(shown, figures)) for name, shown in _FIGURES.items())]
    names = figures[0].queries_ms if figures else ()
    rows += [(f"{name}, ms", *(f"{each.queries_ms[name]:.1f}" for each in figures)) for name in names]
    return report.aligned(rows, left=1)
