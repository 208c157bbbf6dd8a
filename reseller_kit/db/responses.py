"""Kept responses of a customer. Opens no ciphertext."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import ColumnElement, delete, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class StoredResponse(Struct, frozen=True, kw_only=True):
    """A sealed response and the data key that sealed it; `size`: bytes before that. Times in µs."""

    id: str
    customer_id: str
    previous_id: str | None
    key_id: str
    sealed: bytes
    size: int
    created_at: int
    expires_at: int


class Link(Struct, frozen=True):
    """One response of a conversation, without its content."""

    id: str
    previous_id: str | None
    size: int


async def add(connection: AsyncConnection, tenant_id: int, rows: Sequence[StoredResponse]) -> None:
    """Keep responses; one that is kept already stays as it is."""
    names = StoredResponse.__struct_fields__
    values = [{"tenant_id": tenant_id, **{name: getattr(row, name) for name in names}} for row in rows]
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    await connection.execute(insert(t.stored_response).on_conflict_do_nothing(index_elements=["id"]), values)


async def chain(
    connection: AsyncConnection, tenant_id: int, customer_id: str, response_id: str, *, now: int, most: int
) -> list[Link]:
    """The customer's response and those that it goes back to, newest first: at most `most`, and none behind a gap."""
    c = t.stored_response.c
    own = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.expires_at > now)
    start = select(c.id, c.previous_id, c.size, _number(1)).where(*own, c.id == response_id)
    found = start.cte("conversation", recursive=True)
    step = select(c.id, c.previous_id, c.size, found.c.depth + 1).where(
        *own, c.id == found.c.previous_id, found.c.depth < most
    )
    found = found.union_all(step)
    rows = await connection.execute(select(found.c.id, found.c.previous_id, found.c.size).order_by(found.c.depth))
    return [Link(row.id, row.previous_id, row.size) for row in rows]


async def fetch(
    connection: AsyncConnection, tenant_id: int, customer_id: str, ids: Sequence[str], now: int
) -> dict[str, StoredResponse]:
    """Those of the customer's responses that are kept, by id."""
    c = t.stored_response.c
    columns = [c[name] for name in StoredResponse.__struct_fields__]
    own = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.expires_at > now, c.id.in_(ids))
    rows = await connection.execute(select(*columns).where(*own))
    return {row["id"]: StoredResponse(**{**row, "sealed": bytes(row["sealed"])}) for row in rows.mappings()}


async def remove(connection: AsyncConnection, tenant_id: int, customer_id: str, response_id: str, now: int) -> bool:
    """Delete one of the customer's responses; False if none of that id is kept."""
    c = t.stored_response.c
    own = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.expires_at > now, c.id == response_id)
    return (await connection.execute(delete(t.stored_response).where(*own))).rowcount == 1


def _number(value: int) -> ColumnElement[int]:
    return literal(value).label("depth")
