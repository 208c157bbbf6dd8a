"""What waits for a process in payments of every tenant: deliveries, unsettled orders, refunds to ask for, polls.

Claims for one process at a time; changes nothing else.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import exists, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.tenant import RESERVED_SLUGS
from . import tables as t
from .inbox import MAX_ATTEMPTS

CLAIM_US: Final = 60_000_000
"""How long a delivery or refund is one process's: several times what it may take."""
POLL_CLAIM_US: Final = 3_600_000_000


class ClaimedDelivery(Struct, frozen=True, kw_only=True):
    """A delivery that this process alone works in until its claim runs out."""

    id: int
    tenant_id: int
    provider: str
    event_id: str
    kind: str
    fact: dict[str, Any]
    claim: str


class OfTenant(Struct, frozen=True, kw_only=True):
    """Something of a tenant's that a process has to bring on."""

    id: str
    tenant_id: int


class DuePoll(Struct, frozen=True, kw_only=True):
    """A tenant's provider that is to be asked what changed since `polled_to` (µs)."""

    tenant_id: int
    provider: str
    polled_to: int
    claim: str


async def is_due(connection: AsyncConnection, now: int) -> bool:
    """Whether any delivery waits."""
    return bool(await connection.scalar(select(exists().where(*_due(now)))))


async def claim_deliveries(connection: AsyncConnection, owner: str, now: int, limit: int) -> list[ClaimedDelivery]:
    """The deliveries that waited longest. One whose last attempt never ended is parked: it may be what ended it."""
    c = t.inbox.c
    spent = update(t.inbox).where(*_due(now), c.attempts >= MAX_ATTEMPTS)
    await connection.execute(spent.values(parked_at=now, claim=None, last_error="The last attempt did not end."))
    waiting = select(c.id).where(*_due(now)).order_by(c.due_at, c.id).limit(limit).with_for_update(skip_locked=True)
    statement = (
        update(t.inbox)
        .where(c.id.in_(waiting), *_due(now))
        .values(claim=owner, due_at=now + CLAIM_US, attempts=c.attempts + 1)
        .returning(*(c[name] for name in ClaimedDelivery.__struct_fields__))
    )
    rows = await connection.execute(statement)
    return sorted((ClaimedDelivery(**row) for row in rows.mappings()), key=lambda one: one.id)


async def forget_bodies(connection: AsyncConnection, before: int, limit: int) -> int:
    """Drop raw bodies that came before that moment and are worked in; how many."""
    c = t.inbox.c
    old = select(c.id).where(c.received_at < before, c.sealed.is_not(None), c.processed_at.is_not(None)).limit(limit)
    return (await connection.execute(update(t.inbox).where(c.id.in_(old)).values(sealed=None, key_id=None))).rowcount


async def unsettled(connection: AsyncConnection, now: int, limit: int) -> list[OfTenant]:
    """Orders of which more is known than order and ledger show, and which nobody is settling."""
    c = t.purchase_order.c
    waits = (text("settled_version < facts_version"), or_(c.settle_until.is_(None), c.settle_until <= now))
    rows = await connection.execute(select(c.id, c.tenant_id).where(*waits).order_by(c.id).limit(limit))
    return [OfTenant(**row) for row in rows.mappings()]


async def loose_adjustments(connection: AsyncConnection, limit: int) -> list[tuple[int, str, str, str]]:
    """Adjustments without an order whose payment has one: (tenant, provider, payment, order)."""
    a, p = t.payment_fact.alias(), t.payment_fact.alias()
    same = (p.c.tenant_id == a.c.tenant_id, p.c.provider == a.c.provider, p.c.ref == a.c.payment_ref)
    statement = (
        select(a.c.tenant_id, a.c.provider, p.c.ref, p.c.order_id)
        .where(*same, a.c.kind == "adjustment", p.c.kind == "payment", a.c.order_id.is_(None))
        .where(p.c.order_id.is_not(None))
        .limit(limit)
    )
    return [tuple(row) for row in await connection.execute(statement)]


async def refunds_are_due(connection: AsyncConnection, now: int) -> bool:
    """Whether any refund is to be asked for again."""
    c = t.payment_refund.c
    return bool(await connection.scalar(select(exists().where(c.state == "asked", c.due_at <= now))))


async def claim_refunds(connection: AsyncConnection, owner: str, now: int, limit: int) -> list[OfTenant]:
    """Refunds that their provider has not answered, to be asked for again."""
    c = t.payment_refund.c
    due = (c.state == "asked", c.due_at <= now)
    waiting = select(c.id).where(*due).order_by(c.due_at).limit(limit).with_for_update(skip_locked=True)
    statement = update(t.payment_refund).where(c.id.in_(waiting), *due).values(claim=owner, due_at=now + CLAIM_US)
    rows = await connection.execute(statement.returning(c.id, c.tenant_id))
    return [OfTenant(**row) for row in rows.mappings()]


