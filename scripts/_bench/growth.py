"""Measures the product on a database with a long past: appending, what pages ask, rolling up, the audit.

Appending to a database without a past comes first. Afterwards the audit must have no findings, and every record must
be in the charts. Making the past and measuring can be two runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop
from sqlalchemy import func, select

from reseller_kit.core.storefront import Storefront
from reseller_kit.db import leases, schema
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database
from reseller_kit.db.ledger import LedgerWriter, new_owner, open_writer
from reseller_kit.flows import snapshot, unlock
from reseller_kit.flows.rollup import roll_up
from reseller_kit.flows.usage_summary import summarize
from reseller_kit.vault import Vault
from scripts._bench import cores, growth_queries, ledger, past, report, targets
from scripts._bench.growth_queries import Asked
from scripts._lib.postgres import PostgresUnavailable

_CONCURRENCY: Final = 128
_OTHERS: Final = ("bench-two", "bench-three", "bench-four")
_CUSTOMERS_OF_OTHERS: Final = 64


class Growth(msgspec.Struct, kw_only=True):
    """One backend's figures. Appending without a past and making the past are those of the run that did it."""

    backend: str
    past: int
    fill_seconds: float
    megabytes: float
    append_empty: ledger.Figures
    append_full: ledger.Figures
    rolled_per_second: float
    queries: dict[str, Asked]
    audit_seconds: float = 0
    audit_cpu_seconds: float = 0
    audit_database_cpu_seconds: float = 0
    audit_peak_megabytes: float = 0


