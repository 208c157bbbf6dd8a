"""The second lock on PostgreSQL: the application role, its privileges, a policy on each table of tenant data.

Everything follows from `db.tables`, so a new table is locked from its first upgrade on. Touches no row; on SQLite it
does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, text

from ..core.errors import InvalidRequest
from . import redaction_guard
from .application_role import PREFIX
from .scope import EVERYBODY, SETTING
from .tables import APPEND_ONLY, DELETABLE, PLATFORM_ROWS, REDACTABLE, UNSCOPED, metadata

POLICY: Final = "tenant_rows"
PLATFORM_POLICY: Final = "platform_rows"
PRIVILEGES: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
_VERSION_TABLE: Final = "alembic_version"
_MAX_NAME_BYTES: Final = 63
_SET_OPTION_SINCE: Final = 160_000

# Sub-selects, because PostgreSQL evaluates those once a statement and a bare current_setting() once a row. Unset and
# empty are no list at all, and nothing equals a member of no list.
_LISTED: Final = f"(SELECT nullif(nullif(current_setting('{SETTING}', true), ''), '{EVERYBODY}')::bigint[])::bigint[]"
_EVERYBODY: Final = f"(SELECT current_setting('{SETTING}', true) = '{EVERYBODY}')"
_TENANT_ROWS: Final = f"tenant_id = ANY ({_LISTED}) OR {_EVERYBODY}"
_SHARED_ROWS: Final = f"tenant_id IS NULL AND cardinality({_LISTED}) > 0"


class _Facts(Struct, frozen=True, kw_only=True):
    """Who is who in a database; `role` is the name of the application role, there or not."""

    schema: str
    owner: str
    login: str
    role: str
    exists: bool
    sees_all: bool
    owns: bool


_FACTS: Final = text(
    """
    SELECT n.nspname AS schema, pg_get_userbyid(c.relowner) AS owner, session_user AS login,
           :prefix || pg_get_userbyid(c.relowner) AS role, r.oid IS NOT NULL AS exists,
           coalesce(r.rolsuper OR r.rolbypassrls, false) AS sees_all,
           coalesce(pg_has_role(r.oid, c.relowner, 'USAGE'), false) AS owns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_roles r ON r.rolname = :prefix || pg_get_userbyid(c.relowner)
    WHERE c.oid = to_regclass('tenant')
    """
)
_MAY_TAKE: Final = text("SELECT pg_has_role(session_user, oid, :take) FROM pg_roles WHERE rolname = :role")
_TABLES: Final = text(
    """
    SELECT c.relname AS name, c.relrowsecurity AS locked,
           pg_has_role(r.oid, c.relowner, 'USAGE') AS owned,
           (SELECT array_agg(p.polname::text ORDER BY p.polname) FROM pg_policy p WHERE p.polrelid = c.oid
            AND p.polroles && ARRAY[0::oid, r.oid]) AS policies,
           (SELECT min(p.polname::text) FROM pg_policy p WHERE p.polrelid = c.oid AND NOT coalesce(
            pg_get_expr(p.polqual, c.oid) LIKE '%' || :setting || '%'
            AND coalesce(pg_get_expr(p.polwithcheck, c.oid), :setting) LIKE '%' || :setting || '%', false)) AS opened,
           (SELECT array_agg(v ORDER BY ord) FROM unnest(CAST(:privileges AS text[])) WITH ORDINALITY AS u(v, ord)
            WHERE has_table_privilege(r.oid, c.oid, v)) AS held,
           (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid
            AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')
            AND NOT has_table_privilege(r.oid, c.oid, 'UPDATE')) AS rewritten
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.rolname = :role
    WHERE c.relkind IN ('r', 'p') AND n.nspname = :schema AND c.relname = ANY(CAST(:names AS text[]))
    ORDER BY c.relname
    """
)
# Two databases of one server may be upgraded at the same moment, and both make the role. Who may not make one finds
# out below, with the words to ask for it.
_TRY: Final = (
    "DO $$ BEGIN {statement}; EXCEPTION WHEN duplicate_object OR unique_violation OR undefined_object"
    " OR insufficient_privilege THEN NULL; END $$"
)


def privileges_of(table: str) -> tuple[str, ...]:
    """What the application role may do on a table, in the order of `PRIVILEGES`."""
    if table == _VERSION_TABLE:
        return ("SELECT",)
    update = () if table in APPEND_ONLY else ("UPDATE",)
    delete = ("DELETE",) if table in DELETABLE else ()
    return ("SELECT", "INSERT", *update, *delete)


def policies_of(table: str) -> tuple[str, ...]:
    """The names of a table's policies, in alphabetical order."""
    if table in UNSCOPED or table == _VERSION_TABLE:
        return ()
    return (PLATFORM_POLICY, POLICY) if table in PLATFORM_ROWS else (POLICY,)


def install(connection: Connection) -> None:
    """Make the role where it is missing, and grant and lock anew, in the transaction of the upgrade.

    Raises InvalidRequest, with the statements that an administrator runs, where the login role may not do that, and
    whenever the lock would not hold: an upgrade never ends with a weak one.
    """
    facts = _facts(connection)
    if facts is None:
        return
    _make_role(connection, facts)
    quote = connection.dialect.identifier_preparer.quote_identifier
    role, schema = quote(facts.role), quote(facts.schema)
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for row in connection.execute(_TABLES, _looked_for(facts)).all():
        name, table = row.name, f"{schema}.{quote(row.name)}"
        connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {role}")
        connection.exec_driver_sql(f"GRANT {', '.join(privileges_of(name))} ON {table} TO {role}")
        if name in REDACTABLE:
            columns = ", ".join(map(quote, REDACTABLE[name]))
            connection.exec_driver_sql(f"GRANT UPDATE ({columns}) ON {table} TO {role}")
        for policy in row.policies or ():
            connection.exec_driver_sql(f"DROP POLICY {quote(policy)} ON {table}")
        for statement in _locks(name, table):
            connection.exec_driver_sql(statement)
    for sequence in _sequences(connection, schema):
        connection.exec_driver_sql(f"GRANT USAGE ON SEQUENCE {sequence} TO {role}")
    redaction_guard.install(connection, facts.schema)
    left = problems(connection)
    if left:
        raise InvalidRequest(left[0], fix="Let an administrator mend this, then run: reseller-kit db upgrade")


