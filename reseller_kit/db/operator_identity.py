"""Identity's upkeep over all tenants: who is to be deleted, and rows that ran out. Decides no date."""

from __future__ import annotations

from sqlalchemy import Column, Table, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


async def due_departures(connection: AsyncConnection, now: int, limit: int) -> list[tuple[int, str]]:
    """(tenant, customer) of accounts whose grace period is over."""
    c = t.customer.c
    due = select(c.tenant_id, c.id).where(c.status == "closing", c.delete_at <= now).order_by(c.delete_at).limit(limit)
    return [(row.tenant_id, row.id) for row in await connection.execute(due)]


async def ended_suspensions(connection: AsyncConnection, now: int, limit: int) -> list[tuple[str, str]]:
    """(slug of the tenant, customer) of suspensions that are over by themselves."""
    c = t.customer.c
    joined = t.customer.join(t.tenant, t.tenant.c.id == c.tenant_id)
    due = select(t.tenant.c.slug, c.id).select_from(joined).where(c.suspended_until <= now, c.status == "suspended")
    return [(row.slug, row.id) for row in await connection.execute(due.order_by(c.suspended_until).limit(limit))]


async def drop_old(connection: AsyncConnection, limit: int, *, now: int, links: int, devices: int, counts: int) -> int:
    """Delete up to `limit` rows each of what ran out before `now`; how many in all.

    Used or expired links go when they expired before `links`, devices unused since `devices`, counts since `counts`.
    """
    olds = (
        (t.customer_session, t.customer_session.c.expires_at, now),
        (t.challenge, t.challenge.c.expires_at, now),
        (t.customer_link, t.customer_link.c.expires_at, links),
        (t.known_device, t.known_device.c.seen_at, devices),
        (t.throttle, t.throttle.c.last_at, counts),
        (t.member_session, t.member_session.c.expires_at, now),
        (t.member_link, t.member_link.c.expires_at, now),
    )
    return sum([await _drop(connection, table, moment, before, limit) for table, moment, before in olds])


async def _drop(connection: AsyncConnection, table: Table, moment: Column[int], before: int, limit: int) -> int:
    key = tuple_(*table.primary_key.columns)
    old = select(*table.primary_key.columns).where(moment < before).limit(limit)
    return (await connection.execute(delete(table).where(key.in_(old)))).rowcount
