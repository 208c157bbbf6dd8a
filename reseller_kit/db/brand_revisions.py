"""Revisions of a storefront's face: one draft, and all that were published. Says nothing of what is shown."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

DRAFT: Final = 0
"""The number of the draft."""
_c = t.brand_revision.c
_KEPT: Final = [_c.number, _c.state, _c.content, _c.origin, _c.author, _c.created_at, _c.changed_at, _c.published_at]


class Revision(Struct, frozen=True, kw_only=True):
    """A revision as stored; times in µs. `content` is a `core.brand.BrandContent` as JSON."""

    number: int
    state: Literal["draft", "published", "superseded"]
    content: dict[str, Any]
    origin: str
    author: str
    created_at: int
    changed_at: int
    published_at: int | None


async def find(connection: AsyncConnection, tenant_id: int, number: int) -> Revision | None:
    """The tenant's revision of this number; 0 is the draft."""
    statement = select(*_KEPT).where(_c.tenant_id == tenant_id, _c.number == number)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Revision(**row)


async def published(connection: AsyncConnection, tenant_id: int) -> Revision | None:
    """The tenant's revision that was published last."""
    statement = select(*_KEPT).where(_c.tenant_id == tenant_id, _c.state == "published")
    row = (await connection.execute(statement.order_by(_c.number.desc()).limit(1))).mappings().one_or_none()
    return None if row is None else Revision(**row)


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before: int | None) -> list[Revision]:
    """The tenant's revisions without the draft, newest first; only those before a number, if given."""
    statement = select(*_KEPT).where(_c.tenant_id == tenant_id, _c.number != DRAFT)
    if before is not None:
        statement = statement.where(_c.number < before)
    rows = await connection.execute(statement.order_by(_c.number.desc()).limit(limit))
    return [Revision(**row) for row in rows.mappings()]


async def contents(connection: AsyncConnection, tenant_id: int) -> list[dict[str, Any]]:
    """The content of every revision of the tenant, the draft's too."""
    return list(await connection.scalars(select(_c.content).where(_c.tenant_id == tenant_id)))


async def put_draft(
    connection: AsyncConnection, tenant_id: int, content: dict[str, Any], *, author: str, at: int
) -> None:
    """Make this the tenant's draft, or the next state of it."""
    changed = update(t.brand_revision).where(_c.tenant_id == tenant_id, _c.number == DRAFT)
    done = await connection.execute(changed.values(content=content, author=author, changed_at=at))
    if done.rowcount:
        return
    await _add(connection, tenant_id, DRAFT, content, state="draft", origin="edited", author=author, at=at)


async def drop_draft(connection: AsyncConnection, tenant_id: int, changed_at: int | None = None) -> bool:
    """Forget the tenant's draft, or only if it was changed last at that moment (µs); whether it was there."""
    gone = delete(t.brand_revision).where(_c.tenant_id == tenant_id, _c.number == DRAFT)
    if changed_at is not None:
        gone = gone.where(_c.changed_at == changed_at)
    return bool((await connection.execute(gone)).rowcount)


async def publish(
    connection: AsyncConnection, tenant_id: int, content: dict[str, Any], *, origin: str, author: str, at: int
) -> int:
    """Note a content as the one that is published now; its number."""
    last = await connection.scalar(select(func.max(_c.number)).where(_c.tenant_id == tenant_id))
    before = update(t.brand_revision).where(_c.tenant_id == tenant_id, _c.state == "published")
    await connection.execute(before.values(state="superseded"))
    number = int(last or 0) + 1
    await _add(connection, tenant_id, number, content, state="published", origin=origin, author=author, at=at)
    return number


async def _add(
    connection: AsyncConnection,
    tenant_id: int,
    number: int,
    content: dict[str, Any],
    *,
    state: str,
    origin: str,
    author: str,
    at: int,
) -> None:
    row = {
        "tenant_id": tenant_id,
        "number": number,
        "state": state,
        "content": content,
        "origin": origin,
        "author": author,
        "created_at": at,
        "changed_at": at,
        "published_at": None if state == "draft" else at,
    }
    await connection.execute(insert(t.brand_revision).values(row))
