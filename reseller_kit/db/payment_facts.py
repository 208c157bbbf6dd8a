"""The latest state of each of a tenant's providers' objects, and the order that it belongs to. Judges no payment."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class NewFact(Struct, frozen=True, kw_only=True):
    """A state of an object. `kind`: payment | adjustment | subscription; `state`: all of it, as JSON-ready values."""

    provider: str
    kind: str
    ref: str
    status: str
    state: dict[str, Any]
    occurred_at: int
    payment_ref: str | None = None
    subscription_ref: str | None = None


class FactRow(Struct, frozen=True, kw_only=True):
    """An object's latest state as stored. Times in µs."""

    id: int
    provider: str
    kind: str
    ref: str
    order_id: str | None
    payment_ref: str | None
    subscription_ref: str | None
    status: str
    state: dict[str, Any]
    decision: str
    decided_by: str
    note: str
    problem: str
    occurred_at: int
    created_at: int
    changed_at: int


_NEW = NewFact.__struct_fields__


async def add_or_lock(connection: AsyncConnection, tenant_id: int, fact: NewFact, now: int) -> tuple[FactRow, bool]:
    """The object's row, locked, and whether this state made it; nothing is overwritten."""
    row = {name: getattr(fact, name) for name in _NEW}
    row |= {"tenant_id": tenant_id, "created_at": now, "changed_at": now}
    once = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    added = await connection.execute(once(t.payment_fact).values(row).on_conflict_do_nothing())
    found = await find(connection, tenant_id, fact.provider, fact.kind, fact.ref, lock=True)
    if found is None:
        raise LookupError(f"{fact.kind} {fact.ref} was stored and is not there")
    return found, bool(added.rowcount)


async def find(
    connection: AsyncConnection, tenant_id: int, provider: str, kind: str, ref: str, *, lock: bool = False
) -> FactRow | None:
    """What is known of one object."""
    c = t.payment_fact.c
    statement = _narrowed(tenant_id).where(c.provider == provider, c.kind == kind, c.ref == ref)
    row = (await connection.execute(statement.with_for_update() if lock else statement)).mappings().one_or_none()
    return None if row is None else FactRow(**row)


async def replace(connection: AsyncConnection, tenant_id: int, fact_id: int, fact: NewFact, now: int) -> None:
    """A later state of the object."""
    c = t.payment_fact.c
    values = {name: getattr(fact, name) for name in _NEW if name not in {"provider", "kind", "ref"}}
    statement = update(t.payment_fact).where(c.tenant_id == tenant_id, c.id == fact_id)
    await connection.execute(statement.values(**values, changed_at=now))


async def bind(connection: AsyncConnection, tenant_id: int, fact_id: int, order_id: str) -> bool:
    """The object belongs to this order, for good; False when it belonged to one before."""
    c = t.payment_fact.c
    free = update(t.payment_fact).where(c.tenant_id == tenant_id, c.id == fact_id, c.order_id.is_(None))
    return (await connection.execute(free.values(order_id=order_id, problem=""))).rowcount == 1


async def bind_adjustments(
    connection: AsyncConnection, tenant_id: int, provider: str, payment_ref: str, order_id: str
) -> None:
    """What went back of a payment belongs to the payment's order."""
    c = t.payment_fact.c
    own = (c.tenant_id == tenant_id, c.provider == provider, c.kind == "adjustment", c.payment_ref == payment_ref)
    await connection.execute(update(t.payment_fact).where(*own, c.order_id.is_(None)).values(order_id=order_id))


async def of_order(connection: AsyncConnection, tenant_id: int, order_id: str) -> list[FactRow]:
    """All that is known of an order's payments, in the order in which it became known."""
    c = t.payment_fact.c
    rows = await connection.execute(_narrowed(tenant_id).where(c.order_id == order_id).order_by(c.id))
    return [FactRow(**row) for row in rows.mappings()]


async def adjustments_of(connection: AsyncConnection, tenant_id: int, provider: str, payment_ref: str) -> list[FactRow]:
    """What went back of one payment, in the order in which it became known."""
    c = t.payment_fact.c
    own = (c.provider == provider, c.kind == "adjustment", c.payment_ref == payment_ref)
    rows = await connection.execute(_narrowed(tenant_id).where(*own).order_by(c.id))
    return [FactRow(**row) for row in rows.mappings()]


async def payments_called(connection: AsyncConnection, tenant_id: int, ref: str) -> list[FactRow]:
    """The tenant's payments that a provider calls so."""
    c = t.payment_fact.c
    rows = await connection.execute(_narrowed(tenant_id).where(c.kind == "payment", c.ref == ref).order_by(c.id))
    return [FactRow(**row) for row in rows.mappings()]


async def of_subscription(
    connection: AsyncConnection, tenant_id: int, provider: str, subscription_ref: str
) -> list[FactRow]:
    """A subscription and its payments, in the order in which they became known."""
    c = t.payment_fact.c
    own = (c.provider == provider, c.subscription_ref == subscription_ref)
    rows = await connection.execute(_narrowed(tenant_id).where(*own).order_by(c.id))
    return [FactRow(**row) for row in rows.mappings()]


async def decide(
    connection: AsyncConnection, tenant_id: int, fact_ids: list[int], decision: str, *, actor: str, note: str
) -> bool:
    """Somebody looked at payments in question: they buy what was ordered, or are no payments of it.

    False when that had been decided before.
    """
    c = t.payment_fact.c
    chosen = update(t.payment_fact).where(c.tenant_id == tenant_id, c.kind == "payment", c.id.in_(fact_ids))
    values = {"decision": decision, "decided_by": actor, "note": note, "problem": ""}
    return (await connection.execute(chosen.where(c.decision != decision).values(values))).rowcount > 0


async def set_problem(connection: AsyncConnection, tenant_id: int, fact_id: int, problem: str) -> bool:
    """What is in question, in words, "" for nothing; False when that stood there before."""
    c = t.payment_fact.c
    other = update(t.payment_fact).where(c.tenant_id == tenant_id, c.id == fact_id, c.problem != problem)
    return (await connection.execute(other.values(problem=problem))).rowcount == 1


async def page(
    connection: AsyncConnection, tenant_id: int, limit: int, before_id: int | None, *, in_question: bool = False
) -> list[FactRow]:
    """The tenant's payments, newest first, or only those in question."""
    c = t.payment_fact.c
    statement = _narrowed(tenant_id).where(c.kind == "payment")
    if in_question:
        statement = statement.where(c.problem != "")
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [FactRow(**row) for row in rows.mappings()]


def _narrowed(tenant_id: int) -> Any:
    c = t.payment_fact.c
    return select(*(c[name] for name in FactRow.__struct_fields__)).where(c.tenant_id == tenant_id)
