"""A change of address: confirmed by a link to the new one, told to the old one. Knows no page.

Whether the new address is another customer's is not said to whoever asks; its mailbox hears of it.
"""

from __future__ import annotations

from typing import Final

from ...core.email import normalise_email
from ...core.errors import InvalidForm, InvalidRequest
from ...core.times import DAY_US
from ...db import audit_log, customers
from ...db.engine import now_us
from ..customers import SET_PASSWORD
from . import attempts, letters
from .passwords import EMAIL_CHANGE, RESET
from .visit import Identity, Visit, new_token

_VALID_US: Final = DAY_US


async def ask(identity: Identity, visit: Visit, customer_id: str, email: str) -> str:
    """Mail a link to the new address; the address. The caller has asked for the password.

    Raises InvalidForm (field `email`) and RateLimited.
    """
    try:
        address = normalise_email(email)
    except InvalidRequest:
        raise InvalidForm({"email": ("form.email_invalid", {})}) from None
    token = new_token()
    digest = identity.digest(EMAIL_CHANGE, token)
    await attempts.count(identity, visit.tenant_id, attempts.by_account(identity, "mail", address))
    async with identity.write(visit.tenant_id) as connection:
        taken = await customers.find(connection, visit.tenant_id, address)
        if taken is not None and taken.id == customer_id:
            raise InvalidForm({"email": ("security.same_email", {})})
        await customers.drop_links(connection, visit.tenant_id, customer_id, EMAIL_CHANGE)
        if taken is not None and taken.verified_at is not None:
            await letters.already_registered(connection, identity, visit.tenant_id, address)
            return address
        await customers.add_link(
            connection,
            visit.tenant_id,
            customer_id,
            digest=digest,
            purpose=EMAIL_CHANGE,
            expires_at=now_us() + _VALID_US,
            detail={"email": address},
        )
        await letters.post(
            connection,
            identity,
            visit.tenant_id,
            kind="email_change",
            recipient=address,
            once=digest.hex(),
            token=token,
        )
    return address


async def find(identity: Identity, tenant_id: int, token: str) -> str | None:
    """The address that a link of this token would confirm; None for one that does not hold."""
    digest = identity.digest(EMAIL_CHANGE, token)
    async with identity.db.read(tenant_id) as connection:
        link = await customers.find_link(connection, tenant_id, digest, EMAIL_CHANGE, now_us())
    return None if link is None or link.used_at is not None else str(link.detail["email"])


async def confirm(identity: Identity, visit: Visit, token: str) -> str | None:
    """Move the customer to the address behind a link; None for a link that does not hold, or whose address is taken.

    An unverified sign-up does not keep an address from whoever reads its mail.
    """
    digest, now = identity.digest(EMAIL_CHANGE, token), now_us()
    async with identity.write(visit.tenant_id) as connection:
        link = await customers.find_link(connection, visit.tenant_id, digest, EMAIL_CHANGE, now)
        if link is None or not await customers.use_link(connection, visit.tenant_id, digest, now):
            return None
        customer = await customers.find(connection, visit.tenant_id, link.customer_id)
        address = str(link.detail["email"])
        taken = await customers.find(connection, visit.tenant_id, address)
        if customer is None or customer.status == "deleted" or (taken is not None and taken.verified_at is not None):
            return None
        if taken is not None:
            await customers.set_email(connection, visit.tenant_id, taken.id, f"{taken.id.lower()}@unclaimed.invalid")
        await customers.set_email(connection, visit.tenant_id, customer.id, address)
        # A link that waits in the old mailbox must not open the account any more.
        await customers.drop_links(connection, visit.tenant_id, customer.id, EMAIL_CHANGE, RESET, SET_PASSWORD)
        await customers.set_verified(connection, visit.tenant_id, customer.id, now)
        await attempts.mailbox_answered(connection, identity, visit.tenant_id, address)
        # Both addresses, so that an erasure finds what was sent to the earlier one.
        before, after, own = {"email": customer.email}, {"email": address}, f"customer:{customer.id}"
        await audit_log.record(
            connection, visit.tenant_id, own, "customer.email", "customer", customer.id, before=before, after=after
        )
        await letters.post(
            connection,
            identity,
            visit.tenant_id,
            kind="email_changed",
            recipient=customer.email,
            once=digest.hex(),
            content=letters.circumstances(visit, now),
        )
    return address
