"""The application role: made with the schema, weaker than the login role, and missed where it is not so."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select, text

from reseller_kit.core.errors import InvalidRequest, SchemaOutdated
from reseller_kit.db import row_security, schema
from reseller_kit.db import tables as t
from reseller_kit.db.application_role import connect
from reseller_kit.db.engine import EVERY_TENANT, NO_TENANT, Database
from reseller_kit.flows.audit import audit
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_platform, make_tenant
from tests.support.ledger import grant, hold, make_shop, open_ledger, settle
from tests.support.row_security import DENIED, SCOPED, administer, deployment, refusal

pytestmark = pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])


# --- The lock itself --------------------------------------------------------------------------------------------------


async def problems(db: Database) -> list[str]:
    async with db.administer() as connection:
        return await connection.run_sync(row_security.problems)


async def test_every_table_of_tenant_data_is_locked(db: Database) -> None:
    assert await problems(db) == []
    async with db.administer() as connection:
        rows = await connection.execute(
            text(
                "SELECT c.relname, c.relrowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)"
                " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attname = 'tenant_id'"
                " AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
            )
        )
        locked = {name: on and policies > 0 for name, on, policies in rows}
    assert locked == dict.fromkeys((table.name for table in SCOPED), True)


async def test_a_months_partition_is_reached_through_its_table_alone(db: Database) -> None:
    async with db.administer() as connection:
        rows = await connection.execute(
            text(
                "SELECT c.relname, has_table_privilege('app_of_' || pg_get_userbyid(c.relowner), c.oid,"
                " 'SELECT, INSERT, UPDATE, DELETE') AS held FROM pg_class c WHERE c.relispartition AND c.relkind = 'r'"
            )
        )
        reached: dict[str, bool] = {row.relname: row.held for row in rows}
    assert len(reached) >= 4
    assert not any(reached.values())


@pytest.mark.parametrize(
    ("weaken", "said"),
    [
        ("ALTER TABLE lot DISABLE ROW LEVEL SECURITY", "Row-level security is off on the table lot."),
        ("DROP POLICY tenant_rows ON entry", "The table entry has the policies none; it should have tenant_rows."),
        ("CREATE POLICY open ON hold USING (true)", "The table hold has the policies open, tenant_rows"),
        (
            "ALTER POLICY tenant_rows ON domain USING (true)",
            "The policy tenant_rows of the table domain does not go by",
        ),
        ("ALTER POLICY tenant_rows ON domain WITH CHECK (true)", "The policy tenant_rows of the table domain"),
        ("GRANT UPDATE ON txn TO app_of_postgres", "may SELECT, INSERT, UPDATE on the table txn, not SELECT, INSERT."),
        ("GRANT TRUNCATE ON lease TO app_of_postgres", "on the table lease, not SELECT, INSERT, UPDATE, DELETE."),
        ("REVOKE SELECT ON revision FROM app_of_postgres", "may INSERT, UPDATE on the table revision"),
    ],
)
async def test_a_lock_that_was_weakened_is_told_and_mended(db: Database, weaken: str, said: str) -> None:
    async with db.administer() as connection:
        await connection.execute(text(weaken))
    (problem,) = await problems(db)
    assert said in problem
    assert await schema.upgrade(db) == []
    assert await problems(db) == []


async def test_a_table_that_no_policy_was_made_for_is_shut(db: Database) -> None:
    """A migration that makes a table out of `db.tables`' sight opens it to nobody."""
    async with db.administer() as connection:
        await connection.execute(text("CREATE TABLE novel AS SELECT 1 AS tenant_id"))
    async with db.write(EVERY_TENANT) as connection:
        assert (await refusal(connection.execute(text("SELECT * FROM novel"))))[0] == DENIED


async def test_commands_tell_of_a_weak_lock(db: Database, tmp_path: Path) -> None:
    await make_platform(db)
    async with db.administer() as connection:
        await connection.execute(text("ALTER TABLE customer DISABLE ROW LEVEL SECURITY"))
    cli = Cli(tmp_path, db.url.render_as_string(hide_password=False))

    def told(command: Sequence[str]) -> tuple[int, str]:
        result = cli.run(*command, "--json")
        (finding,) = (row for row in result.json()["findings"] if row["code"] in {"DB103", "DR104"})
        assert finding["fix"] == "Run: reseller-kit db upgrade"
        return result.code, finding["message"]

    message = "Row-level security is off on the table customer."
    assert await asyncio.to_thread(told, ("db", "check")) == (6, message)
    assert await asyncio.to_thread(told, ("doctor",)) == (6, message)


# --- Login roles ------------------------------------------------------------------------------------------------------


async def use(url: str) -> None:
    """The product on a database whose login role is no superuser."""
    db = Database(url)
    try:
        assert await problems(db) == []
        shop = await make_shop(db)
        await make_customer(db, await make_tenant(db, "borealis", hosts=["borealis.localhost"]))
        async with open_ledger(db) as ledger:
            await ledger.submit(grant(shop, 1_000))
            call = hold(shop, 100)
            await ledger.submit(call)
            await ledger.submit(settle(shop, call, {"input": 1}))
        assert (await audit(db)).ok
        async with db.read(NO_TENANT) as connection:
            assert (await connection.execute(select(t.lot))).all() == []
    finally:
        await db.close()


async def upgraded(url: str) -> list[str]:
    db = Database(url)
    try:
        return await schema.upgrade(db)
    finally:
        await db.close()


