"""Which orders know more of their payments than order and ledger show, and who is bringing them there.

Decides on no state.
"""

from __future__ import annotations

from typing import Final, Literal

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

Progress = Literal["settled", "held", "free"]
CLAIM_US: Final = 15_000_000
"""How long a claim holds: longer than settling one order may take."""


async def bump(connection: AsyncConnection, tenant_id: int, order_id: str) -> None:
    """More is known of the order's payments."""
    c = t.purchase_order.c
    statement = update(t.purchase_order).where(c.tenant_id == tenant_id, c.id == order_id)
    await connection.execute(statement.values(facts_version=c.facts_version + 1))


async def progress(connection: AsyncConnection, tenant_id: int, order_id: str, owner: str, now: int) -> Progress:
    """`settled`: order and ledger show all that is known, or there is no such order; `held`: another sees to it.

    What `owner` holds itself is free to it: more became known while it settled.
    """
    c = t.purchase_order.c
    waiting = select(c.settle_claim, c.settle_until).where(
        c.tenant_id == tenant_id, c.id == order_id, c.settled_version < c.facts_version
    )
    row = (await connection.execute(waiting)).one_or_none()
    if row is None:
        return "settled"
    return "held" if row.settle_claim not in {None, owner} and row.settle_until > now else "free"


async def claim(connection: AsyncConnection, tenant_id: int, order_id: str, owner: str, now: int) -> int | None:
    """Become the one who settles the order: the version of what is known. None: nothing is to be done, or another is.

    Who has the claim already prolongs it.
    """
    c = t.purchase_order.c
    free = or_(c.settle_claim.is_(None), c.settle_claim == owner, c.settle_until <= now)
    waits = (c.tenant_id == tenant_id, c.id == order_id, c.settled_version < c.facts_version)
    statement = update(t.purchase_order).where(*waits, free)
    statement = statement.values(settle_claim=owner, settle_until=now + CLAIM_US)
    version: int | None = await connection.scalar(statement.returning(c.facts_version))
    return version


async def finish(connection: AsyncConnection, tenant_id: int, order_id: str, owner: str, version: int) -> bool:
    """Order and ledger show what was known as of `version`; False when more has become known meanwhile."""
    c = t.purchase_order.c
    mine = (c.tenant_id == tenant_id, c.id == order_id, c.settle_claim == owner)
    statement = update(t.purchase_order).where(*mine, c.facts_version == version)
    done = statement.values(settled_version=version, settle_claim=None, settle_until=None)
    return (await connection.execute(done)).rowcount == 1


async def release(connection: AsyncConnection, tenant_id: int, order_id: str, owner: str, not_before: int) -> None:
    """Give the claim up; the sweep looks at the order again from that moment (µs) on."""
    c = t.purchase_order.c
    mine = update(t.purchase_order).where(c.tenant_id == tenant_id, c.id == order_id, c.settle_claim == owner)
    await connection.execute(mine.values(settle_claim=None, settle_until=not_before))
