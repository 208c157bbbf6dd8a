"""Usage records of a tenant's calls. Written only by the ledger; read here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Column, RowMapping, Select, literal_column, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.apikey import PLAYGROUND
from ..core.days import QUARTER_US
from ..core.ids import lowest_id
from ..core.times import DAY_US, SECOND_US
from . import tables as t
from .kept import kept

_BEYOND: Final = "req_Z"
"""What no id of a call sorts behind: the first character tells the highest bits of a time, and there are three."""


class UsageRecord(Struct, frozen=True, kw_only=True):
    """One call as charged. `quantities` by usage class, amounts in nano-USD, times in µs and ms.

    `tenant` is a slug; `customer` and `key_prefix` are empty when their rows are gone. Calls of the portal's playground
    have no key: both `key_id` and `key_prefix` say so.
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
    model: str | None = None
    key_id: str | None = None
    status: str | None = None


async def page(connection: AsyncConnection, tenant_id: int, wanted: UsageFilter, limit: int) -> list[UsageRecord]:
    """The tenant's records, newest first."""
    asked = _page(tenant_id, limit, _oldest_id(wanted), rare=_is_rare(wanted), **structs.asdict(wanted))
    rows = await connection.execute(*asked)
    return [from_row(row) for row in rows.mappings()]


def narrowed(tenant_id: int | Column[int], wanted: UsageFilter, limit: int) -> Select[Any]:
    """What `from_row` reads, of one tenant; `db.operator` alone passes the column itself, which is every tenant."""
    return _narrowed(tenant_id, wanted, limit, _oldest_id(wanted), rare=_is_rare(wanted))


def _is_rare(wanted: UsageFilter) -> bool:
    return wanted.status not in {None, "ok"}


def _oldest_id(wanted: UsageFilter) -> str | None:
    """Ids tell their time too, and are what the rows lie in order of: what is far older is never looked at."""
    since = wanted.since or 0
    return lowest_id("req", since - DAY_US) if since > DAY_US else None


@kept
def _page(tenant_id: int, limit: int, oldest_id: str | None, *, rare: bool, **narrower: Any) -> Select[Any]:
    return _narrowed(tenant_id, UsageFilter(**narrower), limit, oldest_id, rare=rare)


def _narrowed(
    tenant_id: int | Column[int], wanted: UsageFilter, limit: int, oldest_id: str | None, *, rare: bool
) -> Select[Any]:
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
    if oldest_id is not None:
        statement = statement.where(u.id >= oldest_id)
    if wanted.until is not None:
        statement = statement.where(u.created_at < wanted.until)
    if wanted.before_id is not None:
        statement = statement.where(u.id < wanted.before_id)
    if wanted.model is not None:
        statement = statement.where(u.model == wanted.model)
    if wanted.key_id is not None:
        statement = statement.where(u.key_id == wanted.key_id)
    if wanted.status is not None:
        statement = statement.where(u.status == wanted.status)
    if rare:
        # As the index of these says it, so that it is used: most calls go well.
        statement = statement.where(literal_column("usage_record.status <> 'ok'"))
    return statement.order_by(u.id.desc()).limit(limit)


def from_row(row: RowMapping) -> UsageRecord:
    """The record of a row that `narrowed` names."""
    fields: dict[str, Any] = dict(row)
    fields["quantities"] = msgspec.json.decode(fields["quantities"], type=dict[str, int])
    fields["tenant"] = fields.pop("slug")
    fields["customer"] = fields.pop("email") or ""
    fields["key_prefix"] = fields.pop("prefix") or (PLAYGROUND if fields["key_id"] == PLAYGROUND else "")
    return UsageRecord(**fields)


async def page_of_quarters(
    connection: AsyncConnection, tenant_id: int, wanted: UsageFilter, quarters: Sequence[int], limit: int
) -> list[UsageRecord]:
    """The records of these quarters of an hour, newest first: each is a range of the index; nothing between is read.

    For what is rare among a customer's calls, where a walk from the newest one might pass a million others. That the
    quarters lie within the span that is wanted is the caller's to see to.
    """
    u = t.usage_record.c
    # One bound at either end: of two, a database may walk from the wrong one.
    alike = structs.replace(wanted, since=None, until=None, before_id=None)
    before = wanted.before_id or _BEYOND
    parts = [
        narrowed(tenant_id, alike, limit)
        .with_only_columns(u.id)
        .where(u.id >= lowest_id("req", start - SECOND_US), u.id < min(lowest_id("req", start + QUARTER_US), before))
        .subquery()
        for start in quarters
    ]
    if not parts:
        return []
    ids = union_all(*(select(part.c.id) for part in parts))
    statement = narrowed(tenant_id, UsageFilter(), limit).where(u.id.in_(ids))
    return [from_row(row) for row in (await connection.execute(statement)).mappings()]


async def settled_since(
    connection: AsyncConnection, tenant_id: int, customer_id: str, since: int, limit: int
) -> list[UsageRecord]:
    """The customer's records that were written from that moment (µs) on, the latest call last."""
    u = t.usage_record.c
    # As in `rollups`: found by when they were written, never by whose they are, of which there may be millions.
    written = select(u.id).where(
        u.settled_at >= since, u.tenant_id + 0 == tenant_id, u.customer_id.concat("") == customer_id
    )
    ids = written.order_by(u.settled_at.desc()).limit(limit)
    statement = narrowed(tenant_id, UsageFilter(), limit).where(u.id.in_(ids))
    return [from_row(row) for row in (await connection.execute(statement)).mappings()][::-1]


async def find(
    connection: AsyncConnection, tenant_id: int, record_id: str, customer_id: str | None = None
) -> UsageRecord | None:
    """One of the tenant's records, or of one customer's; None when there is none of that id."""
    statement = narrowed(tenant_id, UsageFilter(customer_id), 1).where(t.usage_record.c.id == record_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else from_row(row)