async def test_databases_of_one_server_are_upgraded_at_the_same_moment(database_url: str) -> None:
    async def upgrade_apart(url: str) -> int:
        environ = {**os.environ, "RESELLER_KIT_DATABASE_URL": url, "RESELLER_KIT_SECRET_KEY": SECRET_KEY}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "reseller_kit", "db", "upgrade", env=environ, stdout=asyncio.subprocess.DEVNULL
        )
        return await process.wait()

    async with deployment(database_url, "landlord", "CREATEROLE", databases=3) as urls:
        # Each twice: what is under way in another process is waited for.
        assert await asyncio.gather(*map(upgrade_apart, [*urls, *urls])) == [0] * 6
        for url in urls:
            await use(url)


async def test_a_role_that_a_restore_left_behind_is_made_again(database_url: str) -> None:
    async with deployment(database_url, "leaser", "CREATEROLE") as (url,):
        await upgraded(url)
        db = Database(url)
        async with db.administer() as connection:
            await connection.execute(text("DROP OWNED BY app_of_leaser"))
            await connection.execute(text("DROP ROLE app_of_leaser"))
        assert await problems(db) == ["The application role app_of_leaser does not exist."]
        with pytest.raises(SchemaOutdated):
            await schema.prepare(db)
        assert await schema.upgrade(db) == []
        await use(url)
        await db.close()


async def test_a_login_role_that_may_make_no_role_is_told_what_to_ask_for(database_url: str) -> None:
    async with deployment(database_url, "lodger", "", databases=1) as (url,):
        with pytest.raises(InvalidRequest, match="login role lodger may not make the application role") as caught:
            await upgraded(url)
        asked = re.findall(r"(?:CREATE|GRANT) [^;]+", caught.value.fix)
        assert asked == ['CREATE ROLE "app_of_lodger" NOLOGIN NOINHERIT', 'GRANT "app_of_lodger" TO "lodger"']
        db = Database(url)
        assert await schema.current_revision(db) is None, "half an upgrade stayed behind"
        with pytest.raises(SchemaOutdated, match="no application role") as refused:
            await schema.prepare(db)
        assert "db upgrade" in refused.value.fix
        await db.close()
        for statement in asked:
            await administer(database_url, statement)
        await upgraded(url)
        await use(url)


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS"])
async def test_an_application_role_that_sees_all_is_not_worked_under(database_url: str, power: str) -> None:
    async with deployment(database_url, "tenantry", "CREATEROLE") as (url,):
        await upgraded(url)
        await administer(database_url, f"ALTER ROLE app_of_tenantry {power}")
        db = Database(url)
        assert "no policy binds it" in (await problems(db))[0]
        for opened in (db.read(EVERY_TENANT), db.write(EVERY_TENANT)):
            with pytest.raises(SchemaOutdated, match="see past the policies"):
                await opened.__aenter__()
        with pytest.raises(SchemaOutdated):
            await connect(db.postgres_dsn)
        with pytest.raises(InvalidRequest, match="no policy binds it"):
            await schema.upgrade(db)
        await administer(database_url, f"ALTER ROLE app_of_tenantry NO{power}")
        await use(url)
        await db.close()


async def test_an_application_role_that_owns_the_tables_is_not_worked_under(database_url: str) -> None:
    async with deployment(database_url, "freehold", "SUPERUSER") as (url,):
        await upgraded(url)
        await administer(database_url, "GRANT freehold TO app_of_freehold WITH INHERIT TRUE")
        db = Database(url)
        assert "owns the tables" in (await problems(db))[0]
        with pytest.raises(SchemaOutdated, match="see past the policies"):
            await db.read(NO_TENANT).__aenter__()
        await administer(database_url, "REVOKE freehold FROM app_of_freehold")
        async with db.administer() as connection:
            await connection.execute(text("ALTER TABLE lot OWNER TO app_of_freehold"))
        with pytest.raises(InvalidRequest, match="owns the table lot"):
            await schema.upgrade(db)
        await db.close()


async def test_two_deployments_on_one_server_share_no_role(database_url: str) -> None:
    async with (
        deployment(database_url, "first", "CREATEROLE") as (one,),
        deployment(database_url, "second", "CREATEROLE") as (other,),
    ):
        await upgraded(one)
        await upgraded(other)
        stranger = Database(other.replace("second@", "first@"))
        for opened in (stranger.read(EVERY_TENANT), stranger.write(EVERY_TENANT)):
            with pytest.raises(SchemaOutdated):
                await opened.__aenter__()
        async with stranger.administer() as connection:
            assert (await refusal(connection.execute(select(t.customer))))[0] == DENIED
        await stranger.close()


async def test_a_login_role_that_owns_nothing_serves_and_has_nothing_to_go_back_to(database_url: str) -> None:
    async with deployment(database_url, "landlady", "CREATEROLE") as (url,):
        await upgraded(url)
        await administer(database_url, "CREATE ROLE clerk LOGIN IN ROLE app_of_landlady")
        try:
            db = Database(url.replace("landlady@", "clerk@"))
            await schema.prepare(db)
            await use(db.url.render_as_string(hide_password=False))
            async with db.write(NO_TENANT) as connection:
                await connection.execute(text("RESET ROLE"))
                assert await connection.scalar(text("SELECT current_user")) == "clerk"
                assert (await connection.execute(select(t.lot))).all() == []
                assert (await refusal(connection.execute(text("DELETE FROM entry"))))[0] == DENIED
            await db.close()
        finally:
            await administer(database_url, "DROP ROLE clerk")
