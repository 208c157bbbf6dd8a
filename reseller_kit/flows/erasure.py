"""Use case of the operator: a customer's personal data taken out, on request, while the books stay whole.

What customers do themselves, with two weeks to think it over, is `flows.identity.closing`.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ..core.errors import Conflict
from ..core.money import format_amount
from ..db import audit_log, erasure, revisions, unsettled
from ..db.engine import NO_TENANT, Connection, Database, now_us
from ..db.unsettled import Unsettled
from .customers import require_customer
from .tenants import require_tenant

ACTION: Final = "customer.erase"
_ENDS: Final = {
    "call": "Wait for its end: it holds credit.",
    "order": "Decide on it: reseller-kit order show {id}",
    "refund": "Wait for the provider's answer.",
    "subscription": "reseller-kit subscription cancel {id}",
    "checkout": "reseller-kit order reject {id} --reason REASON",
    "payout": "reseller-kit payout mark-paid {id}, or reject",
}


class Wanted(Struct, frozen=True, kw_only=True):
    """How it is to be done. `keep_receipts`: they keep their buyer; `leave_credit`: what is unspent stays behind."""

    keep_receipts: bool = False
    leave_credit: bool = False
    dry_run: bool = False


class Erased(Struct, frozen=True, kw_only=True):
    """What was taken out, or would be: rows by table.

    `left`: rows by table where an address still stands, in words of the books. `credit`: nano-USD that stay behind.
    """

    customer_id: str
    dry_run: bool
    rows: dict[str, int]
    left: dict[str, int]
    credit: int


class _WouldDo(Exception):  # no error: it takes a dry run back
    def __init__(self, found: Erased) -> None:
        self.found = found


async def erase_customer(db: Database, tenant_slug: str, reference: str, wanted: Wanted, *, actor: str) -> Erased:
    """Take a customer's personal data out of everything, at once and for good.

    An account deleted before may be named by its id: then what that left goes, too.

    Raises NotFound, and Conflict while something of the customer's is under way or credit is unspent.
    """
    try:
        async with db.write(NO_TENANT) as connection:
            tenant = await require_tenant(connection, tenant_slug)
            customer = await require_customer(connection, tenant, reference)
            found = await _erase(connection, tenant.id, customer.id, wanted, actor)
            if wanted.dry_run:
                raise _WouldDo(found)
            return found
    except _WouldDo as would:
        return would.found


async def _erase(connection: Connection, tenant_id: int, customer_id: str, wanted: Wanted, actor: str) -> Erased:
    who = await erasure.person(connection, tenant_id, customer_id)
    if who is None:
        raise LookupError(f"{customer_id} went while it was looked at")
    refuse_unsettled(await unsettled.of_customer(connection, tenant_id, customer_id), "The customer can't be erased")
    credit = await unsettled.credit_of(connection, tenant_id, who.wallet_id)
    if credit > 0 and who.status != "deleted" and not (wanted.leave_credit or wanted.dry_run):
        raise Conflict(
            f"The customer has {format_amount(credit)} USD of credit, which nobody could spend any more.",
            fix="Refund it first, or leave it in the books with --leave-credit.",
        )
    rows = await erasure.erase(connection, tenant_id, who, now_us(), receipts=not wanted.keep_receipts)
    left = await erasure.traces(connection, tenant_id, who)
    facts = {"rows": rows, "left": left, "credit": format_amount(credit), "receipts_kept": wanted.keep_receipts}
    await audit_log.record(connection, tenant_id, actor, ACTION, "customer", customer_id, after=facts)
    await revisions.bump(connection, "customer", customer_id)
    return Erased(customer_id=customer_id, dry_run=wanted.dry_run, rows=rows, left=left, credit=credit)


def refuse_unsettled(found: list[Unsettled], problem: str) -> None:
    """Raises Conflict that names each thing under way with what ends it."""
    if found:
        raise Conflict(
            f"{problem} while something is under way: {found[0].what} {found[0].id}.",
            fix="End each of them first, then run it again.",
            details=[{"what": one.what, "id": one.id, "fix": _ENDS[one.what].format(id=one.id)} for one in found],
        )
