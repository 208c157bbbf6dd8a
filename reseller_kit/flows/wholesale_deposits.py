"""What an order does that tops up a reseller's account with the operator: deposit once, give back, tell of it.

Places no order; that is `wholesale_topup`.
"""

from __future__ import annotations

from typing import Final

from ..core.errors import LedgerFault, ServiceUnavailable
from ..core.ids import new_id
from ..core.ledger import HoldRefused, WholesaleMove, refund_target
from ..core.money import format_amount
from ..core.settlement import Target
from ..core.times import SECOND_US
from ..core.wholesale import wholesale_terms
from ..db import accounts, audit_log, operator, outbox, statements
from ..db.accounts import Balance
from ..db.engine import EVERY_TENANT, Connection, Database, now_us
from ..db.ledger import LedgerWriter, MoveWholesale, Posted
from ..db.orders import Order
from ..db.tenants import Tenant
from .credits import idempotency

_REFUSED_US: Final = 60 * SECOND_US


async def deposit_order(db: Database, ledger: LedgerWriter, order: Order) -> Posted:
    """Credit the reseller's account with a paid order, once under the order's id."""
    beneficiary, account = await _account(db, order)
    move = WholesaleMove(
        txn_id=new_id("txn"),
        tenant_id=beneficiary.id,
        wallet_id=account.wallet_id,
        amount=order.credits_nano,
        at=now_us(),
        ref=order.id,
    )
    once = idempotency("order", order.id, [beneficiary.id, order.credits_nano])
    outcome = await ledger.submit(MoveWholesale(move, once))
    if not isinstance(outcome, Posted):
        raise LedgerFault("The ledger did not answer a deposit with what it posted.")
    return outcome


async def take_back_topup(db: Database, ledger: LedgerWriter, order: Order, wanted: Target) -> None:
    """Bring what refunds have taken of a top-up to the payment's share, down or up, as far as the account has it.

    What has been used is owed outside of the ledger; the audit log says how much. Raises ServiceUnavailable where a
    call took of it meanwhile; whoever settles again finds what is left.
    """
    if order.lot_id is None or not wanted.paid:
        return
    beneficiary, account = await _account(db, order)
    async with db.read(beneficiary.id) as connection:
        taken = -await statements.moved_by(
            connection, beneficiary.id, account.wallet_id, "refund", order.id, order.created_at
        )
    missing = refund_target(order.credits_nano, paid=wanted.paid, refunded=wanted.refunded) - taken
    part = min(missing, max(0, account.balance - account.reserved))
    if part:
        now = now_us()
        move = WholesaleMove(
            txn_id=new_id("txn"),
            tenant_id=beneficiary.id,
            wallet_id=account.wallet_id,
            amount=-part,
            at=now,
            ref=order.id,
            code="refund",
        )
        # The ledger remembers a refusal as well: it holds for these minutes, not for ever.
        once = idempotency("order.refund", f"{order.id}:{taken}:{part}:{now // _REFUSED_US}", [])
        if isinstance(await ledger.submit(MoveWholesale(move, once)), HoldRefused):
            raise ServiceUnavailable("The account that is to give back is in use.", fix="Try again in a moment.")
    if missing > part:
        await _note_short(db, order, missing - part)


async def _note_short(db: Database, order: Order, missing: int) -> None:
    """The audit log says what of a refund the account did not have: once, and again when that is another amount."""
    action, facts = "wholesale.refund_short", {"missing": format_amount(missing)}
    async with db.write(order.tenant_id) as connection:
        noted = await audit_log.latest(connection, order.tenant_id, action, order.id)
        if noted is None or noted[1] != facts:
            await audit_log.record(connection, order.tenant_id, "sweep", action, "order", order.id, after=facts)


async def tell_of_deposit(connection: Connection, order: Order, balance: int, now: int) -> None:
    """Whoever paid reads that it arrived; in the transaction of the order's new state."""
    beneficiary = await operator.tenant_by_id(connection, order.beneficiary_id or 0)
    if beneficiary is None:
        return
    await outbox.add(
        connection,
        order.tenant_id,
        kind="wholesale_topped_up",
        recipient=order.email,
        payload={
            "storefront": beneficiary.name,
            "amount": format_amount(order.credits_nano),
            "balance": format_amount(balance),
            "order": order.id,
        },
        dedupe=f"wholesale_topped_up:{order.id}",
        now=now,
    )


async def _account(db: Database, order: Order) -> tuple[Tenant, Balance]:
    """The reseller that an order is for, and the account that its calls draw on."""
    async with db.read(EVERY_TENANT) as connection:
        beneficiary = await operator.tenant_by_id(connection, order.beneficiary_id or 0)
        if beneficiary is None:
            raise LookupError(f"{order.id} names a reseller that is not there")
        settlement = wholesale_terms(beneficiary.settings).settlement
        return beneficiary, await accounts.drawn_on(connection, beneficiary.id, settlement)