def problems(connection: Connection) -> list[str]:
    """What is missing or weaker than it should be, a sentence each; nothing where there are no tables yet."""
    facts = _facts(connection)
    if facts is None:
        return []
    if not facts.exists:
        return [f"The application role {facts.role} does not exist."]
    found = []
    if facts.sees_all:
        found.append(f"The application role {facts.role} is a superuser or has BYPASSRLS, so no policy binds it.")
    if facts.owns:
        found.append(f"The application role {facts.role} owns the tables, so no policy binds it.")
    if not _may_take(connection, facts.role):
        found.append(f"The login role {facts.login} may not take on the application role {facts.role}.")
    return [*found, *_table_problems(connection, facts), *redaction_guard.problems(connection, facts.schema)]


def _table_problems(connection: Connection, facts: _Facts) -> Iterator[str]:
    for row in connection.execute(_TABLES, _looked_for(facts)):
        wanted = policies_of(row.name)
        if row.owned:
            yield f"The application role owns the table {row.name}, so no policy binds it there."
        if wanted and not row.locked:
            yield f"Row-level security is off on the table {row.name}."
        if tuple(row.policies or ()) != wanted:
            shown = ", ".join(row.policies or ()) or "none"
            yield f"The table {row.name} has the policies {shown}; it should have {', '.join(wanted) or 'none'}."
        elif row.opened is not None:
            yield f"The policy {row.opened} of the table {row.name} does not go by the transaction's tenants."
        if tuple(row.held or ()) != privileges_of(row.name):
            shown = ", ".join(row.held or ()) or "nothing"
            yield f"The application role may {shown} on the table {row.name}, not {', '.join(privileges_of(row.name))}."
        if tuple(row.rewritten or ()) != (asked := tuple(sorted(REDACTABLE.get(row.name, ())))):
            shown = ", ".join(row.rewritten or ()) or "no column"
            yield f"The application role may update {shown} of the table {row.name}, not {', '.join(asked) or 'none'}."


def _make_role(connection: Connection, facts: _Facts) -> None:
    if len(facts.role.encode()) > _MAX_NAME_BYTES:
        raise InvalidRequest(f"The name {facts.role} of the application role is too long.", fix="Rename the owner.")
    quote = connection.dialect.identifier_preparer.quote_identifier
    create = f"CREATE ROLE {quote(facts.role)} NOLOGIN NOINHERIT"
    grant = f"GRANT {quote(facts.role)} TO {quote(facts.login)}"
    if not facts.exists:
        connection.exec_driver_sql(_TRY.format(statement=create))
    if not _may_take(connection, facts.role):
        connection.exec_driver_sql(_TRY.format(statement=grant))
    if not _may_take(connection, facts.role):
        asked = grant if facts.exists else f"{create}; {grant}"
        raise InvalidRequest(
            f"The login role {facts.login} may not make the application role {facts.role}, or not take it on.",
            fix=f"Let an administrator run: {asked}; then run again: reseller-kit db upgrade",
        )


def _facts(connection: Connection) -> _Facts | None:
    """None on SQLite and where there are no tables yet."""
    if connection.dialect.name != "postgresql":
        return None
    row = connection.execute(_FACTS, {"prefix": PREFIX}).mappings().one_or_none()
    return None if row is None else _Facts(**row)


def _may_take(connection: Connection, role: str) -> bool:
    """Whether the login role may work under this role; no for one that does not exist."""
    version = connection.scalar(text("SELECT current_setting('server_version_num')::int")) or 0
    # From PostgreSQL 16 on whoever makes a role is its member, yet may not take it on without being told so.
    take = "SET" if version >= _SET_OPTION_SINCE else "MEMBER"
    return bool(connection.scalar(_MAY_TAKE, {"role": role, "take": take}))


def _locks(name: str, table: str) -> Iterator[str]:
    if not policies_of(name):
        return
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"CREATE POLICY {POLICY} ON {table} USING ({_TENANT_ROWS}) WITH CHECK ({_TENANT_ROWS})"
    if name in PLATFORM_ROWS:
        yield f"CREATE POLICY {PLATFORM_POLICY} ON {table} FOR SELECT USING ({_SHARED_ROWS})"


def _sequences(connection: Connection, schema: str) -> list[Any]:
    """The sequences that number rows of our tables, as SQL names them."""
    statement = text("SELECT pg_get_serial_sequence(:table, :column)")
    quote = connection.dialect.identifier_preparer.quote_identifier
    found = [
        connection.scalar(
            statement, {"table": f"{schema}.{quote(table.name)}", "column": table.autoincrement_column.name}
        )
        for table in metadata.sorted_tables
        if table.autoincrement_column is not None
    ]
    return [name for name in found if name is not None]


def _looked_for(facts: _Facts) -> dict[str, Any]:
    names = [*(table.name for table in metadata.sorted_tables), _VERSION_TABLE]
    return {
        "privileges": list(PRIVILEGES),
        "role": facts.role,
        "schema": facts.schema,
        "names": names,
        "setting": SETTING,
    }
