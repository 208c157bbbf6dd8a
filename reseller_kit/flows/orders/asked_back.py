"""A customer asks for its money back: sees what that would come to, and begins a case. Refunds nothing."""

from __future__ import annotations

from msgspec import Struct

from ...core.refund_terms import Bought, RefundTerms, refund_terms
from ...core.storefront import Storefront
from ...db import lots, payment_refunds, support
from ...db.engine import Database, now_us
from ...db.orders import Order
from ...db.payment_refunds import Refund
from ...db.support import Case
from ..support import NewCase, open_case

_UNDECIDED = frozenset({"asked", "pending"})


class RefundOffer(Struct, frozen=True, kw_only=True):
    """What the customer may expect; `pending`: refunds on their way; `case`: the open case about the order, if any."""

    terms: RefundTerms
    pending: tuple[Refund, ...]
    case: str


async def refund_offer(db: Database, order: Order) -> RefundOffer:
    """What a customer may expect of a refund of its order now."""
    async with db.read(order.tenant_id) as connection:
        lot = None if order.lot_id is None else await lots.find_lot(connection, order.tenant_id, order.lot_id)
        refunds = await payment_refunds.of_order(connection, order.tenant_id, order.id)
        case = await support.open_about(connection, order.tenant_id, order.customer_id, order.id)
    pending = tuple(one for one in refunds if one.state in _UNDECIDED)
    bought = Bought(
        state=order.state,
        terms=order.terms,
        paid_at=order.paid_at,
        price=order.price_nano,
        refunded=order.refunded_nano,
        credits=0 if lot is None else lot.amount,
        taken=0 if lot is None else lot.taken,
        free=0 if lot is None else lot.free,
        pending=order.price_nano - order.refunded_nano if pending else 0,
    )
    return RefundOffer(terms=refund_terms(bought, now_us()), pending=pending, case=case or "")


async def ask_back(db: Database, storefront: Storefront, order: Order, *, subject: str, body: str) -> Case:
    """A case about the order, for the team to decide. Raises InvalidForm for an empty text or too many open cases."""
    return await open_case(db, storefront, order.customer_id, NewCase(subject=subject, body=body, about=order.id))
