"""Rows of two tenants in every table of tenant data, whatever tables there are. Keeps no rule of the ledger."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest
from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Integer, LargeBinary, Table, insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from reseller_kit.db import tables as t
from reseller_kit.db.engine import Database

SCOPED: Final = tuple(table for table in t.metadata.sorted_tables if table.name not in t.UNSCOPED)
_ONE_OF: Final = re.compile(r"(\w+) IN \('(\w+)'")
A: Final = 71
B: Final = 72


DENIED: Final = "42501"
"""SQLSTATE of what a role may not do, or a policy does not let through."""


async def refusal(work: Awaitable[Any]) -> tuple[str, str]:
    """The SQLSTATE and the words that PostgreSQL refuses a statement with."""
    with pytest.raises(DBAPIError) as caught:
        await work
    return str(getattr(caught.value.orig, "sqlstate", "")), str(caught.value.orig)


async def fill(db: Database) -> None:
    """One row of tenant A and one of tenant B in each such table, none of which refers to anything; PostgreSQL only."""
    async with db.administer() as connection:
        await connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in SCOPED:
            for tenant_id in (A, B):
                await connection.execute(insert(table).values(row_of(table, tenant_id)))


def row_of(table: Table, tenant_id: int, number: int = 0) -> dict[str, Any]:
    """The smallest row of a table; `number` keeps rows of one tenant apart."""
    needed = [
        column
        for column in table.columns
        if not column.nullable and column.server_default is None and column is not table.autoincrement_column
    ]
    values = {column.name: _value(column, tenant_id + number) for column in needed}
    return {
        **values,
        **{name: value for name, value in _chosen(table).items() if name in values},
        "tenant_id": tenant_id,
    }


def _chosen(table: Table) -> dict[str, str]:
    """A value for each column that a check lets have a few alone."""
    checks = [str(check.sqltext) for check in table.constraints if isinstance(check, CheckConstraint)]
    return {found[1]: found[2] for check in checks if (found := _ONE_OF.match(check)) is not None}


def _value(column: Column[Any], seed: int) -> Any:
    kind = column.type
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, BigInteger | Integer):
        return seed
    if isinstance(kind, LargeBinary):
        return str(seed).encode()
    return str(seed) if kind.python_type is str else {}


@asynccontextmanager
async def deployment(url: str, login: str, options: str, databases: int = 1) -> AsyncIterator[list[str]]:
    """URLs of empty databases that belong to a new login role; they, it and its application role go afterwards."""
    admin = await asyncpg.connect(dsn_of(url))
    own = make_url(url).set(username=login)
    names = [f"{login}_{number}" for number in range(databases)]
    await admin.execute(f'CREATE ROLE "{login}" LOGIN {options}')
    try:
        for name in names:
            await admin.execute(f'CREATE DATABASE "{name}" OWNER "{login}"')
        yield [own.set(database=name).render_as_string(hide_password=False) for name in names]
    finally:
        for name in names:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'DROP ROLE IF EXISTS "app_of_{login}"')
        await admin.execute(f'DROP ROLE "{login}"')
        await admin.close()


async def administer(url: str, statement: str) -> None:
    """Run one statement as the server's superuser."""
    admin = await asyncpg.connect(dsn_of(url))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


def dsn_of(url: str) -> str:
    """A database's URL as asyncpg takes it."""
    return url.replace("+asyncpg", "")
