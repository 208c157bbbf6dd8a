"""Use cases of the operator on a tenant's customers: create, look up, suspend, resume, group."""

from __future__ import annotations

import secrets
from typing import Final

from msgspec import Struct

from ..core.email import normalise_email
from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.ids import is_public_id, new_id
from ..core.paging import Page, Window, after, page_of
from ..core.times import DAY_US, format_time
from ..core.urls import DEFAULT_PORT
from ..db import audit_log, customers, operator_identity, outbox, revisions
from ..db.accounts import create_customer_wallet
from ..db.customers import Customer
from ..db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from ..db.tenants import Connection, Tenant
from ..vault import Vault, token_digest
from . import events
from .brand import origin_of
from .tenants import require_group, require_tenant

SET_PASSWORD: Final = "set_password"
"""Purpose of the link that a new customer chooses a password with."""
LINK_VALID_US: Final = 7 * DAY_US
_LIST: Final = "customers"


class NewCustomer(Struct, frozen=True):
    """A customer just created; `link` is None for a tenant that has no host yet."""

    customer: Customer
    link: str | None


async def require_customer(connection: Connection, tenant: Tenant, reference: str) -> Customer:
    """The tenant's customer of this e-mail address or id.

    Raises NotFound in the same words for what does not exist and what is another tenant's.
    """
    folded = _address(reference) if "@" in reference else reference.strip()
    known = folded.isprintable() and ("@" in folded or is_public_id(folded, "cus"))
    customer = await customers.find(connection, tenant.id, folded) if known else None
    if customer is None:
        raise NotFound(
            f"There is no customer {reference[:80]!r} at tenant {tenant.slug}.",
            fix=f"See: reseller-kit customer list --tenant {tenant.slug}",
        )
    return customer


def _address(reference: str) -> str:
    """The address as it is stored; what is no address finds nobody."""
    try:
        return normalise_email(reference)
    except InvalidRequest:
        return reference.strip().casefold()


async def create_customer(
    db: Database, vault: Vault, *, tenant_slug: str, email: str, name: str, actor: str, port: int = DEFAULT_PORT
) -> NewCustomer:
    """A verified customer with an empty wallet, and a one-time link that sets the password.

    Raises InvalidRequest for a malformed address and Conflict for one that the tenant knows already.
    """
    address = normalise_email(email)
    token = secrets.token_urlsafe(32)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        if await customers.find(connection, tenant.id, address) is not None:
            raise Conflict(
                f"Tenant {tenant.slug} has a customer {address} already.",
                fix=f"See: reseller-kit customer show --tenant {tenant.slug} --customer {address}",
            )
        now = now_us()
        customer = await add_customer(connection, tenant, address, name, verified_at=now)
        digest = token_digest(vault.pepper, SET_PASSWORD, token)
        await customers.add_link(
            connection, tenant.id, customer.id, digest=digest, purpose=SET_PASSWORD, expires_at=now + LINK_VALID_US
        )
        facts = {"email": address, "name": name}
        await audit_log.record(connection, tenant.id, actor, "customer.create", "customer", customer.id, after=facts)
        origin = await origin_of(connection, tenant, port)
    return NewCustomer(customer, None if origin is None else f"{origin}/reset?token={token}")


async def add_customer(
    connection: Connection, tenant: Tenant, address: str, name: str, *, verified_at: int | None
) -> Customer:
    """A new customer with an empty wallet, in the caller's transaction; the address must be free."""
    customer_id = new_id("cus")
    customer = Customer(
        id=customer_id,
        tenant_id=tenant.id,
        email=address,
        name=name,
        status="active",
        suspend_reason=None,
        verified_at=verified_at,
        wallet_id=await create_customer_wallet(connection, tenant.id, customer_id),
        created_at=verified_at or now_us(),
    )
    await customers.add(connection, tenant.id, customer)
    await events.tell(connection, tenant.id, "customer.created", {"customer": customer_id})
    return customer


