"""Use cases of the operator on payouts of revenue shares: request, approve, reject, note as paid, export.

A payout never exceeds what has matured, and approving it posts once, whoever else approves or rejects it meanwhile.
"""

from __future__ import annotations

from typing import Any, Final

from ..core.errors import Conflict, InsufficientCredit, InvalidRequest, LedgerFault, NotFound
from ..core.ids import is_public_id, new_id
from ..core.ledger import WholesaleMove
from ..core.money import CENT_NANO, format_amount
from ..core.paging import Page, Window, after, page_of
from ..core.wholesale import Share, wholesale_terms
from ..db import audit_log, operator_payouts, payouts
from ..db.accounts import reseller_accrual
from ..db.engine import EVERY_TENANT, NO_TENANT, Connection, Database, now_us
from ..db.ledger import PayOut, open_writer
from ..db.operator_payouts import NamedPayout
from ..db.payouts import OPEN, Payout
from ..db.tenants import Tenant
from .accrue import accrue
from .credits import positive, post
from .tenants import require_tenant

_LIST: Final = "payouts"


async def request_payout(db: Database, *, tenant_slug: str, amount: int | None, actor: str) -> NamedPayout:
    """Ask for `amount` nano-USD of what has matured, or for all of it.

    Raises InvalidRequest for a part of a cent, InsufficientCredit for more than may be paid out, or when nothing may.
    """
    if amount is not None:
        positive(amount)
        if amount % CENT_NANO:
            raise InvalidRequest(
                f"{format_amount(amount)} USD is not in whole cents.", fix="Leave out what is below a cent."
            )
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
    await _catch_up(db, tenant.id)
    payout_id, now = new_id("payout"), now_us()
    async with db.write(tenant.id) as connection:
        await payouts.lock_share(connection, tenant.id)
        found = await share_of(connection, tenant, now)
        wanted = found.payable if amount is None else amount
        if wanted <= 0 or wanted > found.payable:
            raise _refusal(found, wanted)
        await payouts.add(connection, tenant.id, payout_id, wanted, now)
        await _note(connection, tenant.id, actor, "payout.request", payout_id, {"amount": format_amount(wanted)})
    return await show_payout(db, payout_id)


async def approve_payout(db: Database, payout_id: str, actor: str) -> NamedPayout:
    """Post a requested payout. Raises Conflict when it is not open, InsufficientCredit when it is not covered now."""
    named = await show_payout(db, payout_id)
    payout = named.payout
    _require_open(payout)
    await _catch_up(db, payout.tenant_id)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, named.tenant)
        found = await share_of(connection, tenant, now_us())
        account = await reseller_accrual(connection, tenant.id)
    # Its own amount is among what is asked for.
    if payout.amount_nano > min(found.matured, found.balance - found.reserved):
        raise _refusal(found, payout.amount_nano)
    move = WholesaleMove(
        txn_id=new_id("txn"),
        tenant_id=tenant.id,
        wallet_id=account.wallet_id,
        amount=-payout.amount_nano,
        at=now_us(),
        ref=payout.id,
        code="payout",
        sink="payouts",
    )
    try:
        await post(db, PayOut(move))
    except LedgerFault:
        # Somebody else was first, if it is not open any more: then nothing was posted here.
        _require_open((await show_payout(db, payout_id)).payout)
        raise
    async with db.write(tenant.id) as connection:
        facts = {"amount": format_amount(payout.amount_nano), "transaction": move.txn_id}
        await _note(connection, tenant.id, actor, "payout.approve", payout.id, facts)
    return await show_payout(db, payout_id)


async def reject_payout(db: Database, payout_id: str, reason: str, actor: str) -> NamedPayout:
    """Close a requested payout without paying it. Raises Conflict when it is not open."""
    payout = (await show_payout(db, payout_id)).payout
    async with db.write(payout.tenant_id) as connection:
        done = await payouts.reject(connection, payout.tenant_id, payout.id, reason, now_us())
        if done:
            await _note(connection, payout.tenant_id, actor, "payout.reject", payout.id, {"reason": reason})
    found = await show_payout(db, payout_id)
    if not done:
        _require_open(found.payout)
    return found


