"""Invitations: the operator names an address, its mailbox gets a link that sets a password. Opens no session."""

from __future__ import annotations

from ...core.email import normalise_email
from ...core.errors import Conflict
from ...core.urls import DEFAULT_PORT
from ...db import audit_log, customers
from ...db.engine import NO_TENANT, Database, now_us
from ...vault import Vault
from ...vault.passwords import Passwords
from ..brand import origin_of
from ..customers import LINK_VALID_US, SET_PASSWORD, NewCustomer, add_customer
from ..tenants import require_tenant
from . import letters
from .visit import Identity, new_token


async def invite(
    db: Database, vault: Vault, *, tenant_slug: str, email: str, name: str, actor: str, port: int = DEFAULT_PORT
) -> NewCustomer:
    """A customer who is not verified yet, and the link that was mailed. Again for one who has not accepted: a new link.

    Raises InvalidRequest for a malformed address and Conflict for one that has an account.
    """
    address = normalise_email(email)
    identity = Identity(db, vault, Passwords(vault.pepper))
    token = new_token()
    digest = identity.digest(SET_PASSWORD, token)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        customer = await customers.find(connection, tenant.id, address)
        if customer is not None and customer.verified_at is not None:
            raise Conflict(
                f"Tenant {tenant.slug} has a customer {address} already.",
                fix=f"See: reseller-kit customer show --tenant {tenant.slug} --customer {address}",
            )
        if customer is None:
            customer = await add_customer(connection, tenant, address, name, verified_at=None)
        await customers.drop_links(connection, tenant.id, customer.id, SET_PASSWORD)
        await customers.add_link(
            connection,
            tenant.id,
            customer.id,
            digest=digest,
            purpose=SET_PASSWORD,
            expires_at=now_us() + LINK_VALID_US,
        )
        await letters.post(
            connection, identity, tenant.id, kind="invite", recipient=address, once=digest.hex(), token=token
        )
        facts = {"email": address, "name": name}
        await audit_log.record(connection, tenant.id, actor, "customer.invite", "customer", customer.id, after=facts)
        origin = await origin_of(connection, tenant, port)
    return NewCustomer(customer, None if origin is None else f"{origin}/reset?token={token}")
