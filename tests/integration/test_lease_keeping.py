"""The lease is kept whatever else the process asks of its database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from reseller_kit.db import leases
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database
from reseller_kit.flows import lease

# SQLite has one connection that writes, and no transaction on it waits for another program.
on_postgres = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


async def renewed_at(db: Database) -> int:
    async with db.read(EVERY_TENANT) as connection:
        return int(await connection.scalar(select(t.lease.c.renewed_at)) or 0)


@on_postgres
async def test_pages_that_hold_every_connection_do_not_keep_it_from_being_renewed(db: Database) -> None:
    ledger = SimpleNamespace(owner="own_1", epoch=1)
    runtime: Any = SimpleNamespace(db=db, ledger=ledger, lease_gap=0.0, lease_renewed_at=0.0)
    await lease.take(runtime)
    before = await renewed_at(db)
    async with AsyncExitStack() as stack:
        for _ in range(db.pools().most):
            await stack.enter_async_context(db.read(NO_TENANT))
        async with asyncio.timeout(30):
            await lease._renew(runtime)
    assert await renewed_at(db) > before
    assert ledger.epoch == 1


@pytest.mark.parametrize(("on_record", "lost", "later"), [(None, 3, 4), (7, 3, 8), (2, 3, 4)])
async def test_a_process_that_lost_its_lease_has_a_later_one_than_any_before(
    db: Database, on_record: int | None, lost: int, later: int
) -> None:
    async with db.write(EVERY_TENANT) as connection:
        await leases.take(connection, "own_other", 1, "of another version")
        if on_record is not None:
            await leases.take(connection, "own_1", on_record, "of an older version")
        assert await leases.begin_again(connection, "own_1", lost, "of this version") == later
        rows = await connection.execute(select(t.lease.c.owner, t.lease.c.epoch).order_by(t.lease.c.owner))
        assert [tuple(row) for row in rows] == [("own_1", later), ("own_other", 1)]
