"""The lease is kept whatever else the process asks of its database."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

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