async def claim_poll(connection: AsyncConnection, owner: str, now: int) -> DuePoll | None:
    """A tenant's provider that is due to be asked, for this process alone."""
    c = t.payment_poll.c
    due = select(c.tenant_id, c.provider).where(c.due_at <= now).order_by(c.due_at).limit(1)
    found = (await connection.execute(due.with_for_update(skip_locked=True))).one_or_none()
    if found is None:
        return None
    mine = update(t.payment_poll).where(c.tenant_id == found.tenant_id, c.provider == found.provider, c.due_at <= now)
    claimed = mine.values(claim=owner, due_at=now + POLL_CLAIM_US)
    row = (await connection.execute(claimed.returning(c.tenant_id, c.provider, c.polled_to, c.claim))).mappings()
    one = row.one_or_none()
    return None if one is None else DuePoll(**one)


async def payable_tenants(connection: AsyncConnection) -> dict[int, str]:
    """Tenants that are paid through a provider that can be asked, with its name."""
    c = t.tenant.c
    platform = await connection.scalar(select(t.platform.c.settings)) or {}
    named_one = c.settings["payments", "provider"].as_string() != "manual"
    some = (c.status != "archived", or_(c.slug.in_(RESERVED_SLUGS), named_one))
    rows = await connection.execute(select(c.id, c.slug, c.settings).where(*some))
    settings = {row.id: platform if row.slug in RESERVED_SLUGS else row.settings for row in rows}
    named = {one: (given.get("payments") or {}).get("provider", "manual") for one, given in settings.items()}
    return {tenant_id: provider for tenant_id, provider in named.items() if provider != "manual"}


async def polled(connection: AsyncConnection) -> dict[tuple[int, str], int]:
    """The tenants and providers that are asked regularly, and when the next time is."""
    c = t.payment_poll.c
    rows = await connection.execute(select(c.tenant_id, c.provider, c.due_at))
    return {(row.tenant_id, row.provider): row.due_at for row in rows}


async def begin_polls(connection: AsyncConnection, tenants: dict[int, str], *, polled_to: int, due_at: int) -> None:
    """Ask these tenants' providers regularly from now on."""
    once = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for tenant_id, provider in tenants.items():
        row = {"tenant_id": tenant_id, "provider": provider, "polled_to": polled_to, "due_at": due_at}
        await connection.execute(once(t.payment_poll).values(row).on_conflict_do_nothing())


async def end_poll(
    connection: AsyncConnection, poll: DuePoll, *, polled_to: int, due_at: int, failure: str | None, now: int
) -> None:
    """The provider was asked up to that moment, or could not be, which is noted; when to ask again."""
    c = t.payment_poll.c
    mine = update(t.payment_poll).where(
        c.tenant_id == poll.tenant_id, c.provider == poll.provider, c.claim == poll.claim
    )
    failed_at = None if failure is None else func.coalesce(c.failed_at, now)
    values = {"polled_to": polled_to, "due_at": due_at, "failed_at": failed_at, "failure": failure}
    await connection.execute(mine.values(claim=None, **values))


class FailingPoll(Struct, frozen=True, kw_only=True):
    """A tenant's provider that can't be asked since `failed_at` (µs), and why."""

    tenant_id: int
    tenant: str
    provider: str
    failed_at: int
    failure: str


async def failing_polls(connection: AsyncConnection, tenant_id: int | None = None) -> list[FailingPoll]:
    """The providers that can't be asked, of every tenant or of one, longest first; of none that is archived."""
    p, c = t.payment_poll.c, t.tenant.c
    named = (
        p.tenant_id,
        c.slug.label("tenant"),
        p.provider,
        p.failed_at,
        func.coalesce(p.failure, "").label("failure"),
    )
    statement = select(*named).select_from(t.payment_poll.join(t.tenant, c.id == p.tenant_id))
    statement = statement.where(p.failed_at.is_not(None), c.status != "archived").order_by(p.failed_at, p.tenant_id)
    if tenant_id is not None:
        statement = statement.where(p.tenant_id == tenant_id)
    return [FailingPoll(**row) for row in (await connection.execute(statement)).mappings()]


def _due(now: int) -> tuple[Any, ...]:
    c = t.inbox.c
    return (c.processed_at.is_(None), c.parked_at.is_(None), c.due_at <= now)
