"""Passkeys of customers and of members: public keys, and how often each was used. Verifies no signature."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class Passkey(Struct, frozen=True, kw_only=True):
    """A passkey as stored. Times in µs."""

    id: str
    host: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: int
    used_at: int | None


class Owned(Struct, frozen=True):
    """A passkey and the number of its holder: a customer's id or a member's."""

    holder: Any
    passkey: Passkey


class Ring(Struct, frozen=True, eq=False):
    """Where the passkeys of one kind of holder are, and which column names the holder."""

    table: Table
    holder: str

    def of(self, tenant_id: int, holder: str | int) -> tuple[ColumnElement[bool], ...]:
        """Only those of one holder."""
        return self.table.c.tenant_id == tenant_id, self.table.c[self.holder] == holder


CUSTOMERS: Final = Ring(t.passkey, "customer_id")
MEMBERS: Final = Ring(t.member_passkey, "member_id")
_NAMES: Final = Passkey.__struct_fields__


async def add(connection: AsyncConnection, tenant_id: int, ring: Ring, holder: str | int, passkey: Passkey) -> bool:
    """Keep a new passkey; False when the tenant knows one of its credential id already."""
    row = {name: getattr(passkey, name) for name in _NAMES}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(ring.table).values({**row, "tenant_id": tenant_id, ring.holder: holder})
    statement = statement.on_conflict_do_nothing(index_elements=["tenant_id", "credential_id"])
    return (await connection.execute(statement.returning(ring.table.c.id))).one_or_none() is not None


async def find(connection: AsyncConnection, tenant_id: int, ring: Ring, credential_id: bytes) -> Owned | None:
    """The tenant's passkey of this credential id, and whose it is."""
    c = ring.table.c
    columns = [c[name] for name in _NAMES]
    statement = select(*columns, c[ring.holder].label("holder"))
    statement = statement.where(c.tenant_id == tenant_id, c.credential_id == credential_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Owned(row["holder"], Passkey(**{name: row[name] for name in _NAMES}))


async def of_holder(connection: AsyncConnection, tenant_id: int, ring: Ring, holder: str | int) -> list[Passkey]:
    """The holder's passkeys, oldest first."""
    c = ring.table.c
    statement = select(*[c[name] for name in _NAMES]).where(*ring.of(tenant_id, holder))
    rows = await connection.execute(statement.order_by(c.created_at, c.id))
    return [Passkey(**row) for row in rows.mappings()]


async def count(connection: AsyncConnection, tenant_id: int, ring: Ring, holder: str | int) -> int:
    """How many passkeys the holder has."""
    statement = select(func.count()).select_from(ring.table).where(*ring.of(tenant_id, holder))
    return await connection.scalar(statement) or 0


async def used(connection: AsyncConnection, tenant_id: int, ring: Ring, passkey: Passkey, now: int) -> bool:
    """The passkey signed, and counts so; False where somebody else's signature has counted as far meanwhile."""
    c = ring.table.c
    ahead = or_(c.sign_count < passkey.sign_count, (c.sign_count == 0) & (passkey.sign_count == 0))
    statement = update(ring.table).where(c.tenant_id == tenant_id, c.id == passkey.id, ahead)
    return (await connection.execute(statement.values(sign_count=passkey.sign_count, used_at=now))).rowcount == 1


async def remove(connection: AsyncConnection, tenant_id: int, ring: Ring, holder: str | int, passkey_id: str) -> bool:
    """Forget one of the holder's passkeys; False for one that is not the holder's."""
    statement = delete(ring.table).where(*ring.of(tenant_id, holder), ring.table.c.id == passkey_id)
    return (await connection.execute(statement)).rowcount == 1


async def remove_all(connection: AsyncConnection, tenant_id: int, ring: Ring, holder: str | int) -> None:
    """Forget all of the holder's passkeys."""
    await connection.execute(delete(ring.table).where(*ring.of(tenant_id, holder)))
