"""The second lock: what an application connection to PostgreSQL can't do, whatever statement it sends."""

from __future__ import annotations

import ast
import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound

import reseller_kit
from reseller_kit.core.errors import KitError
from reseller_kit.db import erasure, passkeys, row_security
from reseller_kit.db import tables as t
from reseller_kit.db.application_role import connect
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database
from reseller_kit.db.ledger import postgres
from reseller_kit.db.scope import as_array
from reseller_kit.flows.audit import audit
from tests.integration.test_isolation_walk import READS, WRITES, two_tenants
from tests.support.ledger import deposit, grant, hold, make_shop, open_ledger, settle, wallet
from tests.support.row_security import DENIED, SCOPED, A, B, fill, refusal, row_of

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])
UPDATABLE = [table for table in SCOPED if table.name not in t.APPEND_ONLY]


async def tenants_seen(db: Database, scope: Any) -> dict[str, list[int]]:
    """Whose rows a transaction finds, table by table, in statements that name no tenant."""
    async with db.read(scope) as connection:
        return {
            table.name: sorted(
                await connection.scalars(select(table.c.tenant_id).where(table.c.tenant_id.is_not(None)))
            )
            for table in SCOPED
        }


# In one statement: one for each table would take as long as all else here.
EVERYTHING = text(" UNION ALL ".join(f"SELECT '{table.name}', x::text FROM \"{table.name}\" x" for table in SCOPED))


async def everything(db: Database) -> list[tuple[str, str]]:
    """All rows of all tables of tenant data, each with its table's name, as the owner sees them."""
    async with db.administer() as connection:
        return sorted(tuple(row) for row in await connection.execute(EVERYTHING))


# --- Rows -------------------------------------------------------------------------------------------------------------


async def test_a_transaction_sees_the_rows_of_its_scope_and_no_others(db: Database) -> None:
    await fill(db)
    for scope, seen in ((NO_TENANT, []), (A, [A]), (B, [B]), (B + 1, []), (EVERY_TENANT, [A, B])):
        assert await tenants_seen(db, scope) == {table.name: seen for table in SCOPED}


@pytest.mark.parametrize("value", [None, "", "{}", "{NULL}"])
async def test_a_setting_without_a_tenant_shows_nothing(db: Database, value: str | None) -> None:
    await fill(db)
    async with db.write(NO_TENANT) as connection:
        if value is not None:
            await connection.execute(text("SELECT set_config('rk.tenants', :value, false)"), {"value": value})
        for table in SCOPED:
            assert (await connection.execute(select(table))).all() == [], table.name


@pytest.mark.parametrize("value", ["**", "1", "{1", "{1;2}", "{*}"])
async def test_a_setting_that_makes_no_sense_is_an_error(db: Database, value: str) -> None:
    await fill(db)
    async with db.write(NO_TENANT) as connection:
        await connection.execute(text("SELECT set_config('rk.tenants', :value, true)"), {"value": value})
        state, _ = await refusal(connection.execute(select(t.lot)))
    assert state == "22P02"


@pytest.mark.parametrize("scope", [NO_TENANT, A])
async def test_no_row_of_another_tenant_is_written(db: Database, scope: Any) -> None:
    await fill(db)
    before = await everything(db)
    for table in SCOPED:
        async with db.write(scope) as connection:
            state, words = await refusal(connection.execute(insert(table).values(row_of(table, B, number=10))))
        assert (state, "row-level security" in words) == (DENIED, True), table.name
    for table in UPDATABLE:
        async with db.write(scope) as connection:
            theirs = update(table).where(table.c.tenant_id == B).values(tenant_id=B)
            assert (await connection.execute(theirs)).rowcount == 0, table.name
        if scope == A:
            async with db.write(scope) as connection:
                state, words = await refusal(connection.execute(update(table).values(tenant_id=B)))
            assert (state, "row-level security" in words) == (DENIED, True), table.name
    assert await everything(db) == before


async def test_rows_of_the_platform(db: Database) -> None:
    """What upstreams charge is read for every tenant; the platform's audit rows and mails are the operator's alone."""
    await fill(db)
    shared = {table.name: table.c.tenant_id.nullable for table in SCOPED if table.c.tenant_id.nullable}
    assert set(shared) == {"audit_log", "outbox", "price_version"}
    for name in shared:
        table = t.metadata.tables[name]
        row = {**row_of(table, B, number=10), "tenant_id": None}
        for scope in (NO_TENANT, A):
            async with db.write(scope) as connection:
                assert (await refusal(connection.execute(insert(table).values(row))))[0] == DENIED
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(insert(table).values(row))
        counts = []
        for scope in (NO_TENANT, A, EVERY_TENANT):
            async with db.read(scope) as connection:
                counts.append(
                    await connection.scalar(select(func.count()).select_from(table).where(table.c.tenant_id.is_(None)))
                )
        assert counts == [0, int(name in t.PLATFORM_ROWS), 1], name