async def list_customers(db: Database, tenant_slug: str, window: Window) -> Page[Customer]:
    """A tenant's customers, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await customers.page(connection, tenant.id, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def show_customer(db: Database, tenant_slug: str, reference: str) -> Customer:
    """One customer, by e-mail address or id. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        return await require_customer(connection, await require_tenant(connection, tenant_slug), reference)


async def suspend_customer(
    db: Database, tenant_slug: str, reference: str, reason: str, actor: str, *, until: int | None = None
) -> Customer:
    """Refuse a customer's calls until it is resumed, or until a moment (µs). Repeating is harmless.

    Raises InvalidRequest for a moment that is past.
    """
    if until is not None and until <= now_us():
        raise InvalidRequest("The suspension would be over already.", param="until", fix="Give a later moment.")
    return await _set_status(db, tenant_slug, reference, _Status("suspended", reason, until), actor)


async def resume_customer(db: Database, tenant_slug: str, reference: str, actor: str) -> Customer:
    """Serve a suspended customer again. Repeating is harmless."""
    return await _set_status(db, tenant_slug, reference, _Status("active"), actor)


async def end_suspensions(db: Database) -> int:
    """Resume up to 100 customers whose suspension is over by itself; how many. Safe in several processes."""
    async with db.read(EVERY_TENANT) as connection:
        ended = await operator_identity.ended_suspensions(connection, now_us(), 100)
    for slug, customer_id in ended:
        await resume_customer(db, slug, customer_id, "sweep")
    return len(ended)


async def set_customer_group(
    db: Database, tenant_slug: str, reference: str, group_id: str | None, actor: str
) -> Customer:
    """Put a customer into one of the tenant's groups, or into none. Repeating is harmless.

    Raises NotFound for a group that the tenant does not have.
    """
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        customer = await require_customer(connection, tenant, reference)
        require_group(tenant, group_id)
        if customer.group_id != group_id:
            await customers.set_group(connection, tenant.id, customer.id, group_id)
            before, after = {"group": customer.group_id}, {"group": group_id}
            await audit_log.record(
                connection, tenant.id, actor, "customer.group", "customer", customer.id, before=before, after=after
            )
            await revisions.bump(connection, "customer", customer.id)
        return await require_customer(connection, tenant, customer.id)


class _Status(Struct, frozen=True):
    """What a customer is to be."""

    name: str
    reason: str | None = None
    until: int | None = None


async def _set_status(db: Database, tenant_slug: str, reference: str, wanted: _Status, actor: str) -> Customer:
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        customer = await require_customer(connection, tenant, reference)
        if customer.status == "deleted":
            raise Conflict(f"The account {customer.id} was deleted.", fix="It can't be brought back; create another.")
        if (customer.status, customer.suspended_until) != (wanted.name, wanted.until):
            await customers.set_status(
                connection, tenant.id, customer.id, wanted.name, wanted.reason, until=wanted.until
            )
            await audit_log.record(
                connection,
                tenant.id,
                actor,
                "customer.resume" if wanted.name == "active" else "customer.suspend",
                "customer",
                customer.id,
                before={"status": customer.status, "reason": customer.suspend_reason},
                after={"status": wanted.name, "reason": wanted.reason, **_ends(wanted)},
            )
            await revisions.bump(connection, "customer", customer.id)
            if (wanted.name == "suspended") != (customer.status == "suspended"):
                await tell_of_status(connection, customer, suspended=wanted.name == "suspended")
        return await require_customer(connection, tenant, customer.id)


async def tell_of_status(connection: Connection, customer: Customer, *, suspended: bool) -> None:
    """Mail a customer that it is suspended, or served again; the team's own systems hear of it."""
    kind, now = "account_suspended" if suspended else "account_resumed", now_us()
    await outbox.add(
        connection,
        customer.tenant_id,
        kind=kind,
        recipient=customer.email,
        payload={},
        dedupe=f"{kind}:{customer.id}:{now}",
        now=now,
    )
    event = "customer.suspended" if suspended else "customer.resumed"
    await events.tell(connection, customer.tenant_id, event, {"customer": customer.id})


def _ends(wanted: _Status) -> dict[str, str]:
    return {} if wanted.until is None else {"until": format_time(wanted.until)}
