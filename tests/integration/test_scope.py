"""Every transaction names whose rows it may see, and nothing but a tenant or a named scope will do."""

from __future__ import annotations

import inspect
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from reseller_kit.core.errors import NotFound
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database
from reseller_kit.db.scope import admit
from reseller_kit.flows.tenants import require_tenant
from tests.support.factories import make_tenant


async def setting(connection: AsyncConnection) -> str | None:
    """What the policies of the transaction compare with; PostgreSQL only."""
    found: str | None = await connection.scalar(text("SELECT nullif(current_setting('rk.tenants', true), '')"))
    return found


@pytest.mark.parametrize("begin", [Database.read, Database.write])
def test_a_transaction_cant_be_begun_without_a_scope(begin: Any) -> None:
    assert inspect.signature(begin).parameters["scope"].default is inspect.Parameter.empty


@pytest.mark.parametrize("scope", [None, True, "1", "*", 1.0, [1]])
@pytest.mark.parametrize("begin", ["read", "write"])
async def test_what_is_no_scope_is_refused(db: Database, begin: str, scope: object) -> None:
    with pytest.raises(TypeError, match="neither a tenant's id nor NO_TENANT nor EVERY_TENANT"):
        async with getattr(db, begin)(scope):
            pass


@pytest.mark.parametrize("scope", [0, -1])
async def test_what_is_no_tenants_id_is_refused(db: Database, scope: int) -> None:
    with pytest.raises(ValueError, match="is no tenant's id"):
        async with db.write(scope):
            pass
    async with db.read(NO_TENANT) as connection:
        with pytest.raises(ValueError, match="is no tenant's id"):
            await admit(connection, scope)
        with pytest.raises(TypeError):
            await admit(connection, cast("int", EVERY_TENANT))


async def test_a_scope_ends_with_its_transaction(db: Database, backend: str) -> None:
    seen = []
    for scope in (7, EVERY_TENANT, NO_TENANT):
        for begin in (db.write, db.read):
            async with begin(scope) as connection:
                seen.append(None if backend == "sqlite" else await setting(connection))
    assert seen == ([None] * 6 if backend == "sqlite" else ["{7}", "{7}", "*", "*", None, None])


async def test_a_tenant_that_is_found_or_made_is_admitted(db: Database, backend: str) -> None:
    one, other = await make_tenant(db, "aurora"), await make_tenant(db, "borealis")
    async with db.read(NO_TENANT) as connection:
        await require_tenant(connection, "aurora")
        first = None if backend == "sqlite" else await setting(connection)
        with pytest.raises(NotFound):
            await require_tenant(connection, "cirrus")
        await require_tenant(connection, "borealis")
        both = None if backend == "sqlite" else await setting(connection)
    async with db.write(EVERY_TENANT) as connection:
        await admit(connection, one.id)
        every = None if backend == "sqlite" else await setting(connection)
    if backend == "postgres":
        assert (first, both, every) == (f"{{{one.id}}}", f"{{{one.id},{other.id}}}", "*")
