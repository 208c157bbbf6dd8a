"""Use case of the operator: a storefront leaves. Closed at once, kept for a while, then without personal data.

Until then it can be taken back; the books stay for good.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ..core.errors import Conflict, InvalidRequest, KitError
from ..core.money import format_amount
from ..core.tenant import PLATFORM_SLUG
from ..core.times import DAY_US, format_time
from ..db import audit_log, erasure, offboarding, revisions, unsettled
from ..db.engine import EVERY_TENANT, NO_TENANT, Connection, Database, now_us
from ..db.tenants import Tenant
from .erasure import ACTION as ERASED
from .erasure import refuse_unsettled
from .providers import Providers
from .subscriptions.choose import cancel_for
from .tenants import TenantDetail, require_tenant, show_tenant

KEEP_DAYS: Final = 30
MOST_DAYS: Final = 3650
_AT_ONCE: Final = 50


class Wanted(Struct, frozen=True, kw_only=True):
    """How a storefront is to leave. `leave_balances`: what its accounts hold is settled outside, or given up."""

    reason: str
    keep_days: int = KEEP_DAYS
    leave_balances: bool = False


class Leaving(Struct, frozen=True, kw_only=True):
    """What leaving means: nano-USD by kind of account, ids of subscriptions that are cancelled; `erase_at` in µs."""

    slug: str
    erase_at: int
    customers: int
    members: int
    held: dict[str, int]
    subscriptions: list[str]


async def look(db: Database, slug: str, wanted: Wanted) -> Leaving:
    """What offboarding would do; changes nothing.

    Raises NotFound, and Conflict while something is under way, accounts hold money, or personal data is gone already.
    """
    if not 0 <= wanted.keep_days <= MOST_DAYS:
        raise InvalidRequest(
            f"{wanted.keep_days} days can't be kept.", param="keep_days", fix=f"Give 0 to {MOST_DAYS} days."
        )
    async with db.read(NO_TENANT) as connection:
        tenant = await _leavable(connection, slug)
        refuse_unsettled(await unsettled.of_tenant(connection, tenant.id), f"{slug} can't leave")
        held = await unsettled.held(connection, tenant.id)
        if held and not wanted.leave_balances:
            shown = [{"account": kind, "amount": format_amount(amount)} for kind, amount in sorted(held.items())]
            raise Conflict(
                f"Accounts of {slug} still hold money.",
                fix="Refund customers and settle with the reseller, or leave it in the books with --leave-balances.",
                details=shown,
            )
        customers, members = await offboarding.count(connection, tenant.id)
        return Leaving(
            slug=slug,
            erase_at=now_us() + wanted.keep_days * DAY_US,
            customers=customers,
            members=members,
            held=held,
            subscriptions=await unsettled.renewing(connection, tenant.id),
        )


async def offboard(db: Database, providers: Providers, slug: str, wanted: Wanted, *, actor: str) -> Leaving:
    """Cancel what renews, close the storefront, and fix the day on which its personal data goes. May be repeated.

    Raises as `look` does, and Conflict for subscriptions that their provider did not cancel; those it did stay so.
    """
    found = await look(db, slug, wanted)
    await _cancel(db, providers, found.subscriptions, actor)
    async with db.write(NO_TENANT) as connection:
        tenant = await _leavable(connection, slug)
        await offboarding.close(connection, tenant.id, now=now_us(), erase_at=found.erase_at)
        facts = {
            "reason": wanted.reason,
            "erase_at": format_time(found.erase_at),
            "held": {kind: format_amount(amount) for kind, amount in found.held.items()},
            "subscriptions": len(found.subscriptions),
        }
        await audit_log.record(connection, tenant.id, actor, "tenant.offboard", "tenant", slug, after=facts)
        await revisions.bump(connection, "config")
    return found


async def take_back(db: Database, slug: str, actor: str) -> TenantDetail:
    """Make a storefront that is leaving a draft again. Raises Conflict once its personal data is gone."""
    async with db.write(NO_TENANT) as connection:
        tenant = await _leavable(connection, slug)
        if await offboarding.reopen(connection, tenant.id):
            await audit_log.record(connection, tenant.id, actor, "tenant.take_back", "tenant", slug)
            await revisions.bump(connection, "config")
    return await show_tenant(db, slug)


async def erase_due(db: Database, now: int | None = None) -> int:
    """Take personal data out of storefronts whose time has come; how many are done. Goes on where it was stopped."""
    at = now_us() if now is None else now
    async with db.read(EVERY_TENANT) as connection:
        due = await offboarding.due(connection, at)
    for tenant_id, slug in due:
        await _erase_customers(db, tenant_id)
        async with db.write(tenant_id) as connection:
            rows = await offboarding.clear(connection, tenant_id, slug, now_us())
            await audit_log.record(
                connection, tenant_id, "system", "tenant.erase", "tenant", slug, after={"rows": rows}
            )
            await revisions.bump(connection, "config")
    return len(due)


async def _erase_customers(db: Database, tenant_id: int) -> None:
    """Each in a transaction of its own: servers go on in between."""
    while True:
        async with db.read(tenant_id) as connection:
            ids = await offboarding.people(connection, tenant_id, _AT_ONCE)
        if not ids:
            return
        for customer_id in ids:
            async with db.write(tenant_id) as connection:
                who = await erasure.person(connection, tenant_id, customer_id)
                if who is not None and who.status != "deleted":
                    rows = await erasure.erase(connection, tenant_id, who, now_us(), receipts=True)
                    facts = {"rows": rows}
                    await audit_log.record(
                        connection, tenant_id, "system", ERASED, "customer", customer_id, after=facts
                    )


async def _cancel(db: Database, providers: Providers, ids: list[str], actor: str) -> None:
    failed = []
    for one in ids:
        try:
            await cancel_for(db, providers, subscription_id=one, actor=actor)
        except KitError as error:
            failed.append({"what": "subscription", "id": one, "problem": error.message})
    if failed:
        raise Conflict(
            f"{len(failed)} of {len(ids)} subscriptions could not be cancelled; the storefront stays open.",
            fix="Run it again, or end them at the provider.",
            details=failed,
        )


async def _leavable(connection: Connection, slug: str) -> Tenant:
    if slug == PLATFORM_SLUG:
        raise Conflict("The platform can't leave itself.", fix="Give the slug of a reseller's storefront.")
    tenant = await require_tenant(connection, slug)
    if tenant.erased_at is not None:
        raise Conflict(f"{slug} has left, and its personal data is gone.", fix="Nothing is left to do.")
    return tenant
