"""Deletes kept responses whose time is over, of all tenants at once."""

from __future__ import annotations

from sqlalchemy import delete, select

from . import tables as t
from .operator_audit import Connection


async def delete_expired(connection: Connection, now: int, limit: int) -> int:
    """At most `limit` of those that expired by `now` (µs), the longest expired first; how many."""
    c = t.stored_response.c
    expired = select(c.id).where(c.expires_at <= now).order_by(c.expires_at).limit(limit)
    return (await connection.execute(delete(t.stored_response).where(c.id.in_(expired)))).rowcount
