"""The audit's checks of orders: one grant for each that was paid, and none for any other. Runs none of them.

Statements in the form of `operator_checks_credit`. An order between its grant and the note of it is neither.
"""

from __future__ import annotations

from sqlalchemy import and_, func, or_, select

from ..core.order import CREDITED
from ..core.tenant import RESERVED_SLUGS
from . import tables as t
from .operator_audit import Rows, of_tenant

b, o, x = t.clawback.c, t.purchase_order.c, t.txn.c
Found = tuple[str, int, str, Rows]
"""Code, invariant, message, statement."""
_GRANTING = ("paid", "activation_failed")


def order_checks(tenant_id: int | None) -> list[Found]:
    """Every check of this module. The platform's own orders grant no credit of a customer."""
    lot = t.lot
    shops = select(t.tenant.c.id).where(t.tenant.c.slug.not_in(RESERVED_SLUGS))
    credited = and_(o.state.in_(sorted(CREDITED)), o.lot_id.is_not(None))
    joined = t.purchase_order.outerjoin(lot, and_(lot.c.id == o.lot_id, lot.c.tenant_id == o.tenant_id))
    amount = func.coalesce(lot.c.amount_nano, 0)
    unlike = select(o.id.label("ref"), amount.label("found"), o.credits_nano.label("expected")).select_from(joined)
    unlike = unlike.where(credited, o.tenant_id.in_(shops), amount != o.credits_nano)
    bare = select(o.id.label("ref")).where(o.state == "activated", o.lot_id.is_(None), o.tenant_id.in_(shops))
    granted = (x.code == "grant", x.ref >= "ord_", x.ref < "ord`")
    times = select(x.ref.label("ref")).where(*granted).group_by(x.tenant_id, x.ref)
    twice = times.having(func.count() > 1)
    buyer = t.txn.outerjoin(t.purchase_order, and_(o.id == x.ref, o.tenant_id == x.tenant_id))
    unsold = select(x.ref.label("ref")).select_from(buyer)
    unsold = unsold.where(*granted, or_(o.id.is_(None), and_(o.lot_id.is_(None), o.state.not_in(_GRANTING))))
    taken = b.free_nano + b.expired_nano + b.debt_nano
    back = t.purchase_order.join(t.clawback, b.lot_id == o.lot_id)
    unpaid = select(o.id.label("ref"), taken.label("found")).select_from(back)
    unpaid = unpaid.where(o.refunded_nano == 0, taken > 0, o.settled_version >= o.facts_version)
    ours, txns = t.purchase_order, t.txn
    found = (
        ("order_grant_differs", 14, "It was credited {found}, and sold as {expected}.", unlike, ours),
        ("order_without_grant", 14, "It counts as credited, and nothing was granted.", bare, ours),
        ("order_granted_twice", 14, "It was credited more than once.", twice, txns),
        ("grant_without_order", 14, "Credit was granted for an order that is not paid.", unsold, txns),
        ("clawback_without_refund", 16, "Of its credit {found} was taken, and nothing went back.", unpaid, ours),
    )
    return [(code, number, text, of_tenant(rows, table, tenant_id)) for code, number, text, rows, table in found]
