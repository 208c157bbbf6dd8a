"""What refunds and chargebacks do to the credit that was bought. Asks no payment provider; that is `payments`.

Every function is given cumulative gross amounts of one payment in the smallest unit of its currency, so deliveries
that repeat or overtake each other end in the same state.
"""

from __future__ import annotations

from msgspec import Struct

from ..core.errors import InvalidRequest, LedgerFault, NotFound
from ..core.ids import is_public_id, new_id
from ..core.ledger import Clawback, RefundRequest, refund_target
from ..db import accounts, lots
from ..db.engine import Database, now_us
from ..db.ledger import ClawBack, HoldRefund, Item, LedgerWriter, Posted, ResolveRefund
from ..db.lots import LotFacts


class Payment(Struct, frozen=True, kw_only=True):
    """What was `paid` for a lot and what of it is `refunded` in all, gross, in the smallest unit of one currency."""

    paid: int
    refunded: int


async def claw_back(
    db: Database, ledger: LedgerWriter, tenant_id: int, lot_id: str, payment: Payment, *, ref: str
) -> Posted:
    """Bring what refunds have taken of a lot to the payment's share; the answer's amount is signed.

    A smaller `refunded` than before gives back: a chargeback that was reversed. Raises InvalidRequest when nothing
    was paid, NotFound for a lot that is not the tenant's.
    """
    lot = await _lot(db, tenant_id, lot_id)
    return await _submit(ledger, ClawBack(await _clawback(db, tenant_id, lot, payment, ref)))


async def hold_refund(
    db: Database, ledger: LedgerWriter, tenant_id: int, lot_id: str, payment: Payment, *, refund_id: str | None = None
) -> Posted:
    """Keep the credit aside that a refund would take, while the provider decides; its id is that of the refund.

    `refunded` includes the refund that is asked for. The amount is what could be kept: what was spent becomes debt if
    the refund goes through. Held again under the same `refund_id`, nothing changes. Raises InvalidRequest when nothing
    is left to refund.
    """
    lot = await _lot(db, tenant_id, lot_id)
    wanted = refund_target(lot.amount, paid=payment.paid, refunded=payment.refunded) - lot.taken
    if wanted <= 0:
        raise InvalidRequest("There is nothing left to refund.", fix="Ask for more than was refunded before.")
    async with db.read(tenant_id) as connection:
        reseller = await accounts.reseller_wallet(connection, tenant_id)
    request = RefundRequest(
        refund_id=refund_id or new_id("rfd"),
        tenant_id=tenant_id,
        customer_id=lot.customer_id,
        wallet_id=lot.wallet_id,
        reseller_wallet_id=reseller.wallet_id,
        lot_id=lot.id,
        amount=wanted,
        at=now_us(),
    )
    return await _submit(ledger, HoldRefund(request))


async def resolve_refund(
    db: Database,
    ledger: LedgerWriter,
    tenant_id: int,
    refund_id: str,
    payment: Payment,
    *,
    went_through: bool,
    ref: str,
) -> Posted:
    """The provider's answer to a pending refund: claw back, or set the credit free. Repeating is harmless.

    Raises NotFound for a refund that is not the tenant's, and Conflict when it was answered otherwise before.
    """
    async with db.read(tenant_id) as connection:
        known = is_public_id(refund_id, "rfd")
        lot_id = await lots.lot_of_refund(connection, tenant_id, refund_id) if known else None
    if lot_id is None:
        raise NotFound(f"There is no pending refund {refund_id[:80]!r}.")
    lot = await _lot(db, tenant_id, lot_id)
    request = await _clawback(db, tenant_id, lot, payment, ref)
    return await _submit(ledger, ResolveRefund(refund_id, request, went_through))


async def _lot(db: Database, tenant_id: int, lot_id: str) -> LotFacts:
    async with db.read(tenant_id) as connection:
        lot = await lots.find_lot(connection, tenant_id, lot_id) if is_public_id(lot_id, "lot") else None
    if lot is None:
        raise NotFound(f"There is no lot {lot_id[:80]!r}.")
    return lot


async def _clawback(db: Database, tenant_id: int, lot: LotFacts, payment: Payment, ref: str) -> Clawback:
    async with db.read(tenant_id) as connection:
        share = await accounts.reseller_accrual(connection, tenant_id)
    return Clawback(
        txn_id=new_id("txn"),
        tenant_id=tenant_id,
        wallet_id=lot.wallet_id,
        lot_id=lot.id,
        target=refund_target(lot.amount, paid=payment.paid, refunded=payment.refunded),
        at=now_us(),
        new_lot_id=new_id("lot"),
        ref=ref,
        share_id=share.wallet_id,
    )


async def _submit(ledger: LedgerWriter, item: Item) -> Posted:
    outcome = await ledger.submit(item)
    if not isinstance(outcome, Posted):
        raise LedgerFault("The ledger did not answer a refund with what it posted.")
    return outcome
