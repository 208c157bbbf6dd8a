"""A tenant's customers as its team looks them up: found by what is known of them, with balance and spending."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, and_, func, insert, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.times import DAY_US
from . import tables as t
from .customers import Customer
from .rollup_sums import total


class Search(Struct, frozen=True, kw_only=True):
    """What is looked for. `text`: a part of address or name, or the beginning of an id or of a key's prefix.

    `status`: active | suspended | closing; `owing`: only those in debt.
    """

    text: str = ""
    status: str | None = None
    group_id: str | None = None
    owing: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """A customer with its wallet in nano-USD: `balance` may be negative, `debt` is what it owes."""

    customer: Customer
    balance: int
    reserved: int
    debt: int


class Note(Struct, frozen=True, kw_only=True):
    """What the team notes for itself; `author` is a member's address. Time in µs."""

    id: int
    customer_id: str
    author: str
    body: str
    created_at: int


async def page(
    connection: AsyncConnection, tenant_id: int, wanted: Search, limit: int, before_id: str | None
) -> list[Found]:
    """The tenant's customers that fit, newest first; only those before the row `before_id`, if given."""
    c, a = t.customer.c, t.account.c
    statement = _joined(tenant_id).where(c.status != "deleted")
    if wanted.text:
        statement = statement.where(_fits(tenant_id, wanted.text))
    if wanted.status is not None:
        statement = statement.where(c.status == wanted.status)
    if wanted.group_id is not None:
        statement = statement.where(c.group_id == wanted.group_id)
    if wanted.owing:
        statement = statement.where(a.debt_nano > 0)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [_found(row) for row in rows.mappings()]


async def spent(
    connection: AsyncConnection, tenant_id: int, customer_ids: Collection[str], since: int
) -> dict[str, int]:
    """What each of them spent since (µs, the start of a day in UTC), in nano-USD; who spent nothing is left out."""
    c = t.usage_total.c
    statement = select(c.customer_id, total(c.retail_nano).label("spent")).where(
        c.tenant_id == tenant_id,
        c.customer_id.in_(customer_ids),
        c.grain == literal_column("'day'"),
        c.at >= since // DAY_US * DAY_US,
    )
    rows = await connection.execute(statement.group_by(c.customer_id))
    return {row.customer_id: row.spent for row in rows}


async def add_note(
    connection: AsyncConnection, tenant_id: int, customer_id: str, *, author: str, body: str, now: int
) -> None:
    """Note something about a customer."""
    row = {"tenant_id": tenant_id, "customer_id": customer_id, "author": author, "body": body, "created_at": now}
    await connection.execute(insert(t.customer_note).values(row))


async def notes(connection: AsyncConnection, tenant_id: int, customer_id: str, limit: int = 100) -> list[Note]:
    """What the team noted about a customer, newest first."""
    c = t.customer_note.c
    columns = (c.id, c.customer_id, c.author, c.body, c.created_at)
    statement = select(*columns).where(c.tenant_id == tenant_id, c.customer_id == customer_id)
    return [Note(**row) for row in (await connection.execute(statement.order_by(c.id.desc()).limit(limit))).mappings()]


def _joined(tenant_id: int) -> Select[Any]:
    c, a = t.customer.c, t.account.c
    joined = t.customer.join(t.account, and_(a.id == c.wallet_id, a.tenant_id == c.tenant_id))
    columns = (*t.customer.c, a.balance_nano, a.reserved_nano, a.debt_nano)
    return select(*columns).select_from(joined).where(c.tenant_id == tenant_id)


def _fits(tenant_id: int, text: str) -> Any:
    c, k = t.customer.c, t.api_key.c
    folded = text.casefold()
    owners = select(k.customer_id).where(k.tenant_id == tenant_id, k.prefix.startswith(text, autoescape=True))
    return or_(
        c.email.contains(folded, autoescape=True),
        func.lower(c.name).contains(folded, autoescape=True),
        c.id.startswith(text, autoescape=True),
        c.id.in_(owners),
    )


def _found(row: Any) -> Found:
    own = {name: row[name] for name in Customer.__struct_fields__}
    return Found(
        customer=Customer(**own), balance=row["balance_nano"], reserved=row["reserved_nano"], debt=row["debt_nano"]
    )
