"""What customers log in with: password hashes, TOTP secrets, recovery codes, accepted terms. Checks none of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class Login(Struct, frozen=True, kw_only=True):
    """How one customer logs in. Holds a hash and a sealed secret: never logged, never shown. Times in µs."""

    customer_id: str
    password_hash: str | None
    password_at: int | None
    totp_key_id: str | None
    totp_sealed: bytes | None
    totp_at: int | None
    totp_step: int

    def __repr__(self) -> str:
        return f"Login(customer_id={self.customer_id!r})"


async def find(connection: AsyncConnection, tenant_id: int, customer_id: str) -> Login | None:
    """The customer's log-in; None where no password was ever set."""
    c = t.customer_login.c
    columns = [c[name] for name in Login.__struct_fields__]
    statement = select(*columns).where(c.tenant_id == tenant_id, c.customer_id == customer_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else Login(**row)


async def set_password(
    connection: AsyncConnection, tenant_id: int, customer_id: str, password_hash: str, now: int
) -> None:
    """Store the hash of the password that holds from now on."""
    row = {
        "customer_id": customer_id,
        "tenant_id": tenant_id,
        "password_hash": password_hash,
        "password_at": now,
    }
    new = {name: row[name] for name in ("password_hash", "password_at")}
    statement = _insert(connection, t.customer_login).values(row)
    own = t.customer_login.c.tenant_id == tenant_id
    await connection.execute(statement.on_conflict_do_update(index_elements=["customer_id"], set_=new, where=own))


async def set_totp(
    connection: AsyncConnection,
    tenant_id: int,
    customer_id: str,
    *,
    key_id: str | None,
    sealed: bytes | None,
    at: int | None,
) -> None:
    """Put a TOTP secret in the place of the one before; with `at` None it waits for its first code."""
    c = t.customer_login.c
    statement = update(t.customer_login).where(c.tenant_id == tenant_id, c.customer_id == customer_id)
    await connection.execute(statement.values(totp_key_id=key_id, totp_sealed=sealed, totp_at=at, totp_step=0))


async def start_totp(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int) -> None:
    """Codes of the secret that waits are asked for from now on."""
    c = t.customer_login.c
    statement = update(t.customer_login).where(c.tenant_id == tenant_id, c.customer_id == customer_id)
    await connection.execute(statement.values(totp_at=now))


async def use_step(connection: AsyncConnection, tenant_id: int, customer_id: str, step: int) -> bool:
    """Use up a time step; False when it, or a later one, was used before."""
    c = t.customer_login.c
    fresh = update(t.customer_login).where(c.tenant_id == tenant_id, c.customer_id == customer_id, c.totp_step < step)
    return (await connection.execute(fresh.values(totp_step=step))).rowcount == 1


async def set_recovery_codes(
    connection: AsyncConnection, tenant_id: int, customer_id: str, digests: Iterable[bytes]
) -> None:
    """Replace the customer's recovery codes; with none, there are none."""
    c = t.recovery_code.c
    await connection.execute(delete(t.recovery_code).where(c.tenant_id == tenant_id, c.customer_id == customer_id))
    rows = [{"digest": digest, "tenant_id": tenant_id, "customer_id": customer_id} for digest in digests]
    if rows:
        await connection.execute(insert(t.recovery_code), rows)


async def use_recovery_code(connection: AsyncConnection, tenant_id: int, customer_id: str, digest: bytes) -> bool:
    """Use up a recovery code; False for one that is not the customer's, or no more."""
    c = t.recovery_code.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id, c.digest == digest)
    return (await connection.execute(delete(t.recovery_code).where(*mine))).rowcount == 1


async def recovery_codes_left(connection: AsyncConnection, tenant_id: int, customer_id: str) -> int:
    """How many recovery codes are unused."""
    c = t.recovery_code.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id)
    return await connection.scalar(select(func.count()).select_from(t.recovery_code).where(*mine)) or 0


async def accept_terms(connection: AsyncConnection, tenant_id: int, customer_id: str, version: str, now: int) -> None:
    """Note that the customer accepted the terms of this version; the first time stands."""
    row = {"customer_id": customer_id, "version": version, "tenant_id": tenant_id, "accepted_at": now}
    statement = _insert(connection, t.terms_acceptance).values(row)
    await connection.execute(statement.on_conflict_do_nothing(index_elements=["customer_id", "version"]))


async def accepted_terms(connection: AsyncConnection, tenant_id: int, customer_id: str) -> list[tuple[str, int]]:
    """The versions that the customer accepted, and when (µs), oldest first."""
    c = t.terms_acceptance.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id)
    rows = await connection.execute(select(c.version, c.accepted_at).where(*mine).order_by(c.accepted_at))
    return [(row.version, row.accepted_at) for row in rows]


def _insert(connection: AsyncConnection, table: Any) -> Any:
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)
