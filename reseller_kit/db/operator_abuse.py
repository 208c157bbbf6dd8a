"""Reports of abuse from the operator's side: filed with who reported them, of every tenant. Decides on none."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Select, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .abuse import COLUMNS, Listed, Report, listed


class Filed(Struct, frozen=True, kw_only=True):
    """A report with its tenant and its reporter. `end_user`: what the upstream calls the customer."""

    listed: Listed
    tenant: str
    upstream: str
    end_user: str
    reference: str


class Owner(Struct, frozen=True):
    """Whose a call was, and when (µs)."""

    tenant_id: int
    customer_id: str
    at: int


async def add(connection: AsyncConnection, report: Report, *, upstream: str, end_user: str, reference: str) -> None:
    """A new report. Raises IntegrityError for a reference that the upstream's reports have already."""
    row = {name: getattr(report, name) for name in Report.__struct_fields__}
    reporter = {"upstream": upstream, "end_user": end_user, "reference": reference}
    await connection.execute(insert(t.abuse_report).values({**row, **reporter}))


async def find(connection: AsyncConnection, report_id: str) -> Filed | None:
    """The report of this id, whosever it is."""
    row = (await connection.execute(_filed().where(t.abuse_report.c.id == report_id))).mappings().one_or_none()
    return None if row is None else _from(row)


async def by_reference(connection: AsyncConnection, upstream: str, reference: str) -> str | None:
    """The id of the upstream's report with this reference."""
    c = t.abuse_report.c
    return await connection.scalar(select(c.id).where(c.upstream == upstream, c.reference == reference))


async def page(
    connection: AsyncConnection, limit: int, before_id: str | None, *, tenant: str | None, state: str | None
) -> list[Filed]:
    """Reports of every tenant or of one, newest first: those in one state, where that is given."""
    c, statement = t.abuse_report.c, _filed()
    for column, value in ((t.tenant.c.slug, tenant), (c.state, state)):
        if value is not None:
            statement = statement.where(column == value)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [_from(row) for row in rows.mappings()]


async def owner_of_call(connection: AsyncConnection, request_id: str) -> Owner | None:
    """Whose call this was."""
    c = t.usage_record.c
    row = (
        await connection.execute(select(c.tenant_id, c.customer_id, c.created_at).where(c.id == request_id))
    ).one_or_none()
    return None if row is None else Owner(row.tenant_id, row.customer_id, row.created_at)


async def ended(connection: AsyncConnection, now: int, limit: int) -> list[tuple[str, str]]:
    """(slug of the tenant, report) of restrictions that are over by themselves."""
    c = t.abuse_report.c
    joined = t.abuse_report.join(t.tenant, t.tenant.c.id == c.tenant_id)
    due = select(t.tenant.c.slug, c.id).select_from(joined)
    due = due.where(c.until <= now, c.state.in_(("restricted", "appealed", "upheld")))
    return [(row.slug, row.id) for row in await connection.execute(due.order_by(c.until).limit(limit))]


def _filed() -> Select[Any]:
    c, owner = t.abuse_report.c, t.customer.c
    joined = t.abuse_report.join(t.customer, owner.id == c.customer_id).join(t.tenant, t.tenant.c.id == c.tenant_id)
    columns = (*COLUMNS, c.upstream, c.end_user, c.reference, owner.email, t.tenant.c.slug)
    return select(*columns).select_from(joined)


def _from(row: Any) -> Filed:
    return Filed(
        listed=listed(row),
        tenant=row["slug"],
        upstream=row["upstream"],
        end_user=row["end_user"],
        reference=row["reference"],
    )
