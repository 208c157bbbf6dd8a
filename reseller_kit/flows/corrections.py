"""Reversing the charge of a call on the operator's word. Leaves the usage record as it is."""

from __future__ import annotations

from msgspec import Struct

from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.ids import is_public_id, new_id
from ..core.ledger import DEBT, CallReversal, call_txn_id, charged_parts
from ..core.money import format_amount
from ..db import audit_log
from ..db.calls import CallFacts, find_call
from ..db.engine import NO_TENANT, Database, now_us
from ..db.ledger import Posted, ReverseCall
from .credits import post
from .tenants import require_tenant


class Reversed(Struct, frozen=True):
    """A reversed charge: what was posted, and of how much the reversed part is."""

    posted: Posted
    request_id: str
    charge: int


async def reverse_charge(
    db: Database, *, tenant_slug: str, request_id: str, amount: int | None, reason: str, actor: str
) -> Reversed:
    """Give a call's charge, or `amount` of it, back to the lots it came from, last consumed first.

    Wholesale follows in proportion, rounded down; what the upstream is owed stays. Once a call: raises Conflict when
    it was done before, NotFound for a call that is not the tenant's, and InvalidRequest for more than was charged.
    """
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        call = await find_call(connection, tenant.id, request_id) if is_public_id(request_id, "req") else None
    if call is None:
        raise NotFound(
            f"There is no call {request_id[:80]!r} at tenant {tenant.slug}.",
            fix=f"See: reseller-kit usage list --tenant {tenant.slug}",
        )
    wanted = _part(call, request_id, amount)
    request = CallReversal(
        request_id=request_id,
        txn_id=new_id("txn"),
        reverses=call_txn_id(request_id),
        tenant_id=tenant.id,
        wallet_id=call.wallet_id,
        amount=wanted,
        charge=call.retail,
        parts=tuple(_consumed(call)),
        entries=call.entries,
        at=now_us(),
        new_lot_id=new_id("lot"),
    )
    posted = await post(db, ReverseCall(request))
    facts = {"id": posted.id, "amount": format_amount(wanted), "call": request_id, "reason": reason}
    async with db.write(tenant.id) as connection:
        await audit_log.record(
            connection, tenant.id, actor, "credit.reverse", "customer", call.customer_id, after=facts
        )
    return Reversed(posted, request_id, call.retail)


def _part(call: CallFacts, request_id: str, amount: int | None) -> int:
    if call.state == "open":
        raise Conflict(f"The call {request_id} is still under way.", fix="Try again when it has ended.")
    if not call.retail:
        raise InvalidRequest(f"The call {request_id} was charged nothing.", fix="There is nothing to reverse.")
    if amount is None:
        return call.retail
    if not 0 < amount <= call.retail:
        raise InvalidRequest(
            f"{format_amount(amount)} is not a part of the charge of {format_amount(call.retail)}.",
            param="amount",
            fix="Give an amount above 0 and up to the charge, or none for all of it.",
        )
    return amount


def _consumed(call: CallFacts) -> list[tuple[str, int]]:
    overage = call.overage
    if overage is None:
        # Calls of versions that did not note it: what went beyond the hold comes back as what was owed.
        overage = [(DEBT, max(0, call.retail - sum(amount for _, amount in call.allocations)))]
    return charged_parts(call.allocations, overage, call.retail)