async def test_a_connection_of_the_ledger_and_of_the_probe_is_locked_too(db: Database) -> None:
    await fill(db)
    connection = await connect(db.postgres_dsn)
    try:
        assert await connection.fetchval("SELECT current_user") == "app_of_postgres"
        assert [await connection.fetch(f'SELECT * FROM "{table.name}"') for table in SCOPED] == [[]] * len(SCOPED)
        await connection.reset()
        assert await connection.fetchval("SELECT current_user") == "app_of_postgres"
    finally:
        await connection.close()


async def test_a_pooled_connection_keeps_the_role_after_a_rollback(db: Database) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError):
            async with db.write(NO_TENANT) as connection:
                raise RuntimeError
        async with db.write(NO_TENANT) as connection:
            assert await connection.scalar(text("SELECT current_user")) == "app_of_postgres"


def _named(node: ast.AST) -> str:
    """A name, or one in a module, as it is written; else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


def test_every_connection_is_made_in_one_place(backend: str) -> None:
    """A connection that is opened elsewhere would work as the owner, past every policy."""
    package = Path(reseller_kit.__file__).parent
    openers = {
        f"{path.relative_to(package)}: {name}"
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (name := _named(node)) in {"asyncpg.connect", "asyncpg.create_pool", "create_async_engine", "create_engine"}
    }
    assert openers == {"db/application_role.py: asyncpg.connect", "db/engine.py: create_async_engine"}


# --- Privileges -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["txn", "entry", "usage_record", "price_version", "audit_log", "operation"])
async def test_history_is_neither_changed_nor_deleted(db: Database, name: str) -> None:
    await fill(db)
    table = t.metadata.tables[name]
    column = next(iter(table.columns)).name
    statements = (f'UPDATE "{name}" SET "{column}" = "{column}"', f'DELETE FROM "{name}"', f'TRUNCATE "{name}"')
    for statement in (*statements, f'ALTER TABLE "{name}" DISABLE ROW LEVEL SECURITY', f'DROP TABLE "{name}"'):
        async with db.write(EVERY_TENANT) as connection:
            state, _ = await refusal(connection.execute(text(statement)))
        assert state == DENIED, statement


async def test_the_application_makes_no_table_and_no_role(db: Database) -> None:
    for statement in ("CREATE TABLE mine (id int)", "CREATE ROLE mine", "ALTER ROLE app_of_postgres BYPASSRLS"):
        async with db.write(EVERY_TENANT) as connection:
            assert (await refusal(connection.execute(text(statement))))[0] == DENIED


def test_no_privilege_is_granted_that_no_query_needs(backend: str) -> None:
    """That none is missing the other tests show."""
    deleted, updated = set(), set()
    rings = {ring.table.name for ring in (passkeys.CUSTOMERS, passkeys.MEMBERS)}
    for path in Path(row_security.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                name = ast.unparse(node.args[0]).removeprefix("t.")
                named = rings if name == "ring.table" else {name}
                deleted |= named if node.func.id == "delete" else set()
                updated |= named if node.func.id in {"update", "_update"} else set()
    assert deleted | {table.name for table in erasure.GONE} >= t.DELETABLE
    assert updated & t.APPEND_ONLY <= t.REDACTABLE.keys()


# --- The ledger -------------------------------------------------------------------------------------------------------


async def test_a_batch_of_several_tenants_writes_every_row(db: Database) -> None:
    shops = [await make_shop(db, slug) for slug in ("aurora", "borealis", "cirrus")]
    async with open_ledger(db) as ledger:
        await asyncio.gather(*(ledger.submit(item) for s in shops for item in (grant(s, 1_000), deposit(s, 1_000))))
        calls = [hold(shop, 100, 80, key_limit=5_000) for shop in shops]
        await asyncio.gather(*(ledger.submit(call) for call in calls))
        assert [await wallet(db, shop.wallet_id) for shop in shops] == [(1_000, 100, 0)] * 3
        items = [
            item
            for shop, call in zip(shops, calls, strict=True)
            for item in (settle(shop, call, {"input": 10}), grant(shop, 7), hold(shop, 50, 40))
        ]
        await asyncio.gather(*(ledger.submit(item) for item in items))
    assert [await wallet(db, shop.wallet_id) for shop in shops] == [(1_000 - 30 + 7, 50, 0)] * 3
    assert [await wallet(db, shop.reseller_wallet) for shop in shops] == [(1_000 - 20, 40, 0)] * 3
    async with db.administer() as connection:
        for table, rows in ((t.usage_record, 1), (t.key_window, 1), (t.hold, 2), (t.lot, 2)):
            counts = await connection.execute(select(table.c.tenant_id, func.count()).group_by(table.c.tenant_id))
            assert sorted(map(tuple, counts)) == [(shop.tenant_id, rows) for shop in shops], table.name
    assert (await audit(db)).ok


@pytest.mark.parametrize("lost_when", ["before it reads", "between reading and writing"])
async def test_a_tenant_missing_from_the_batchs_list_fails_and_loses_no_row(
    db: Database, monkeypatch: pytest.MonkeyPatch, lost_when: str
) -> None:
    seen, lost = await make_shop(db, "aurora"), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await asyncio.gather(
            *(ledger.submit(item) for s in (seen, lost) for item in (grant(s, 1_000), deposit(s, 900)))
        )
        calls = {shop: hold(shop, 100, 80) for shop in (seen, lost)}
        await asyncio.gather(*(ledger.submit(call) for call in calls.values()))
        narrow_batches(monkeypatch, lost.tenant_id, before_reading=lost_when == "before it reads")
        items = [item for s in (seen, lost) for item in (grant(s, 5), hold(s, 10), settle(s, calls[s], {"input": 10}))]
        found = await asyncio.gather(*(ledger.submit(item) for item in items), return_exceptions=True)
        assert [isinstance(outcome, KitError) for outcome in found] == [False] * 3 + [True] * 3
        monkeypatch.undo()
        assert await wallet(db, lost.wallet_id) == (1_000, 100, 0)
        assert await wallet(db, seen.wallet_id) == (1_000 - 30 + 5, 10, 0)
        again = await asyncio.gather(*(ledger.submit(item) for item in items[3:]), return_exceptions=True)
        assert not any(isinstance(outcome, BaseException) for outcome in again)
    assert await wallet(db, lost.wallet_id) == (1_000 - 30 + 5, 10, 0)
    assert (await audit(db)).ok


def narrow_batches(monkeypatch: pytest.MonkeyPatch, lost: int, *, before_reading: bool) -> None:
    """Have every batch's list lack a tenant, from its beginning or from its first write on."""
    real_read = postgres._read

    def narrowed(tenant_ids: Iterable[int]) -> str:
        return as_array(tenant_id for tenant_id in tenant_ids if tenant_id != lost)

    async def read(connection: Any, needs: Any, *found: Any) -> Any:
        loaded = await real_read(connection, needs, *found)
        await connection.execute("SELECT set_config('rk.tenants', $1, true)", narrowed(needs.tenants))
        return loaded

    if before_reading:
        monkeypatch.setattr(postgres, "as_array", narrowed)
    else:
        monkeypatch.setattr(postgres, "_read", read)


# --- Queries ----------------------------------------------------------------------------------------------------------


async def test_every_query_works_in_the_scope_of_its_own_tenant(db: Database) -> None:
    """What a query reads with everybody's rows in sight it reads with its own tenant's alone."""
    ours, theirs, things = await two_tenants(db)
    for name, read in READS.items():
        found = []
        for scope in (ours, EVERY_TENANT, theirs):
            async with db.read(scope) as connection:
                try:
                    found.append(await read(connection, ours, things))
                except (KitError, NoResultFound, LookupError) as error:
                    found.append(type(error))
        assert found[0] == found[1], name
        assert found[0] != found[2], f"{name} finds another tenant's rows in that tenant's scope"
    for name, write in WRITES.items():
        with contextlib.suppress(IntegrityError):
            async with db.write(ours) as connection:
                await write(connection, ours, things)
        with contextlib.suppress(DBAPIError, KitError, NoResultFound):
            before = None
            async with db.write(theirs) as connection:
                await write(connection, ours, things)
                # A transaction without an id wrote nothing; what one wrote is not seen by others before its end.
                if await connection.scalar(select(func.pg_current_xact_id_if_assigned().cast(String))):
                    before = await everything(db)
            assert before is None or await everything(db) == before, name
