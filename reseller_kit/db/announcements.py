"""What a storefront tells all its customers. Sends nothing."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

KIND: Final = "announcement"
"""Of its mails."""
AnnouncementKind = Literal["news", "maintenance", "incident"]


class Announcement(Struct, frozen=True, kw_only=True):
    """An announcement as stored; `body` is Markdown, times in µs."""

    id: str
    tenant_id: int
    kind: AnnouncementKind
    title: str
    body: str
    starts_at: int
    ends_at: int | None
    withdrawn_at: int | None
    created_at: int

    def current(self, now: int) -> bool:
        """Whether it stands on every page."""
        over = self.ends_at is not None and self.ends_at <= now
        return self.withdrawn_at is None and self.starts_at <= now and not over


async def add(connection: AsyncConnection, tenant_id: int, announcement: Announcement) -> None:
    """A new announcement."""
    row = {name: getattr(announcement, name) for name in Announcement.__struct_fields__}
    await connection.execute(insert(t.announcement).values({**row, "tenant_id": tenant_id}))


async def find(connection: AsyncConnection, tenant_id: int, announcement_id: str) -> Announcement | None:
    """The tenant's announcement of this id."""
    c = t.announcement.c
    found = await connection.execute(select(t.announcement).where(c.tenant_id == tenant_id, c.id == announcement_id))
    return _one(found.mappings().one_or_none())


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: str | None) -> list[Announcement]:
    """The tenant's announcements, newest first."""
    c = t.announcement.c
    statement = select(t.announcement).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [Announcement(**row) for row in rows.mappings()]


async def withdraw(connection: AsyncConnection, tenant_id: int, announcement_id: str, at: int) -> None:
    """Show it no longer."""
    c = t.announcement.c
    statement = update(t.announcement).where(
        c.tenant_id == tenant_id, c.id == announcement_id, c.withdrawn_at.is_(None)
    )
    await connection.execute(statement.values(withdrawn_at=at))


async def end(connection: AsyncConnection, tenant_id: int, announcement_id: str, at: int) -> None:
    """It is over from then on: it leaves the pages and stays in the list."""
    c = t.announcement.c
    statement = update(t.announcement).where(c.tenant_id == tenant_id, c.id == announcement_id)
    await connection.execute(statement.values(ends_at=at))


async def recipients(connection: AsyncConnection, tenant_id: int) -> list[tuple[str, str]]:
    """Id and address of the tenant's verified, active customers who want its announcements by mail."""
    c, o = t.customer.c, t.mail_opt_out.c
    unwanted = select(o.customer_id).where(o.tenant_id == tenant_id, o.customer_id == c.id, o.kind == KIND)
    statement = select(c.id, c.email).where(
        c.tenant_id == tenant_id, c.status == "active", c.verified_at.is_not(None), ~unwanted.exists()
    )
    return [(row.id, row.email) for row in await connection.execute(statement.order_by(c.id))]


async def opt_out(connection: AsyncConnection, tenant_id: int, customer_id: str, at: int, kind: str = KIND) -> None:
    """The customer wants no more announcements by mail, or mails of another `kind`. Repeating is harmless."""
    add = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {"tenant_id": tenant_id, "customer_id": customer_id, "kind": kind, "created_at": at}
    await connection.execute(
        add(t.mail_opt_out).values(row).on_conflict_do_nothing(index_elements=["customer_id", "kind"])
    )


async def opt_in(connection: AsyncConnection, tenant_id: int, customer_id: str) -> None:
    """The customer wants them again."""
    o = t.mail_opt_out.c
    await connection.execute(
        delete(t.mail_opt_out).where(o.tenant_id == tenant_id, o.customer_id == customer_id, o.kind == KIND)
    )


async def current(connection: AsyncConnection, tenant_id: int, now: int, limit: int) -> list[Announcement]:
    """The latest that the tenant's customers may read: begun, and not withdrawn."""
    c = t.announcement.c
    statement = select(t.announcement).where(c.tenant_id == tenant_id, c.withdrawn_at.is_(None), c.starts_at <= now)
    rows = await connection.execute(statement.order_by(c.starts_at.desc(), c.id.desc()).limit(limit))
    return [Announcement(**row) for row in rows.mappings()]


def _one(row: Any) -> Announcement | None:
    return None if row is None else Announcement(**row)
