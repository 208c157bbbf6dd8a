"""Passkeys of customers: public keys, and how often each was used. Verifies no signature."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class Passkey(Struct, frozen=True, kw_only=True):
    """A passkey as stored. Times in µs."""

    id: str
    customer_id: str
    host: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: int
    used_at: int | None


async def add(connection: AsyncConnection, tenant_id: int, customer_id: str, passkey: Passkey) -> bool:
    """Keep a new passkey; False when the tenant knows one of its credential id already."""
    row = {name: getattr(passkey, name) for name in Passkey.__struct_fields__}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(t.passkey).values({**row, "tenant_id": tenant_id, "customer_id": customer_id})
    statement = statement.on_conflict_do_nothing(index_elements=["tenant_id", "credential_id"])
    return (await connection.execute(statement.returning(t.passkey.c.id))).one_or_none() is not None


async def find(connection: AsyncConnection, tenant_id: int, credential_id: bytes) -> Passkey | None:
    """The tenant's passkey of this credential id."""
    c = t.passkey.c
    columns = [c[name] for name in Passkey.__struct_fields__]
    statement = select(*columns).where(c.tenant_id == tenant_id, c.credential_id == credential_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Passkey(**row)


async def of_customer(connection: AsyncConnection, tenant_id: int, customer_id: str) -> list[Passkey]:
    """The customer's passkeys, oldest first."""
    c = t.passkey.c
    columns = [c[name] for name in Passkey.__struct_fields__]
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id)
    rows = await connection.execute(select(*columns).where(*mine).order_by(c.created_at, c.id))
    return [Passkey(**row) for row in rows.mappings()]


async def used(connection: AsyncConnection, tenant_id: int, passkey_id: str, sign_count: int, now: int) -> None:
    """The passkey signed, with this count."""
    c = t.passkey.c
    statement = update(t.passkey).where(c.tenant_id == tenant_id, c.id == passkey_id)
    await connection.execute(statement.values(sign_count=sign_count, used_at=now))


async def remove(connection: AsyncConnection, tenant_id: int, customer_id: str, passkey_id: str) -> bool:
    """Forget one of the customer's passkeys; False for one that is not the customer's."""
    c = t.passkey.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.id == passkey_id)
    return (await connection.execute(delete(t.passkey).where(*mine))).rowcount == 1
