"""A storefront's support cases and their messages. Tells nobody."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t

CaseState = Literal["open", "answered", "closed"]
Author = Literal["customer", "team"]
OPEN: Final = "open"


class Case(Struct, frozen=True, kw_only=True):
    """A case as stored; times in µs."""

    id: str
    tenant_id: int
    customer_id: str | None
    email: str
    name: str
    subject: str
    about: str
    state: CaseState
    created_at: int
    changed_at: int


class Message(Struct, frozen=True, kw_only=True):
    """One message of a case."""

    author: Author
    actor: str
    body: str
    created_at: int


async def add(connection: AsyncConnection, tenant_id: int, case: Case) -> None:
    """A new case."""
    await connection.execute(insert(t.support_case).values({**_values(case), "tenant_id": tenant_id}))


async def add_message(connection: AsyncConnection, tenant_id: int, case_id: str, message: Message) -> None:
    """A message of the tenant's case, the latest one."""
    row = {name: getattr(message, name) for name in Message.__struct_fields__}
    await connection.execute(insert(t.support_message).values({**row, "tenant_id": tenant_id, "case_id": case_id}))


async def find(
    connection: AsyncConnection, tenant_id: int, case_id: str, customer_id: str | None = None
) -> Case | None:
    """The tenant's case, or only if it is this customer's."""
    c = t.support_case.c
    statement = select(t.support_case).where(c.tenant_id == tenant_id, c.id == case_id)
    if customer_id is not None:
        statement = statement.where(c.customer_id == customer_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Case(**row)


async def page(
    connection: AsyncConnection,
    tenant_id: int,
    limit: int,
    before_id: str | None,
    *,
    customer_id: str | None = None,
    state: str | None = None,
) -> list[Case]:
    """The tenant's cases, newest first: of one customer or in one state, where that is given."""
    c = t.support_case.c
    statement = select(t.support_case).where(c.tenant_id == tenant_id)
    for column, value in ((c.customer_id, customer_id), (c.state, state)):
        if value is not None:
            statement = statement.where(column == value)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [Case(**row) for row in rows.mappings()]


async def messages(connection: AsyncConnection, tenant_id: int, case_id: str) -> list[Message]:
    """The messages of the tenant's case, oldest first."""
    c = t.support_message.c
    columns = [c[name] for name in Message.__struct_fields__]
    statement = select(*columns).where(c.tenant_id == tenant_id, c.case_id == case_id).order_by(c.id)
    return [Message(**row) for row in (await connection.execute(statement)).mappings()]


async def set_state(connection: AsyncConnection, tenant_id: int, case_id: str, state: CaseState, at: int) -> None:
    """Whose turn it is."""
    c = t.support_case.c
    statement = update(t.support_case).where(c.tenant_id == tenant_id, c.id == case_id)
    await connection.execute(statement.values(state=state, changed_at=at))


async def open_count(connection: AsyncConnection, tenant_id: int, customer_id: str) -> int:
    """How many cases of the customer's wait for the team."""
    c = t.support_case.c
    statement = select(func.count()).where(c.tenant_id == tenant_id, c.customer_id == customer_id, c.state == OPEN)
    return int(await connection.scalar(statement) or 0)


async def open_about(connection: AsyncConnection, tenant_id: int, customer_id: str, about: str) -> str | None:
    """The customer's newest case about an order or call that is not closed."""
    c = t.support_case.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.about == about, c.state != "closed")
    found: str | None = await connection.scalar(select(c.id).where(*mine).order_by(c.id.desc()).limit(1))
    return found


def _values(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__struct_fields__ if name != "tenant_id"}
