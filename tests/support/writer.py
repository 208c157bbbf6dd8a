"""What tests of the ledger writer share: its batches watched or broken, outcomes gathered, the audit asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import func, select

from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.ledger import LedgerWriter, Outcome
from reseller_kit.db.ledger.batch import Batch
from reseller_kit.db.ledger.postgres_sql import WRITE, WRITE_ALONE
from reseller_kit.flows.audit import audit


async def outcomes(awaitables: list[Any]) -> list[Outcome | BaseException]:
    """What each came to, exceptions included."""
    return list(await asyncio.gather(*awaitables, return_exceptions=True))


def watch_batches(ledger: LedgerWriter) -> list[Batch]:
    """Every batch that the writer hands to its store from now on."""
    seen: list[Batch] = []
    run = ledger._store.run

    async def watched(batch: Batch) -> None:
        seen.append(batch)
        await run(batch)

    ledger._store.run = watched  # type: ignore[method-assign]
    return seen


def watch_failures(ledger: LedgerWriter) -> list[Exception]:
    """What the writer's store raises from now on, whether or not another try helps."""
    seen: list[Exception] = []
    run = ledger._store.run

    async def watched(batch: Batch) -> None:
        try:
            await run(batch)
        except Exception as error:
            seen.append(error)
            raise

    ledger._store.run = watched  # type: ignore[method-assign]
    return seen


def fail_batches(ledger: LedgerWriter, fault: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]) -> None:
    """Let `fault` run each batch from now on; it is given the real thing to call."""
    run = ledger._store.run
    ledger._store.run = lambda batch: fault(lambda: run(batch))  # type: ignore[assignment, method-assign, return-value]


@asynccontextmanager
async def statements(ledger: LedgerWriter) -> AsyncIterator[list[str]]:
    """What the ledger sends to PostgreSQL meanwhile, but for what asyncpg asks of types when they are first used."""
    sent: list[str] = []
    connection: Any = ledger._store._connection  # type: ignore[attr-defined]

    def note(record: Any) -> None:
        if "typeinfo_tree" not in record.query and "set_config('jit'" not in record.query:
            sent.append(record.query)

    with connection.query_logger(note):
        yield sent
        await asyncio.sleep(0)


def in_one_trip(sent: list[str], times: int = 1) -> bool:
    """Whether so many batches, and nothing else, were sent to PostgreSQL, each at once."""
    return len(sent) == times and all(statement in {WRITE, WRITE_ALONE} for statement in sent)


async def count(db: Database, table: str) -> int:
    """Rows in a table."""
    async with db.read(EVERY_TENANT) as connection:
        return int(await connection.scalar(select(func.count()).select_from(t.metadata.tables[table])) or 0)


async def assert_sound(db: Database) -> None:
    """The audit has nothing to say but that calls are open."""
    report = await audit(db)
    assert [finding for finding in report.findings if finding["code"] != "hold_of_dead_owner"] == []
