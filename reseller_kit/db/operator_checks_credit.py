"""The audit's checks of corrections: reversals, clawbacks, vouchers, overages. Runs none of them.

Statements in the form of `operator_checks`, for the rows that calls don't write.
"""

from __future__ import annotations

from sqlalchemy import and_, func, or_, select

from . import tables as t
from .operator_audit import Rows, of_tenant

b, g, h, o, r, u, v, x = (
    t.clawback.c,
    t.overage.c,
    t.hold.c,
    t.lot.c,
    t.voucher_redemption.c,
    t.usage_record.c,
    t.voucher.c,
    t.txn.c,
)
Found = tuple[str, int, str, Rows]
"""Code, invariant, message, statement."""


def credit_checks(tenant_id: int | None, first_id: str = "") -> list[Found]:
    """Every check of this module. Calls with ids before `first_id` are archived, with their holds."""
    return [
        *_reversals(tenant_id),
        *_clawbacks(tenant_id),
        *_overages(tenant_id, first_id),
        *_vouchers(tenant_id),
    ]


def _reversals(tenant_id: int | None) -> list[Found]:
    charged, back, call = t.entry.alias("charged"), t.entry.alias("back"), t.txn.alias("call")
    joined = (
        t.txn.outerjoin(call, and_(call.c.id == x.reverses, call.c.tenant_id == x.tenant_id))
        .outerjoin(charged, and_(charged.c.txn_id == call.c.id, charged.c.account_id == x.wallet_id))
        .outerjoin(back, and_(back.c.txn_id == x.id, back.c.account_id == x.wallet_id))
    )
    charge, returned = func.coalesce(-charged.c.amount_nano, 0), func.coalesce(back.c.amount_nano, 0)
    beyond = select(x.id.label("ref"), returned.label("found"), charge.label("expected")).select_from(joined)
    beyond = beyond.where(x.reverses.is_not(None), or_(returned > charge, returned <= 0))
    return [
        (
            "reversal_exceeds_charge",
            1,
            "It gives back {found} of a charge of {expected}.",
            of_tenant(beyond, t.txn, tenant_id),
        )
    ]


def _clawbacks(tenant_id: int | None) -> list[Found]:
    taken, from_lot = b.free_nano + b.expired_nano + b.debt_nano, b.free_nano + b.expired_nano
    joined = t.clawback.outerjoin(t.lot, and_(o.id == b.lot_id, o.tenant_id == b.tenant_id))
    granted, clawed = func.coalesce(o.amount_nano, 0), func.coalesce(o.clawed_back_nano, 0)
    beyond = select(b.lot_id.label("ref"), taken.label("found"), granted.label("expected")).select_from(joined)
    beyond = beyond.where(or_(taken > granted, b.free_nano < 0, b.expired_nano < 0, b.debt_nano < 0))
    unlike = select(b.lot_id.label("ref"), from_lot.label("found"), clawed.label("expected")).select_from(joined)
    return [
        (
            "clawback_exceeds_grant",
            5,
            "Refunds took {found} of a grant of {expected}, or a part is negative.",
            of_tenant(beyond, t.clawback, tenant_id),
        ),
        (
            "clawback_differs_from_lot",
            5,
            "Refunds took {found} out of the lot, which counts only {expected} as taken.",
            of_tenant(unlike.where(from_lot > clawed), t.clawback, tenant_id),
        ),
    ]


def _overages(tenant_id: int | None, first_id: str) -> list[Found]:
    joined = t.overage.outerjoin(t.hold, and_(h.request_id == g.request_id, h.tenant_id == g.tenant_id))
    joined = joined.outerjoin(t.usage_record, u.id == g.request_id)
    statement = select(g.request_id.label("ref")).select_from(joined)
    statement = statement.where(or_(h.request_id.is_(None), u.id.is_(None), u.retail_nano <= h.retail_nano))
    statement = statement.where(g.request_id >= first_id)
    return [
        (
            "overage_without_charge",
            8,
            "An overage is noted, but the call was charged no more than its hold.",
            of_tenant(statement, t.overage, tenant_id),
        )
    ]


def _vouchers(tenant_id: int | None) -> list[Found]:
    made = select(r.voucher_id, func.count().label("total")).group_by(r.voucher_id).subquery()
    total = func.coalesce(made.c.total, 0)
    counted = select(v.id.label("ref")).select_from(t.voucher.outerjoin(made, made.c.voucher_id == v.id))
    counted = counted.where(or_(v.redeemed != total, v.redeemed > v.max_redemptions))
    joined = t.voucher_redemption.outerjoin(t.lot, and_(o.id == r.lot_id, o.tenant_id == r.tenant_id))
    joined = joined.outerjoin(t.voucher, and_(v.id == r.voucher_id, v.tenant_id == r.tenant_id))
    strays = select(r.lot_id.label("ref")).select_from(joined)
    strays = strays.where(or_(o.id.is_(None), v.id.is_(None), o.kind != "voucher", o.amount_nano != v.amount_nano))
    return [
        (
            "voucher_miscounted",
            14,
            "The voucher was redeemed more often than it counts or may be.",
            of_tenant(counted, t.voucher, tenant_id),
        ),
        (
            "redemption_without_lot",
            14,
            "The redemption is not backed by a lot of its voucher's worth.",
            of_tenant(strays, t.voucher_redemption, tenant_id),
        ),
    ]
