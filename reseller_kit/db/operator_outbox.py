"""Claims mails of every tenant for delivery, each by one process at a time. Sends nothing."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .outbox import MAX_ATTEMPTS

CLAIM_US: Final = 300_000_000
"""How long a claim holds: several times what sending one mail may take."""


class ClaimedMail(Struct, frozen=True, kw_only=True):
    """A mail that this process alone delivers until its claim runs out."""

    id: str
    tenant_id: int | None
    kind: str
    recipient: str
    payload: dict[str, Any]
    claim: str
    created_at: int


async def is_due(connection: AsyncConnection, now: int) -> bool:
    """Whether any mail waits to be sent."""
    return bool(await connection.scalar(select(exists().where(*_due(now)))))


async def claim(connection: AsyncConnection, owner: str, now: int, limit: int) -> list[ClaimedMail]:
    """The mails that waited longest, claimed under the one-time name `owner`.

    A mail whose last attempt never ended, as when its process died, is parked instead: it may be what ended it.
    """
    c = t.outbox.c
    spent = update(t.outbox).where(*_due(now), c.attempts >= MAX_ATTEMPTS)
    await connection.execute(spent.values(parked_at=now, claim=None, last_error="The last attempt did not end."))
    waiting = select(c.id).where(*_due(now)).order_by(c.due_at, c.id).limit(limit).with_for_update(skip_locked=True)
    # In a statement of its own: within the update PostgreSQL may look once a row, and take more than `limit`.
    ids = list(await connection.scalars(waiting))
    if not ids:
        return []
    statement = (
        update(t.outbox)
        .where(c.id.in_(ids))
        .values(claim=owner, due_at=now + CLAIM_US, attempts=c.attempts + 1)
        .returning(c.id, c.tenant_id, c.kind, c.recipient, c.payload, c.claim, c.created_at)
    )
    rows = await connection.execute(statement)
    return sorted((ClaimedMail(**row) for row in rows.mappings()), key=lambda mail: mail.id)


def _due(now: int) -> tuple[Any, ...]:
    c = t.outbox.c
    return (c.sent_at.is_(None), c.parked_at.is_(None), c.due_at <= now)
