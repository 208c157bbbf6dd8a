"""Whose rows a transaction may see: what PostgreSQL's policies compare each row's tenant with. Holds no query.

Every transaction names its scope. It begins with nobody's rows, one tenant's, or, for the operator's own work,
everybody's; a tenant that is found or made on the way is admitted. On SQLite a scope is checked and costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, TypeAlias

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SETTING: Final = "rk.tenants"
"""The transaction's own setting: a PostgreSQL array of tenant ids, or `EVERYBODY`. Unset or empty means no rows."""
EVERYBODY: Final = "*"

_SET: Final = text(f"SELECT set_config('{SETTING}', :tenants, true)")
_ADMIT: Final = text(
    f"SELECT set_config('{SETTING}', CASE current_setting('{SETTING}', true) WHEN '{EVERYBODY}' THEN '{EVERYBODY}'"
    f" ELSE array_append(nullif(current_setting('{SETTING}', true), '')::bigint[], :tenant)::text END, true)"
)


class Scope(Enum):
    """The scopes that are not one tenant's."""

    NO_TENANT = "no tenant"
    EVERY_TENANT = "every tenant"


NO_TENANT: Final = Scope.NO_TENANT
"""Nobody's rows, until `admit` names whose. What is no tenant's (leases, revisions, secrets) is there all the same."""
EVERY_TENANT: Final = Scope.EVERY_TENANT
"""The operator's own work: everybody's rows, and the platform's in tables that have both."""

TenantScope: TypeAlias = int | Scope
"""A tenant's id, `NO_TENANT` or `EVERY_TENANT`."""


async def enter(connection: AsyncConnection, scope: TenantScope) -> None:
    """Give a transaction that has just begun its scope. Raises TypeError and ValueError for what is none."""
    tenants = _tenants(scope)
    if tenants and connection.dialect.name == "postgresql":
        await connection.execute(_SET, {"tenants": tenants})


async def admit(connection: AsyncConnection, tenant_id: int) -> None:
    """Let the transaction see one more tenant's rows, to its end."""
    _require_id(tenant_id)
    if connection.dialect.name == "postgresql":
        await connection.execute(_ADMIT, {"tenant": tenant_id})


def as_array(tenant_ids: Iterable[int]) -> str:
    """Tenant ids as the setting holds them."""
    return f"{{{','.join(map(str, tenant_ids))}}}"


def _tenants(scope: TenantScope) -> str:
    if isinstance(scope, Scope):
        return EVERYBODY if scope is EVERY_TENANT else ""
    _require_id(scope)
    return as_array([scope])


def _require_id(tenant_id: object) -> None:
    # A forgotten scope must not become a wider one: None, True and "1" are refused, whatever a caller's types say.
    if type(tenant_id) is not int:
        raise TypeError(f"{tenant_id!r} is neither a tenant's id nor NO_TENANT nor EVERY_TENANT")
    if tenant_id <= 0:
        raise ValueError(f"{tenant_id} is no tenant's id")
