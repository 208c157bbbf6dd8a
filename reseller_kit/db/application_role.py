"""The role that every application connection to PostgreSQL works under. Makes no role and grants nothing.

A superuser or a table's owner ignores policies; the role that the database URL logs in as is often both. So whoever
connects takes on the application role first, or has no connection. Its name is that of the tables' owner behind
`app_of_`: roles are shared by a whole server, and two deployments on one server must not share theirs.
"""

from __future__ import annotations

from typing import Any, Final

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from ..core.errors import SchemaOutdated

PREFIX: Final = "app_of_"

_TAKE: Final = (
    "SELECT set_config('role', r.rolname, false) FROM pg_class c"  # noqa: S608  # a name of our own
    f" JOIN pg_roles r ON r.rolname = '{PREFIX}' || pg_get_userbyid(c.relowner)"
    " WHERE c.oid = to_regclass('tenant') AND NOT r.rolsuper AND NOT r.rolbypassrls"
    " AND NOT pg_has_role(r.oid, c.relowner, 'USAGE') AND pg_has_role(session_user, r.oid, 'MEMBER')"
    " AND has_table_privilege(r.oid, to_regclass('alembic_version'), 'SELECT')"
)


async def connect(dsn: str, **options: Any) -> Any:
    """An asyncpg connection under the application role. Raises SchemaOutdated where there is none."""
    connection = await asyncpg.connect(dsn, **options)
    try:
        if await connection.fetchval(_TAKE) is None:
            raise _missing()
    except BaseException:
        connection.terminate()
        raise
    return connection


def take_on_connect(engine: AsyncEngine) -> None:
    """Have every connection of the engine's pool take on the application role before it is used."""

    @event.listens_for(engine.sync_engine, "connect")
    def _take(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(_TAKE)
        taken = cursor.fetchone()
        cursor.close()
        if taken is None:
            raise _missing()
        connection.commit()  # a rollback would give the role back


def _missing() -> SchemaOutdated:
    return SchemaOutdated(
        "The database has no application role to work under, or one that could see past the policies.",
        fix="Run: reseller-kit db upgrade",
    )
