"""The revision: how a write tells every running process what to look at again."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


async def bump(connection: AsyncConnection, kind: str, ref: str = "") -> None:
    """Record a change within the writer's transaction. The row's lock makes numbers appear in commit order.

    `kind`: config (routing, prices, tenants, hosts; ref: the tenant's id where no other is concerned)
    | key (ref: key id) | customer (ref: customer id) | upstream_key (ref: upstream).
    """
    number = await connection.scalar(
        update(t.revision)
        .where(t.revision.c.id == 1)
        .values(number=t.revision.c.number + 1)
        .returning(t.revision.c.number)
    )
    await connection.execute(insert(t.revision_change).values(number=number, kind=kind, ref=ref))


async def current(connection: AsyncConnection) -> int:
    """The newest revision number."""
    return int(await connection.scalar(select(t.revision.c.number)) or 0)


async def since(connection: AsyncConnection, number: int) -> list[tuple[int, str, str]]:
    """The changes behind `number`, oldest first: (number, kind, ref)."""
    c = t.revision_change.c
    rows = await connection.execute(select(c.number, c.kind, c.ref).where(c.number > number).order_by(c.number))
    return [(row.number, row.kind, row.ref) for row in rows]
