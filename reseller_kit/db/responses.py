"""Kept responses of a customer. Opens no ciphertext."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import ARRAY, ColumnElement, Text, bindparam, delete, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(id, 0)) FROM unnest(:ids) AS id").bindparams(
    bindparam("ids", type_=ARRAY(Text))
)
"""In the order of the ids, so that two that want the same wait for each other in one direction."""


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


async def lock(connection: AsyncConnection, customer_ids: Iterable[str]) -> None:
    """Until the transaction ends no other process writes these customers' responses. SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        await connection.execute(_LOCK, {"ids": sorted(set(customer_ids))})


async def add(connection: AsyncConnection, tenant_id: int, rows: Sequence[StoredResponse]) -> None:
    """Keep responses, in order, behind `lock`; one that is kept already stays as it is."""
    spans = await _spans(connection, tenant_id, (row.customer_id for row in rows))
    written = Counter({customer_id: span.newest for customer_id, span in spans.items()})
    values = []
    for row in rows:
        written[row.customer_id] += row.size
        known = {name: getattr(row, name) for name in StoredResponse.__struct_fields__}
        values.append({"tenant_id": tenant_id, "running_size": written[row.customer_id], **known})
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    await connection.execute(insert(t.stored_response).on_conflict_do_nothing(index_elements=["id"]), values)


async def drop_oldest(
    connection: AsyncConnection, tenant_id: int, customer_ids: Iterable[str], *, keep_bytes: int, limit: int
) -> int:
    """Delete what these customers wrote before their latest `keep_bytes`, behind `lock`; at most `limit`; how many."""
    c = t.stored_response.c
    dropped = 0
    for customer_id, span in (await _spans(connection, tenant_id, customer_ids)).items():
        behind = span.newest - keep_bytes
        if span.oldest <= behind and dropped < limit:
            own = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.running_size <= behind)
            oldest = select(c.id).where(*own).order_by(c.running_size).limit(limit - dropped)
            dropped += (await connection.execute(delete(t.stored_response).where(c.id.in_(oldest)))).rowcount
    return dropped


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


class _Span(Struct, frozen=True):
    """The `running_size` of a customer's oldest and newest response."""

    oldest: int
    newest: int


async def _spans(connection: AsyncConnection, tenant_id: int, customer_ids: Iterable[str]) -> dict[str, _Span]:
    """Of those customers that have any. Each end is one step into the index, however many rows lie between."""
    customer, c = t.customer.c, t.stored_response.c
    own = select(c.running_size).where(c.tenant_id == tenant_id, c.customer_id == customer.id).limit(1)
    ends = (
        own.order_by(order).correlate(t.customer).scalar_subquery() for order in (c.running_size, c.running_size.desc())
    )
    wanted = (customer.tenant_id == tenant_id, customer.id.in_(set(customer_ids)))
    rows = await connection.execute(select(customer.id, *ends).where(*wanted))
    return {each: _Span(oldest, newest) for each, oldest, newest in rows if newest is not None}


def _number(value: int) -> ColumnElement[int]:
    return literal(value).label("depth")
