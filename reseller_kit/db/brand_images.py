"""The pictures of a storefront's face. Decodes none."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct
from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

_c = t.brand_image.c


class Image(Struct, frozen=True, kw_only=True):
    """A picture as stored; `created_at` in µs."""

    sha256: str
    kind: str
    content_type: str
    width: int
    height: int
    size: int
    body: bytes
    author: str
    created_at: int


async def put(connection: AsyncConnection, tenant_id: int, image: Image) -> None:
    """Keep a picture of the tenant's, unless it is there."""
    add = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    values = {name: getattr(image, name) for name in Image.__struct_fields__}
    statement = add(t.brand_image).values({**values, "tenant_id": tenant_id})
    await connection.execute(statement.on_conflict_do_nothing(index_elements=["tenant_id", "sha256"]))


async def find(connection: AsyncConnection, tenant_id: int, sha256: str) -> Image | None:
    """The tenant's picture."""
    columns = [_c[name] for name in Image.__struct_fields__]
    statement = select(*columns).where(_c.tenant_id == tenant_id, _c.sha256 == sha256)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Image(**row)


async def known(connection: AsyncConnection, tenant_id: int, ids: Collection[str]) -> set[str]:
    """Which of these the tenant has."""
    statement = select(_c.sha256).where(_c.tenant_id == tenant_id, _c.sha256.in_(ids))
    return set(await connection.scalars(statement))


async def count(connection: AsyncConnection, tenant_id: int) -> int:
    """How many pictures the tenant has."""
    return int(await connection.scalar(select(func.count()).where(_c.tenant_id == tenant_id)) or 0)


async def drop_others(connection: AsyncConnection, tenant_id: int, kept: Collection[str], before: int) -> Sequence[str]:
    """Delete the tenant's pictures that are not among these and older than a moment (µs); which were."""
    others = delete(t.brand_image).where(_c.tenant_id == tenant_id, _c.sha256.not_in(kept), _c.created_at < before)
    return list(await connection.scalars(others.returning(_c.sha256)))
