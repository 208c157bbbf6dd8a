"""What went back of a payment takes its share of the credit; what may still go back is held. Asks no provider."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

from ...core.errors import Conflict, InvalidRequest
from ...core.ids import new_id
from ...core.ledger import refund_target
from ...core.payment import Adjustment
from ...core.settlement import Target
from ...db import lots, payment_refunds
from ...db.engine import Database, now_us
from ...db.ledger import LedgerWriter
from ...db.orders import Order
from ...db.payment_facts import FactRow
from ...db.payment_refunds import Refund
from ..refunds import Payment, claw_back, hold_refund, resolve_refund
from ..wholesale_deposits import take_back_topup
from .shapes import fact_of

_REJECTED: Final = "the provider rejected it"


async def take_back(db: Database, ledger: LedgerWriter, order: Order, wanted: Target, rows: Sequence[FactRow]) -> None:
    """Bring the order's lot, and the holds of its refunds, to what is known. Repeating is harmless."""
    if not any(row.kind == "adjustment" for row in rows):
        return
    await _note_pending(db, order, wanted, rows)
    async with db.read(order.tenant_id) as connection:
        refunds = await payment_refunds.of_order(connection, order.tenant_id, order.id)
    if order.lot_id is not None and wanted.paid and order.beneficiary_id is None:
        await _hold(db, ledger, order, wanted, refunds)
    decided = {(row.provider, row.ref): row.status for row in rows if row.kind == "adjustment"}
    for refund in refunds:
        status = decided.get((refund.provider, refund.adjustment_ref or ""), "pending")
        if refund.state == "pending" and status != "pending":
            await _resolve(db, ledger, order, wanted, refund, went_through=status != "rejected")
    if order.beneficiary_id is not None:
        await take_back_topup(db, ledger, order, wanted)
    elif order.lot_id is not None and wanted.paid:
        await _claw_back(db, ledger, order, wanted)


async def release(db: Database, ledger: LedgerWriter, tenant_id: int, refund: Refund) -> None:
    """Set free what a refund that does not come about has held."""
    async with db.read(tenant_id) as connection:
        held = await lots.lot_of_refund(connection, tenant_id, refund.id)
    if held is not None:
        none = Payment(paid=1, refunded=0)
        await resolve_refund(db, ledger, tenant_id, refund.id, none, went_through=False, ref=refund.order_id)


async def hold(db: Database, ledger: LedgerWriter, order: Order, payment: Payment, refund_id: str) -> None:
    """Keep aside what a refund would take, as far as there is something left to keep."""
    if order.lot_id is not None and payment.paid and order.beneficiary_id is None:
        try:
            await hold_refund(db, ledger, order.tenant_id, order.lot_id, payment, refund_id=refund_id)
        except InvalidRequest:
            return


async def _note_pending(db: Database, order: Order, wanted: Target, rows: Sequence[FactRow]) -> None:
    """Each refund that a provider has not decided on has a row, ours or one made for it."""
    pending = {one.ref: one for one in wanted.gone.pending if one.total > 0}
    for row in rows:
        adjustment = fact_of(row) if row.kind == "adjustment" and row.ref in pending else None
        if not isinstance(adjustment, Adjustment):
            continue
        now = now_us()
        refund = Refund(
            id=new_id("rfd"),
            order_id=order.id,
            provider=row.provider,
            payment_ref=adjustment.payment_ref,
            adjustment_ref=adjustment.ref,
            minor=adjustment.total,
            currency=adjustment.currency,
            note=adjustment.reason[:200],
            actor=f"provider:{row.provider}",
            state="pending",
            due_at=now,
            created_at=now,
        )
        async with db.write(order.tenant_id) as connection:
            await payment_refunds.add(connection, order.tenant_id, refund)


async def _hold(db: Database, ledger: LedgerWriter, order: Order, wanted: Target, refunds: Sequence[Refund]) -> None:
    pending = {one.ref for one in wanted.gone.pending}
    so_far = wanted.refunded
    for refund in refunds:
        if refund.state == "pending" and refund.adjustment_ref in pending:
            so_far = min(so_far + refund.minor, wanted.paid)
            await hold(db, ledger, order, Payment(paid=wanted.paid, refunded=so_far), refund.id)


async def _resolve(
    db: Database, ledger: LedgerWriter, order: Order, wanted: Target, refund: Refund, *, went_through: bool
) -> None:
    """The provider decided: the hold is consumed by the clawback or released, and the row says so."""
    async with db.read(order.tenant_id) as connection:
        held = await lots.lot_of_refund(connection, order.tenant_id, refund.id)
    if held is not None:
        payment = Payment(paid=max(wanted.paid, 1), refunded=wanted.refunded)
        # Where it was decided otherwise before, the clawback behind this has the last word.
        with contextlib.suppress(Conflict):
            await resolve_refund(
                db, ledger, order.tenant_id, refund.id, payment, went_through=went_through, ref=order.id
            )
    ended: dict[str, Any] = {"state": "approved"}
    if not went_through:
        ended = {"state": "rejected", "error": _REJECTED}
    async with db.write(order.tenant_id) as connection:
        await payment_refunds.change(connection, order.tenant_id, refund.id, "pending", **ended, ended_at=now_us())


async def _claw_back(db: Database, ledger: LedgerWriter, order: Order, wanted: Target) -> None:
    if order.lot_id is None:
        return
    async with db.read(order.tenant_id) as connection:
        lot = await lots.find_lot(connection, order.tenant_id, order.lot_id)
    if lot is None:
        raise LookupError(f"{order.id} names a lot that is not there")
    if lot.taken != refund_target(lot.amount, paid=wanted.paid, refunded=wanted.refunded):
        payment = Payment(paid=wanted.paid, refunded=wanted.refunded)
        await claw_back(db, ledger, order.tenant_id, order.lot_id, payment, ref=order.id)
