"""Vouchers of a tenant and who redeemed them. Never holds a code; redeeming is the ledger writer's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class VoucherRow(Struct, frozen=True, kw_only=True):
    """A voucher as stored, without its digest. Amount in nano-USD, times in µs."""

    id: str
    tenant_id: int
    batch: str
    prefix: str
    amount_nano: int
    models: tuple[str, ...]
    valid_days: int | None
    expires_at: int | None
    max_redemptions: int
    redeemed: int
    revoked_at: int | None
    created_at: int


class RedemptionRow(Struct, frozen=True, kw_only=True):
    """One redemption of a voucher."""

    voucher_id: str
    email: str
    lot_id: str
    created_at: int


async def lock_batches(connection: AsyncConnection, tenant_id: int) -> None:
    """Let one in at a time that makes a batch for the tenant. On SQLite the transaction itself does."""
    # KEY SHARE, which foreign keys to the tenant take, goes on beside it.
    statement = select(t.tenant.c.id).where(t.tenant.c.id == tenant_id).with_for_update(key_share=True)
    await connection.execute(statement)


async def add(
    connection: AsyncConnection, tenant_id: int, rows: Sequence[VoucherRow], digests: Sequence[bytes]
) -> None:
    """Store new vouchers under the digests that they are found by."""
    values = [
        {name: getattr(row, name) for name in VoucherRow.__struct_fields__}
        | {"tenant_id": tenant_id, "models": list(row.models), "digest": digest}
        for row, digest in zip(rows, digests, strict=True)
    ]
    await connection.execute(insert(t.voucher), values)


async def find(connection: AsyncConnection, tenant_id: int, voucher_id: str) -> VoucherRow | None:
    """The tenant's voucher of this id."""
    statement = _select(tenant_id).where(t.voucher.c.id == voucher_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _row(row)


async def find_code(connection: AsyncConnection, tenant_id: int, digest: bytes) -> str | None:
    """The id of the tenant's voucher whose code has this digest."""
    c = t.voucher.c
    found: str | None = await connection.scalar(select(c.id).where(c.tenant_id == tenant_id, c.digest == digest))
    return found


async def page(
    connection: AsyncConnection, tenant_id: int, batch: str | None, limit: int, before_id: str | None
) -> list[VoucherRow]:
    """The tenant's vouchers, or one batch's, newest first; only those before the row `before_id`, if given."""
    c = t.voucher.c
    statement = _select(tenant_id)
    if batch is not None:
        statement = statement.where(c.batch == batch)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [_row(row) for row in rows.mappings()]


async def redemptions(connection: AsyncConnection, tenant_id: int, batch: str) -> list[RedemptionRow]:
    """Who redeemed a voucher of this batch, oldest first."""
    r, v, c = t.voucher_redemption.c, t.voucher.c, t.customer.c
    joined = t.voucher_redemption.join(t.voucher, v.id == r.voucher_id).join(t.customer, c.id == r.customer_id)
    statement = select(r.voucher_id, c.email, r.lot_id, r.created_at).select_from(joined)
    statement = statement.where(r.tenant_id == tenant_id, v.tenant_id == tenant_id, v.batch == batch)
    rows = await connection.execute(statement.order_by(r.created_at, r.lot_id))
    return [RedemptionRow(**row) for row in rows.mappings()]


async def revoke(connection: AsyncConnection, tenant_id: int, voucher_id: str, at: int) -> None:
    """Let a voucher be redeemed no longer."""
    c = t.voucher.c
    statement = update(t.voucher).where(c.tenant_id == tenant_id, c.id == voucher_id, c.revoked_at.is_(None))
    await connection.execute(statement.values(revoked_at=at))


def _select(tenant_id: int) -> Any:
    columns = [t.voucher.c[name] for name in VoucherRow.__struct_fields__]
    return select(*columns).where(t.voucher.c.tenant_id == tenant_id)


def _row(row: Any) -> VoucherRow:
    return VoucherRow(**{**row, "models": tuple(row["models"])})
