"""What the audit reads and checks of revenue shares and payouts. Judges nothing, runs no check."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import and_, exists, func, or_, select

from . import tables as t
from .operator_audit import Check, Connection, Rows, of_tenant

a, e, o, p, w = t.account.c, t.entry.c, t.lot.c, t.payout.c, t.archived_usage.c


class Share(Struct, frozen=True, kw_only=True):
    """A reseller's revenue share. Nano-USD.

    `accrued`: of all lots of its customers; `archived`: what its archived calls were charged at wholesale.
    """

    account_id: int
    balance: int
    accrued: int
    archived: int


async def shares(connection: Connection, tenant_id: int | None) -> list[Share]:
    """Every revenue share, one a tenant."""
    lots = of_tenant(select(o.tenant_id, func.sum(o.accrued_nano)).where(o.accrued_nano != 0), t.lot, tenant_id)
    accrued = {row[0]: int(row[1]) for row in await connection.execute(lots.group_by(o.tenant_id))}
    calls = of_tenant(select(w.reseller_wallet_id, func.sum(w.wholesale_nano)), t.archived_usage, tenant_id)
    archived = {row[0]: int(row[1]) for row in await connection.execute(calls.group_by(w.reseller_wallet_id))}
    accounts = select(a.id, a.tenant_id, a.balance_nano).where(a.kind == "reseller_accrual").order_by(a.id)
    return [
        Share(
            account_id=row.id,
            balance=row.balance_nano,
            accrued=accrued.get(row.tenant_id, 0),
            archived=archived.get(row.id, 0),
        )
        for row in await connection.execute(of_tenant(accounts, t.account, tenant_id))
    ]


def share_checks(tenant_id: int | None) -> list[Check]:
    """A lot's cash does not accrue twice; payouts are posted."""
    lots = select(o.id.label("ref"), o.accrued_nano.label("found"), o.cash_nano.label("expected"))
    paying = exists().where(
        e.txn_id == p.txn_id, e.account_id == a.id, a.kind == "reseller_accrual", e.amount_nano == -p.amount_nano
    )
    is_posted = p.state.in_(("approved", "paid"))
    amiss = or_(and_(is_posted, ~paying), and_(~is_posted, p.txn_id.is_not(None)))
    return [
        _check(
            "accrued_beyond_cash",
            5,
            "{found} accrued of a lot behind which there are {expected}.",
            of_tenant(lots.where(or_(o.accrued_nano < 0, o.accrued_nano > o.cash_nano)), t.lot, tenant_id),
        ),
        _check(
            "payout_differs",
            1,
            "The payout's state and amount are not those of what was posted.",
            of_tenant(select(p.id.label("ref")).where(amiss), t.payout, tenant_id),
        ),
    ]


def _check(code: str, invariant: int, message: str, statement: Rows) -> Check:
    return Check(code=code, invariant=invariant, message=message, statement=statement)
