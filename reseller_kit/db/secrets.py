"""Ciphertexts at rest: data keys, the pepper, and secrets that apply resolved. Encrypts and opens nothing."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .engine import now_us


class StoredSecret(Struct, frozen=True):
    """A sealed secret: the data key that sealed it (None for keys sealed by the secret key itself) and its bytes."""

    name: str
    key_id: str | None
    ciphertext: bytes
    fingerprint: str


async def fetch(connection: AsyncConnection, prefix: str = "") -> list[StoredSecret]:
    """Every secret whose name begins with `prefix`, by name."""
    c = t.secret.c
    rows = await connection.execute(
        select(c.name, c.key_id, c.ciphertext, c.fingerprint)
        .where(c.name.startswith(prefix, autoescape=True))
        .order_by(c.name)
    )
    return [StoredSecret(row.name, row.key_id, bytes(row.ciphertext), row.fingerprint) for row in rows]


async def put(connection: AsyncConnection, secret: StoredSecret) -> None:
    """Store a secret under its name, replacing what was there."""
    values = {
        "name": secret.name,
        "key_id": secret.key_id,
        "ciphertext": secret.ciphertext,
        "fingerprint": secret.fingerprint,
        "updated_at": now_us(),
    }
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    changed = {name: value for name, value in values.items() if name != "name"}
    await connection.execute(
        upsert(t.secret).values(values).on_conflict_do_update(index_elements=["name"], set_=changed)
    )


async def put_new(connection: AsyncConnection, secrets: list[StoredSecret]) -> None:
    """Store secrets that must not exist yet."""
    rows = [
        {
            "name": s.name,
            "key_id": s.key_id,
            "ciphertext": s.ciphertext,
            "fingerprint": s.fingerprint,
            "updated_at": now_us(),
        }
        for s in secrets
    ]
    await connection.execute(insert(t.secret), rows)
