"""Finds the API key that a digest belongs to, within one tenant."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class KeyAccount(Struct, frozen=True, kw_only=True):
    """A key that is not revoked, and the customer whose wallet pays for it. Times in µs, limit in nano-USD."""

    key_id: str
    tenant_id: int
    customer_id: str
    wallet_id: int
    customer_status: str
    limit_nano: int | None
    limit_reset: str | None
    models: tuple[str, ...]
    requests_per_minute: int | None
    expires_at: int | None
    tokens_per_minute: int | None = None
    concurrent_requests: int | None = None
    allow_ips: tuple[str, ...] = ()
    group_id: str | None
    restricted_at: int | None = None
    restricted_until: int | None = None


async def find_key(connection: AsyncConnection, tenant_id: int, digest: bytes) -> KeyAccount | None:
    """The key with this digest on this tenant; None when unknown or revoked."""
    k, c = t.api_key.c, t.customer.c
    statement = (
        select(
            k.id,
            k.tenant_id,
            k.customer_id,
            c.wallet_id,
            c.status,
            c.group_id,
            c.restricted_at,
            c.restricted_until,
            k.limit_nano,
            k.limit_reset,
            k.models,
            k.requests_per_minute,
            k.tokens_per_minute,
            k.concurrent_requests,
            k.expires_at,
            k.allow_ips,
        )
        .join(t.customer, (c.id == k.customer_id) & (c.tenant_id == k.tenant_id))
        .where(k.tenant_id == tenant_id, k.digest == digest, k.revoked_at.is_(None))
    )
    row = (await connection.execute(statement)).one_or_none()
    if row is None:
        return None
    return KeyAccount(
        key_id=row.id,
        tenant_id=row.tenant_id,
        customer_id=row.customer_id,
        wallet_id=row.wallet_id,
        customer_status=row.status,
        limit_nano=row.limit_nano,
        limit_reset=row.limit_reset,
        models=tuple(row.models),
        requests_per_minute=row.requests_per_minute,
        tokens_per_minute=row.tokens_per_minute,
        concurrent_requests=row.concurrent_requests,
        expires_at=row.expires_at,
        allow_ips=tuple(row.allow_ips),
        group_id=row.group_id,
        restricted_at=row.restricted_at,
        restricted_until=row.restricted_until,
    )
