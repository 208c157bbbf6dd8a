"""What waits in the database, of every tenant, for metrics: how much of it, and since when. Reads only."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

_TO_DECIDE: Final = ("review", "duplicate_paid", "activation_failed")


class Queue(Struct, frozen=True):
    """How much waits, and since when (µs); None: nothing does."""

    waiting: int
    since: int | None


class Backlog(Struct, frozen=True, kw_only=True):
    """As of one moment."""

    mails: Queue
    deliveries: Queue
    webhooks: Queue
    """To resellers' own systems; since: when the first one was due."""
    orders: Queue
    holds: Queue
    parked_mails: int
    parked_deliveries: int


async def backlog(connection: AsyncConnection, *, late: int) -> Backlog:
    """`late` (µs): a hold that is open since before it waits too long."""
    mail, inbox, order, hold = t.outbox.c, t.inbox.c, t.purchase_order.c, t.hold.c
    return Backlog(
        mails=await _queue(connection, mail.created_at, mail.sent_at.is_(None), mail.parked_at.is_(None)),
        deliveries=await _queue(connection, inbox.received_at, inbox.processed_at.is_(None), inbox.parked_at.is_(None)),
        webhooks=await _queue(connection, t.hook_delivery.c.due_at, t.hook_delivery.c.state == "waiting"),
        orders=await _queue(connection, order.created_at, order.state.in_(_TO_DECIDE)),
        holds=await _queue(connection, hold.created_at, hold.state == "open", hold.created_at < late),
        parked_mails=(await _queue(connection, mail.created_at, mail.parked_at.is_not(None))).waiting,
        parked_deliveries=(await _queue(connection, inbox.received_at, inbox.parked_at.is_not(None))).waiting,
    )


async def _queue(connection: AsyncConnection, since: Any, *conditions: ColumnElement[bool]) -> Queue:
    row = (await connection.execute(select(func.count(), func.min(since)).where(*conditions))).one()
    return Queue(row[0], row[1])
