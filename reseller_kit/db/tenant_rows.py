"""All rows of one tenant in a table, whichever that is: read in chunks, summed, added again. Judges none of them."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import JSON, LargeBinary, Table, bindparam, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.errors import Conflict
from . import tables as t
from .tables.base import Document

CHUNK: Final = 1_000
Row = dict[str, Any]
_NO_NULL: Final = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


async def rows_of(connection: AsyncConnection, tenant_id: int, table: Table) -> AsyncIterator[list[Row]]:
    """The tenant's rows in the order of their key, a thousand at a time."""
    key = list(table.primary_key)
    statement = select(table).where(table.c.tenant_id == tenant_id).order_by(*key).limit(CHUNK)
    rows = (await connection.execute(statement)).mappings().all()
    while rows:
        yield [dict(row) for row in rows]
        last = tuple_(*(bindparam(None, rows[-1][column.name], type_=column.type) for column in key))
        rows = (await connection.execute(statement.where(tuple_(*key) > last))).mappings().all()


async def cost_versions_of(connection: AsyncConnection, tenant_id: int) -> AsyncIterator[list[Row]]:
    """The operator's price versions that the tenant's calls were reckoned by, a thousand at a time."""
    u, p = t.usage_record.c, t.price_version.c
    used = select(u.cost_version).where(u.tenant_id == tenant_id, u.cost_version.is_not(None)).distinct()
    statement = select(t.price_version).where(p.tenant_id.is_(None), p.id.in_(used)).order_by(p.id).limit(CHUNK)
    rows = (await connection.execute(statement)).mappings().all()
    while rows:
        yield [dict(row) for row in rows]
        rows = (await connection.execute(statement.where(p.id > rows[-1]["id"]))).mappings().all()


async def money_of(connection: AsyncConnection, tenant_id: int) -> dict[str, dict[str, int]]:
    """By kind of account: how many there are, what they hold, and what the entries on them sum to, in nano-USD."""
    a, e = t.account.c, t.entry.c
    held = [func.sum(a[name]).label(name) for name in ("balance_nano", "reserved_nano", "debt_nano")]
    accounts = select(a.kind, func.count().label("accounts"), *held).where(a.tenant_id == tenant_id).group_by(a.kind)
    found = {
        row["kind"]: {name: int(value) for name, value in row.items() if name != "kind"}
        for row in (await connection.execute(accounts)).mappings()
    }
    posted = (
        select(a.kind, func.sum(e.amount_nano))
        .join(t.account, a.id == e.account_id)
        .where(e.tenant_id == tenant_id, a.tenant_id == tenant_id)
        .group_by(a.kind)
    )
    sums = {row[0]: int(row[1]) for row in await connection.execute(posted)}
    return {kind: {**held, "entries_nano": sums.get(kind, 0)} for kind, held in sorted(found.items())}


async def unfit(connection: AsyncConnection, tenant_id: int, rolled: int) -> str | None:
    """Why the tenant's books can't be moved as they are now; None if they can. `rolled`: what the rollups have."""
    h, u, r = t.hold.c, t.usage_record.c, t.archived_usage.c
    held = await connection.scalar(select(h.request_id).where(h.tenant_id == tenant_id, h.state == "open").limit(1))
    if held is not None:
        return f"{held} still holds credit."
    late = await connection.scalar(select(u.id).where(u.tenant_id == tenant_id, u.settled_at >= rolled).limit(1))
    if late is not None:
        return f"The call {late} is not in the sums of usage yet."
    month = await connection.scalar(select(r.month).where(r.tenant_id == tenant_id).limit(1))
    return None if month is None else f"Its calls of {month} were archived to files, which do not move."


async def keys_of(connection: AsyncConnection, tenant_id: int, table: Table, names: Sequence[str]) -> dict[Any, int]:
    """Numbered rows of the tenant by other columns of theirs: where references to them have to lead."""
    columns = [table.c[name] for name in names]
    found = await connection.execute(select(table.c.id, *columns).where(table.c.tenant_id == tenant_id))
    return {tuple(row[1:]): row[0] for row in found}


async def add(connection: AsyncConnection, tenant_id: int | None, table: Table, rows: Sequence[Row]) -> None:
    """Add rows as the tenant's; bytes may be in base64. Raises Conflict when one of them is there already."""
    if not rows:
        return
    packed = [column.name for column in table.c if isinstance(column.type, LargeBinary) and column.name in rows[0]]
    values = {
        name: bindparam(name, type_=_NO_NULL if table.c[name].type is Document else table.c[name].type)
        for name in rows[0]
    }
    statement = insert(table).values({**values, "tenant_id": bindparam("tenant_id", type_=table.c.tenant_id.type)})
    try:
        await connection.execute(statement, [{**row, **_unpacked(row, packed), "tenant_id": tenant_id} for row in rows])
    except IntegrityError:
        raise Conflict(
            f"Rows of {table.name} are here already, or fit nothing that is here.",
            fix="An archive is brought into a deployment once. See: reseller-kit tenant list",
        ) from None


async def set_balances(connection: AsyncConnection, tenant_id: int, account_id: int, held: Mapping[str, int]) -> None:
    """Give an account of the tenant's, made with it, what it held elsewhere."""
    c = t.account.c
    await connection.execute(update(t.account).where(c.tenant_id == tenant_id, c.id == account_id).values(**held))


def _unpacked(row: Row, names: Sequence[str]) -> Row:
    return {name: base64.b64decode(row[name]) for name in names if isinstance(row[name], str)}