async def mark_payout_paid(db: Database, payout_id: str, reference: str, actor: str) -> NamedPayout:
    """Note the bank's reference of an approved payout. Raises Conflict when it is not approved, or paid already."""
    payout = (await show_payout(db, payout_id)).payout
    async with db.write(payout.tenant_id) as connection:
        done = await payouts.mark_paid(connection, payout.tenant_id, payout.id, reference, now_us())
        if done:
            await _note(connection, payout.tenant_id, actor, "payout.mark_paid", payout.id, {"reference": reference})
    found = await show_payout(db, payout_id)
    if not done:
        raise Conflict(
            f"The payout {payout_id} is {found.payout.state}.", fix="Only a payout that is approved can become paid."
        )
    return found


async def list_payouts(db: Database, tenant_slug: str | None, window: Window) -> Page[NamedPayout]:
    """Payouts, newest first, of one tenant or of all."""
    key = after(window, _LIST, (str,))
    before = str(key[0]) if key else None
    async with db.read(EVERY_TENANT if tenant_slug is None else NO_TENANT) as connection:
        if tenant_slug is None:
            rows = await operator_payouts.payouts(connection, window.limit + 1, before)
        else:
            tenant = await require_tenant(connection, tenant_slug)
            own = await payouts.page(connection, tenant.id, window.limit + 1, before)
            rows = [NamedPayout(payout, tenant.slug, _company(tenant)) for payout in own]
    return page_of(rows, window, _LIST, lambda row: (row.payout.id,))


async def export_payouts(db: Database, since: int | None) -> list[NamedPayout]:
    """Every payout that was approved, from `since` (µs) on if it is given, for the bank and the books."""
    async with db.read(EVERY_TENANT) as connection:
        return await operator_payouts.payouts(connection, None, None, since or 0)


async def show_payout(db: Database, payout_id: str) -> NamedPayout:
    """One payout. Raises NotFound."""
    async with db.read(EVERY_TENANT) as connection:
        owner = None
        if is_public_id(payout_id, "payout"):
            owner = await operator_payouts.tenant_of_payout(connection, payout_id)
        payout = None if owner is None else await payouts.find(connection, owner[0], payout_id)
        if owner is None or payout is None:
            raise NotFound(f"There is no payout {payout_id[:80]!r}.", fix="See: reseller-kit payout list")
        return NamedPayout(payout, owner[1], _company(await require_tenant(connection, owner[1])))


async def share_of(connection: Connection, tenant: Tenant, now: int) -> Share:
    """A reseller's revenue share under its terms."""
    return await payouts.share(connection, tenant.id, wholesale_terms(tenant.settings).matured_before(now))


async def _catch_up(db: Database, tenant_id: int) -> None:
    """What refunds took back must be known before money leaves."""
    writer = open_writer(db)
    await writer.start()
    try:
        await accrue(db, writer, tenant_id=tenant_id)
    finally:
        await writer.close()


async def _note(
    connection: Connection, tenant_id: int, actor: str, action: str, payout_id: str, facts: dict[str, Any]
) -> None:
    await audit_log.record(connection, tenant_id, actor, action, "payout", payout_id, after=facts)


def _require_open(payout: Payout) -> None:
    if payout.state != OPEN:
        raise Conflict(f"The payout {payout.id} is {payout.state} already.", fix="See: reseller-kit payout list")


def _refusal(found: Share, wanted: int) -> InsufficientCredit:
    if found.balance < 0:
        message = f"The reseller's share is {format_amount(found.balance)} USD: nothing can be paid out."
        return InsufficientCredit(message, fix="It has to rise above 0 first.")
    payable, matured = format_amount(found.payable), format_amount(max(0, found.matured))
    message = f"{payable} USD can be paid out" + (f", less than {format_amount(wanted)} USD." if wanted > 0 else ".")
    asked, held = format_amount(found.requested), format_amount(found.reserved)
    return InsufficientCredit(
        message, fix=f"Matured are {matured} USD; {asked} USD are asked for already, calls hold {held} USD."
    )


def _company(tenant: Tenant) -> str:
    return str(tenant.settings.get("brand", {}).get("legal", {}).get("company") or tenant.name)
