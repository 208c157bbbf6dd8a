"""Hosts across tenants: who holds a name, which checks are due, what is let go. The sweep's and the operator's."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.domain import DomainState
from . import tables as t


class Holder(Struct, frozen=True, kw_only=True):
    """Whose row a host has."""

    tenant_id: int
    host: str
    state: DomainState
    released_at: int | None


class Due(Struct, frozen=True):
    """A check that is due."""

    tenant_id: int
    host: str


async def holders(connection: AsyncConnection, hosts: Iterable[str]) -> list[Holder]:
    """The rows of these hosts, whoever has them."""
    c = t.domain.c
    statement = select(c.tenant_id, c.host, c.state, c.released_at).where(c.host.in_(list(hosts)))
    return [Holder(**row) for row in (await connection.execute(statement)).mappings()]


async def release(connection: AsyncConnection, host: str, now: int) -> int | None:
    """Let another tenant prove and take a detached host or a tombstone; its tenant's id, None where there is none."""
    c = t.domain.c
    gone = update(t.domain).where(c.host == host, c.state.in_(["detached", "tombstone"]))
    values = {"released_at": now, "state": "tombstone", "is_primary": False, "next_check_at": None, "challenge": None}
    tenant_id: int | None = await connection.scalar(gone.values(**values).returning(c.tenant_id))
    return tenant_id


async def any_due(connection: AsyncConnection, now: int) -> bool:
    """Whether a check is due, without a lock."""
    for table in (t.domain, t.domain_claim):
        if await connection.scalar(select(table.c.id).where(table.c.next_check_at <= now).limit(1)) is not None:
            return True
    return False


async def claim_due(connection: AsyncConnection, now: int, until: int, limit: int) -> list[Due]:
    """Take due checks, each once: they are due again at `until`. Expired claims are forgotten first."""
    expired = t.domain_claim.c.expires_at <= now
    await connection.execute(delete(t.domain_claim).where(expired))
    found: list[Due] = []
    for table in (t.domain_claim, t.domain):
        c = table.c
        wanted = select(c.id).where(c.next_check_at <= now).order_by(c.next_check_at).limit(limit)
        rows = update(table).where(c.id.in_(wanted), c.next_check_at <= now).values(next_check_at=until)
        found += [Due(*row) for row in await connection.execute(rows.returning(c.tenant_id, c.host))]
    return list(dict.fromkeys(found))
