"""Vouchers of a tenant and who redeemed them. Never holds a code; redeeming is the ledger writer's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import and_, case, func, insert, or_, select, update
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


class BatchRow(Struct, frozen=True, kw_only=True):
    """A batch of vouchers, all on the same terms. Amount in nano-USD, times in µs.

    `open`: how many of its `count` can still be redeemed; `redeemed`: how often they were;
    `last_id`: its newest voucher.
    """

    batch: str
    count: int
    open: int
    redeemed: int
    amount_nano: int
    valid_days: int | None
    expires_at: int | None
    max_redemptions: int
    created_at: int
    last_id: str


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


async def batches(
    connection: AsyncConnection, tenant_id: int, now: int, limit: int, before_id: str | None, batch: str | None = None
) -> list[BatchRow]:
    """The tenant's batches as they are at `now`, newest first, or the one named; only those before `before_id`."""
    c = t.voucher.c
    can = and_(c.revoked_at.is_(None), c.redeemed < c.max_redemptions, or_(c.expires_at.is_(None), c.expires_at > now))
    last = func.max(c.id)
    statement = select(
        c.batch,
        func.count().label("count"),
        func.sum(case((can, 1), else_=0)).label("open"),
        func.sum(c.redeemed).label("redeemed"),
        *(func.max(c[name]).label(name) for name in ("amount_nano", "valid_days", "expires_at", "max_redemptions")),
        func.max(c.created_at).label("created_at"),
        last.label("last_id"),
    ).where(c.tenant_id == tenant_id)
    if batch is not None:
        statement = statement.where(c.batch == batch)
    statement = statement.group_by(c.batch)
    if before_id is not None:
        statement = statement.having(last < before_id)
    rows = await connection.execute(statement.order_by(last.desc()).limit(limit))
    whole = ("open", "redeemed")
    return [BatchRow(**{**row, **{name: int(row[name]) for name in whole}}) for row in rows.mappings()]


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


async def revoke_batch(connection: AsyncConnection, tenant_id: int, batch: str, at: int) -> int:
    """Let no voucher of the batch be redeemed any longer; how many that changes."""
    c = t.voucher.c
    statement = update(t.voucher).where(
        c.tenant_id == tenant_id, c.batch == batch, c.revoked_at.is_(None), c.redeemed < c.max_redemptions
    )
    return (await connection.execute(statement.values(revoked_at=at))).rowcount


def _select(tenant_id: int) -> Any:
    columns = [t.voucher.c[name] for name in VoucherRow.__struct_fields__]
    return select(*columns).where(t.voucher.c.tenant_id == tenant_id)


def _row(row: Any) -> VoucherRow:
    return VoucherRow(**{**row, "models": tuple(row["models"])})