class _Begun(msgspec.Struct):
    """What is measured while a past is made: kept beside it for the run that measures the rest."""

    shops: list[list[ledger.Payer]]
    append_empty: ledger.Figures
    fill_seconds: float = 0


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when the books are wrong or the past that is there has another length."""
    chosen = cores.choose()
    figures = []
    with _place(arguments) as scratch:
        for backend in arguments.backends:
            try:
                with targets.provisioned(
                    scratch, chosen, backend, others=_OTHERS, keep=arguments.keep is not None
                ) as place:
                    begun = uvloop.run(_fill(place, backend, arguments))
                    if not arguments.fill_only:
                        found = uvloop.run(_measure(place, backend, begun, arguments))
                        _audit(place, found)
                        figures.append(found)
            except (targets.WrongBooks, PostgresUnavailable, ValueError) as error:
                print(f"bench: {error}", file=sys.stderr)
                return 1
    if not arguments.fill_only:
        shown = [msgspec.to_builtins(each) for each in figures]
        print(json.dumps(shown, indent=2) if arguments.json else _table(figures))
    return 0


@contextmanager
def _place(arguments: argparse.Namespace) -> Iterator[Path]:
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        yield arguments.keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory) as scratch:
        yield Path(scratch)


async def _fill(place: targets.Provisioned, backend: str, arguments: argparse.Namespace) -> _Begun:
    """Appending without a past, then the past; what of it is there already is not done again."""
    notes = place.data / "begun.json"
    db = Database(place.database_url)
    try:
        vault, fronts = await _open(db, place)
        if notes.exists():
            begun = msgspec.json.decode(notes.read_bytes(), type=_Begun)
        else:
            begun = await _begin(db, vault, fronts, backend, arguments, place)
            notes.write_bytes(msgspec.json.encode(begun))
        _say(f"{backend}: making a past of {arguments.past:,} calls")
        shops = [past.Shop(front, payers) for front, payers in zip(fronts, begun.shops, strict=True)]
        began = time.perf_counter()
        await past.make(db, shops, arguments.past, _say)
        begun.fill_seconds += time.perf_counter() - began
        notes.write_bytes(msgspec.json.encode(begun))
        return begun
    finally:
        await db.close()


async def _open(db: Database, place: targets.Provisioned) -> tuple[Vault, list[Storefront]]:
    """The vault, and the storefronts with the one that is measured first."""
    vault = await unlock.unlock(db, place.secret_key)
    known = {entry.storefront.slug: entry.storefront for entry in (await snapshot.load(db, vault)).hosts.values()}
    return vault, [known[slug] for slug in (targets.TENANT, *_OTHERS)]


async def _begin(
    db: Database,
    vault: Vault,
    fronts: Sequence[Storefront],
    backend: str,
    arguments: argparse.Namespace,
    place: targets.Provisioned,
) -> _Begun:
    shops = []
    for front in fronts:
        many = ledger.CUSTOMERS if front.slug == targets.TENANT else _CUSTOMERS_OF_OTHERS
        shops.append([await ledger.payer(db, vault, front, number) for number in range(many)])
    async with _writing(db) as writer:
        load = ledger.Load(writer, fronts[0], shops[0], dict.fromkeys((payer.id for payer in shops[0]), 0))
        figures = await _append(load, backend, arguments.pairs, place)
    return _Begun(shops=shops, append_empty=figures)


async def _measure(place: targets.Provisioned, backend: str, begun: _Begun, arguments: argparse.Namespace) -> Growth:
    db = Database(place.database_url)
    try:
        _, fronts = await _open(db, place)
        payers = begun.shops[0]
        line = await past.timeline(db)
        async with _writing(db) as writer:
            load = ledger.Load(writer, fronts[0], payers, dict.fromkeys((payer.id for payer in payers), 0))
            append_full = await _append(load, backend, arguments.pairs, place)
            _say(f"{backend}: rolling up")
            waiting = await _waiting(db)
            began = time.perf_counter()
            await roll_up(db)
            roll_seconds = time.perf_counter() - began
            # A little behind the rollups, as in a running server.
            await load.run(_CONCURRENCY, _CONCURRENCY)
        _say(f"{backend}: asking")
        await _check_charts(db, line.start_us)
        return Growth(
            backend=backend,
            past=line.made,
            fill_seconds=begun.fill_seconds,
            megabytes=await _size(db),
            append_empty=begun.append_empty,
            append_full=append_full,
            rolled_per_second=waiting / roll_seconds,
            queries=await growth_queries.measure(db, fronts[0], payers[0].id, line, place.database_pid),
        )
    finally:
        await db.close()


async def _waiting(db: Database) -> int:
    """How many usage records are not rolled up."""
    u, mark = t.usage_record.c, t.rollup_mark.c
    rolled = select(mark.at).where(mark.name == "rolled").scalar_subquery()
    async with db.read(EVERY_TENANT) as connection:
        return int(await connection.scalar(select(func.count()).where(u.settled_at >= rolled)) or 0)


async def _check_charts(db: Database, since: int) -> None:
    async with db.read(EVERY_TENANT) as connection:
        there = await connection.scalar(select(func.count()).select_from(t.usage_record))
    found = 0
    for slug in (targets.TENANT, *_OTHERS):
        found += (await summarize(db, tenant_slug=slug, since=since - past.DAY_US)).total.calls
    if found != there:
        raise targets.WrongBooks(f"{db.backend}: {found} calls are in the charts, not {there}")


@asynccontextmanager
async def _writing(db: Database) -> AsyncIterator[LedgerWriter]:
    """A ledger writer with a lease of its own."""
    writer = open_writer(db, owner=new_owner(), epoch=1)
    async with db.write(NO_TENANT) as connection:
        await leases.take(connection, writer.owner, writer.epoch, schema.head())
    await writer.start()
    try:
        yield writer
    finally:
        await writer.close()


async def _append(load: ledger.Load, backend: str, pairs: int, place: targets.Provisioned) -> ledger.Figures:
    _say(f"{backend}: appending")
    await load.run(max(_CONCURRENCY, pairs // 4), _CONCURRENCY)
    return await ledger.figures(load, backend, _CONCURRENCY, pairs, place.database_pid)


def _audit(place: targets.Provisioned, found: Growth) -> None:
    """The audit as its own process, for its memory. Raises WrongBooks."""
    _say(f"{found.backend}: auditing")
    command = [sys.executable, "-m", "reseller_kit", "ledger", "audit", "--json"]
    pid = place.database_pid
    began, database = time.perf_counter(), 0 if pid is None else cores.cpu_seconds(pid)
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, env=dict(place.operator.environment), stdout=said) as process,
    ):
        # What wait4() tells begins with the memory of whoever started the process.
        while process.poll() is None:
            found.audit_peak_megabytes = _peak_megabytes(process.pid) or found.audit_peak_megabytes
            found.audit_cpu_seconds = max(found.audit_cpu_seconds, cores.cpu_seconds(process.pid))
            if pid is not None:
                found.audit_database_cpu_seconds = max(
                    found.audit_database_cpu_seconds, cores.cpu_seconds(pid) - database
                )
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
    "past made, s": lambda each: f"{each.fill_seconds:,.0f}",
    "append without a past, pairs/s": lambda each: f"{each.append_empty.pairs_per_second:,.0f}",
    "append, pairs/s": lambda each: f"{each.append_full.pairs_per_second:,.0f}",
    "append without a past, CPU µs/pair": lambda each: _cpu_us(each.append_empty),
    "append, CPU µs/pair": lambda each: _cpu_us(each.append_full),
    "rolled up, records/s": lambda each: f"{each.rolled_per_second:,.0f}",
    "audit, s": lambda each: f"{each.audit_seconds:.1f}",
    "audit, CPU s": lambda each: f"{each.audit_cpu_seconds:.1f} + {each.audit_database_cpu_seconds:.1f}",
    "audit, peak MB": lambda each: f"{each.audit_peak_megabytes:.0f}",
}


def _cpu_us(figures: ledger.Figures) -> str:
    return f"{figures.cpu_us_per_pair:.1f} + {figures.database_cpu_us_per_pair or 0:.1f}"


def _table(figures: Sequence[Growth]) -> str:
    head: tuple[Any, ...] = ("", *(f"{each.backend}, {each.past:,}" for each in figures))
    rows = [head, *((name, *map(shown, figures)) for name, shown in _FIGURES.items())]
    for name in figures[0].queries if figures else ():
        asked = [each.queries[name] for each in figures]
        rows.append((f"{name}, ms (CPU)", *(f"{a.ms:.1f} ({a.cpu_ms:.1f} + {a.database_cpu_ms:.1f})" for a in asked)))
    return report.aligned(rows, left=1)
