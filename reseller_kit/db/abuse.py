"""A storefront's reports of abuse as its team and its customers know them. Says nothing of who reported."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.abuse import RESTRICTING, Category, State
from . import tables as t


class Report(Struct, frozen=True, kw_only=True):
    """A report as stored, without its reporter; times in µs."""

    id: str
    tenant_id: int
    customer_id: str
    category: Category
    body: str
    request_id: str
    happened_at: int | None
    state: State
    forced: bool
    reason: str
    restricted_at: int | None
    until: int | None
    appeal: str
    appealed_at: int | None
    answer: str
    answered_at: int | None
    created_at: int
    changed_at: int


class Listed(Struct, frozen=True):
    """A report with the address of its customer."""

    report: Report
    email: str


COLUMNS: Final = tuple(t.abuse_report.c[name] for name in Report.__struct_fields__)


async def find(connection: AsyncConnection, tenant_id: int, report_id: str) -> Listed | None:
    """The tenant's report."""
    rows = await _listed(connection, tenant_id, t.abuse_report.c.id == report_id)
    return rows[0] if rows else None


async def page(
    connection: AsyncConnection, tenant_id: int, limit: int, before_id: str | None, state: str | None = None
) -> list[Listed]:
    """The tenant's reports, newest first: those in one state, where that is given."""
    c = t.abuse_report.c
    wanted = [column for column in (None if state is None else c.state == state,) if column is not None]
    if before_id is not None:
        wanted.append(c.id < before_id)
    return await _listed(connection, tenant_id, *wanted, limit=limit)


async def of_customer(connection: AsyncConnection, tenant_id: int, customer_id: str, limit: int = 50) -> list[Report]:
    """The reports that restrict the customer, or did, newest first: what it may read of."""
    c = t.abuse_report.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.restricted_at.is_not(None))
    rows = await connection.execute(select(*COLUMNS).where(*mine).order_by(c.id.desc()).limit(limit))
    return [Report(**row) for row in rows.mappings()]


async def change(connection: AsyncConnection, tenant_id: int, report_id: str, before: State, **values: Any) -> bool:
    """Set columns of a report that is in the state `before`; False when it is in another by now."""
    c = t.abuse_report.c
    mine = (c.tenant_id == tenant_id, c.id == report_id, c.state == before)
    return (await connection.execute(update(t.abuse_report).where(*mine).values(**values))).rowcount == 1


async def settle(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int) -> None:
    """Restrict the customer as its reports say: as long as the longest of them, with the reason of the latest."""
    c, own = t.customer.c, (t.customer.c.tenant_id == tenant_id, t.customer.c.id == customer_id)
    await connection.execute(select(c.id).where(*own).with_for_update())
    r = t.abuse_report.c
    statement = select(r.restricted_at, r.until, r.reason).where(
        r.tenant_id == tenant_id, r.customer_id == customer_id, r.state.in_(RESTRICTING)
    )
    rows = (await connection.execute(statement.order_by(r.restricted_at))).all()
    holding = [row for row in rows if row.until is None or row.until > now]
    ends = [row.until for row in holding]
    values = {
        "restricted_at": holding[0].restricted_at if holding else None,
        "restricted_until": None if None in ends or not ends else max(ends),
        "restrict_reason": holding[-1].reason if holding else None,
    }
    await connection.execute(update(t.customer).where(*own).values(values))


async def forget(connection: AsyncConnection, tenant_id: int, customer_id: str) -> None:
    """Take what the customer wrote out of its reports."""
    c = t.abuse_report.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id)
    await connection.execute(update(t.abuse_report).where(*mine).values(appeal=""))


async def _listed(connection: AsyncConnection, tenant_id: int, *wanted: Any, limit: int = 1) -> list[Listed]:
    c, owner = t.abuse_report.c, t.customer.c
    joined = t.abuse_report.join(t.customer, (owner.id == c.customer_id) & (owner.tenant_id == c.tenant_id))
    statement = select(*COLUMNS, owner.email).select_from(joined).where(c.tenant_id == tenant_id, *wanted)
    rows = (await connection.execute(statement.order_by(c.id.desc()).limit(limit))).mappings()
    return [listed(row) for row in rows]


def listed(row: Any) -> Listed:
    """A row of `COLUMNS` and the customer's address."""
    return Listed(Report(**{name: row[name] for name in Report.__struct_fields__}), row["email"])
