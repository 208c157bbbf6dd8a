"""The operator's reads across tenants for revenue shares: payouts, and cash that has not accrued. Changes nothing."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import Double, cast, select
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .payouts import Payout

_ALMOST: Final = 0.999


class NamedPayout(Struct, frozen=True):
    """A payout with its tenant's slug, and the company that it goes to as far as it is known."""

    payout: Payout
    tenant: str
    company: str


class LotToAccrue(Struct, frozen=True, kw_only=True):
    """A lot whose used-up part has cash that the reseller was not credited with, or was and should not be."""

    id: str
    tenant_id: int
    wallet_id: int
    share_id: int


async def payouts(
    connection: AsyncConnection, limit: int | None, before_id: str | None, approved_since: int | None = None
) -> list[NamedPayout]:
    """Payouts of every tenant, newest first; only those that were approved, from then on, if that is given."""
    statement = select(t.payout, t.tenant.c.slug, t.tenant.c.name, t.tenant.c.settings).join(
        t.tenant, t.tenant.c.id == t.payout.c.tenant_id
    )
    if before_id is not None:
        statement = statement.where(t.payout.c.id < before_id)
    if approved_since is not None:
        statement = statement.where(t.payout.c.approved_at >= approved_since)
    rows = await connection.execute(statement.order_by(t.payout.c.id.desc()).limit(limit))
    found = []
    for row in rows.mappings():
        legal = row["settings"].get("brand", {}).get("legal", {})
        payout = Payout(**{name: row[name] for name in Payout.__struct_fields__})
        found.append(NamedPayout(payout, row["slug"], legal.get("company") or row["name"]))
    return found


async def tenant_of_payout(connection: AsyncConnection, payout_id: str) -> tuple[int, str] | None:
    """The id and slug of the tenant that a payout belongs to."""
    statement = select(t.tenant.c.id, t.tenant.c.slug).join(t.payout, t.payout.c.tenant_id == t.tenant.c.id)
    row = (await connection.execute(statement.where(t.payout.c.id == payout_id))).one_or_none()
    return None if row is None else (row.id, row.slug)


async def lots_to_accrue(
    connection: AsyncConnection, tenant_id: int | None, limit: int, after_id: str
) -> list[LotToAccrue]:
    """Paid lots behind `after_id` whose accrual may not fit what is used up of them, in order of id.

    The database compares in floating point, which can only name a lot too many; the ledger decides in integers.
    """
    x, a = t.lot.c, t.account.c
    due = cast(x.cash_nano, Double) * (x.consumed_nano + x.expired_nano)
    amount = cast(x.amount_nano, Double)
    statement = (
        select(x.id, x.tenant_id, x.wallet_id, a.id.label("share_id"))
        .join(t.account, (a.tenant_id == x.tenant_id) & (a.kind == "reseller_accrual"))
        .where(
            x.cash_nano > 0,
            x.id > after_id,
            (due >= (x.accrued_nano + _ALMOST) * amount) | (due < (x.accrued_nano - 1 + _ALMOST) * amount),
        )
    )
    if tenant_id is not None:
        statement = statement.where(x.tenant_id == tenant_id)
    rows = await connection.execute(statement.order_by(x.id).limit(limit))
    return [LotToAccrue(**row) for row in rows.mappings()]
