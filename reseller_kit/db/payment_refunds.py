"""Refunds of a tenant's orders: asked of a provider by us, or told by it. Asks nobody and moves no credit."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

_FIRST_DELAY_US: Final = 10_000_000
_LONGEST_DELAY_US: Final = 3_600_000_000
_MAX_ERROR: Final = 300


class Refund(Struct, frozen=True, kw_only=True):
    """A refund. `minor`: gross, in the minor unit of `currency`. Times in µs.

    `state`: asked | pending | approved | rejected (by the provider) | refused (to ask) | superseded.
    """

    id: str
    order_id: str
    provider: str
    payment_ref: str
    adjustment_ref: str | None = None
    minor: int
    currency: str
    reason: str = ""
    note: str = ""
    actor: str
    state: str
    error: str | None = None
    attempts: int = 0
    due_at: int
    created_at: int
    ended_at: int | None = None


async def add(connection: AsyncConnection, tenant_id: int, refund: Refund) -> bool:
    """A new refund; False when the provider's one is known already."""
    row = {name: getattr(refund, name) for name in Refund.__struct_fields__} | {"tenant_id": tenant_id}
    once = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return bool((await connection.execute(once(t.payment_refund).values(row).on_conflict_do_nothing())).rowcount)


async def find(connection: AsyncConnection, tenant_id: int, refund_id: str) -> Refund | None:
    """One refund."""
    row = (await connection.execute(_narrowed(tenant_id).where(t.payment_refund.c.id == refund_id))).mappings()
    found = row.one_or_none()
    return None if found is None else Refund(**found)


async def of_order(connection: AsyncConnection, tenant_id: int, order_id: str) -> list[Refund]:
    """An order's refunds, oldest first."""
    c = t.payment_refund.c
    rows = await connection.execute(_narrowed(tenant_id).where(c.order_id == order_id).order_by(c.created_at, c.id))
    return [Refund(**row) for row in rows.mappings()]


async def change(connection: AsyncConnection, tenant_id: int, refund_id: str, before: str, **values: Any) -> bool:
    """Change columns of a refund that is in the state `before`; False when it is not."""
    c = t.payment_refund.c
    mine = update(t.payment_refund).where(c.tenant_id == tenant_id, c.id == refund_id, c.state == before)
    return (await connection.execute(mine.values(**values))).rowcount == 1


async def answered(connection: AsyncConnection, tenant_id: int, refund: Refund, adjustment_ref: str) -> bool:
    """The provider calls an asked refund that; False when another row is that one already."""
    c = t.payment_refund.c
    same = (c.tenant_id == tenant_id, c.provider == refund.provider, c.adjustment_ref == adjustment_ref)
    known = await connection.scalar(select(c.id).where(*same))
    if known is not None:
        return bool(known == refund.id)
    values = {"adjustment_ref": adjustment_ref, "state": "pending", "error": None}
    return await change(connection, tenant_id, refund.id, "asked", **values)


async def try_later(connection: AsyncConnection, tenant_id: int, refund_id: str, error: str, now: int) -> None:
    """The provider did not answer: it is asked again after a growing delay."""
    c = t.payment_refund.c
    mine = (c.tenant_id == tenant_id, c.id == refund_id, c.state == "asked")
    attempts = await connection.scalar(select(c.attempts).where(*mine)) or 0
    due = now + min(_FIRST_DELAY_US << min(attempts, 12), _LONGEST_DELAY_US)
    statement = update(t.payment_refund).where(*mine)
    await connection.execute(statement.values(error=error[:_MAX_ERROR], attempts=attempts + 1, due_at=due, claim=None))


def _narrowed(tenant_id: int) -> Any:
    c = t.payment_refund.c
    return select(*(c[name] for name in Refund.__struct_fields__)).where(c.tenant_id == tenant_id)
