"""Usage records of a tenant's calls. Written only by the ledger; read here."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Column, RowMapping, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import lowest_id
from ..core.times import DAY_US
from . import tables as t


class UsageRecord(Struct, frozen=True, kw_only=True):
    """One call as charged. `quantities` by usage class, amounts in nano-USD, times in µs and ms.

    `tenant` is a slug; `customer` and `key_prefix` are empty when their rows are gone.
    """

    id: str
    tenant: str
    customer: str
    customer_id: str
    key_id: str
    key_prefix: str
    model: str
    public_model: str
    upstream: str | None
    upstream_model: str | None
    dialect: str
    stream: bool
    status: str
    http_status: int
    quantities: dict[str, int]
    reasoning_tokens: int
    usage_source: str
    usage_capped: bool
    retail_nano: int
    wholesale_nano: int
    cost_nano: int
    attempts: int
    latency_ms: int
    first_byte_ms: int | None
    created_at: int


class UsageFilter(Struct, frozen=True):
    """Which records are asked for; None does not narrow."""

    customer_id: str | None = None
    since: int | None = None
    before_id: str | None = None
    until: int | None = None


async def page(connection: AsyncConnection, tenant_id: int, wanted: UsageFilter, limit: int) -> list[UsageRecord]:
    """The tenant's records, newest first."""
    rows = await connection.execute(narrowed(tenant_id, wanted, limit))
    return [from_row(row) for row in rows.mappings()]


def narrowed(tenant_id: int | Column[int], wanted: UsageFilter, limit: int) -> Select[Any]:
    """What `from_row` reads, of one tenant; `db.operator` alone passes the column itself, which is every tenant."""
    u, c, k = t.usage_record.c, t.customer.c, t.api_key.c
    # Outer joins, so that the records come first and in the order of their index, never sorted.
    joined = (
        t.usage_record.outerjoin(t.tenant, t.tenant.c.id == u.tenant_id)
        .outerjoin(t.customer, (c.id == u.customer_id) & (c.tenant_id == u.tenant_id))
        .outerjoin(t.api_key, (k.id == u.key_id) & (k.tenant_id == u.tenant_id))
    )
    own = [u[name] for name in UsageRecord.__struct_fields__ if name in u]
    statement = select(*own, t.tenant.c.slug, c.email, k.prefix).select_from(joined).where(u.tenant_id == tenant_id)
    if wanted.customer_id is not None:
        statement = statement.where(u.customer_id == wanted.customer_id)
    if wanted.since is not None:
        statement = statement.where(u.created_at >= wanted.since)
        # Ids tell their time too, and are what the rows lie in order of: what is far older is never looked at.
        if wanted.since > DAY_US:
            statement = statement.where(u.id >= lowest_id("req", wanted.since - DAY_US))
    if wanted.until is not None:
        statement = statement.where(u.created_at < wanted.until)
    if wanted.before_id is not None:
        statement = statement.where(u.id < wanted.before_id)
    return statement.order_by(u.id.desc()).limit(limit)


def from_row(row: RowMapping) -> UsageRecord:
    """The record of a row that `narrowed` names."""
    fields: dict[str, Any] = dict(row)
    fields["quantities"] = msgspec.json.decode(fields["quantities"], type=dict[str, int])
    fields["tenant"] = fields.pop("slug")
    fields["customer"] = fields.pop("email") or ""
    fields["key_prefix"] = fields.pop("prefix") or ""
    return UsageRecord(**fields)


async def find(connection: AsyncConnection, tenant_id: int, record_id: str) -> UsageRecord | None:
    """One of the tenant's records; None when there is none of that id."""
    statement = narrowed(tenant_id, UsageFilter(), 1).where(t.usage_record.c.id == record_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else from_row(row)
