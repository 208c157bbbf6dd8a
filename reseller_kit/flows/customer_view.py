"""A member looks at the portal as a customer sees it, for a quarter of an hour. Changes nothing; notes each page.

The view's token is a keyed hash over the tenant, the customer, the member's session and the end, so nothing is stored:
it is worth nothing at another storefront, beside another log-in of the same member, or after its time.
"""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

from msgspec import Struct

from ..core.errors import NotFound
from ..core.ids import is_public_id
from ..core.times import SECOND_US, format_time
from ..db import audit_log, customers
from ..db.customers import Customer
from ..db.engine import now_us
from ..vault import token_digest
from .identity.visit import Identity

VALID_US: Final = 15 * 60 * SECOND_US
_PURPOSE: Final = "customer_view"
_BYTES: Final = 16
_FORM: Final = re.compile(r"(cus_[0-9A-Z]{26})\.([0-9a-f]{8})\.([A-Za-z0-9_-]{22})")


class Onlooker(Struct, frozen=True, kw_only=True):
    """The member who looks: by which of its sessions, and as the audit log names it."""

    tenant_id: int
    session_id: str
    actor: str


class View(Struct, frozen=True, kw_only=True):
    """Whom a member looks at, and until when (µs)."""

    customer: Customer
    until: int


def sign(pepper: bytes, tenant_id: int, session_id: str, customer_id: str, until: int) -> str:
    """The token of a view that ends at that moment (µs, rounded down to a second)."""
    seconds = until // SECOND_US
    digest = token_digest(pepper, _PURPOSE, f"{tenant_id}\0{session_id}\0{customer_id}\0{seconds}")[:_BYTES]
    return f"{customer_id}.{seconds:08x}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def read(pepper: bytes, tenant_id: int, session_id: str, token: str, now: int) -> tuple[str, int] | None:
    """The customer and the end (µs) of a token of this tenant and session; None for any other, and after its end."""
    found = _FORM.fullmatch(token)
    if found is None:
        return None
    until = int(found[2], 16) * SECOND_US
    if not hmac.compare_digest(sign(pepper, tenant_id, session_id, found[1], until), token):
        return None
    return (found[1], until) if until > now else None


async def begin(identity: Identity, onlooker: Onlooker, customer_id: str, reason: str) -> str:
    """Look at the portal as this customer from now on; the token of the view. Raises NotFound."""
    until = now_us() + VALID_US
    async with identity.write(onlooker.tenant_id) as connection:
        known = is_public_id(customer_id, "cus")
        customer = await customers.find(connection, onlooker.tenant_id, customer_id) if known else None
        if customer is None or customer.status == "deleted":
            raise NotFound("There is no such customer.")
        facts = {"reason": reason, "until": format_time(until)}
        await audit_log.record(
            connection, onlooker.tenant_id, onlooker.actor, "customer.view", "customer", customer_id, after=facts
        )
    return sign(identity.vault.pepper, onlooker.tenant_id, onlooker.session_id, customer_id, until)


async def current(identity: Identity, onlooker: Onlooker, token: str) -> View | None:
    """The view of a token, if it is one of this member's session and its customer is still there."""
    found = read(identity.vault.pepper, onlooker.tenant_id, onlooker.session_id, token, now_us())
    if found is None:
        return None
    async with identity.db.read(onlooker.tenant_id) as connection:
        customer = await customers.find(connection, onlooker.tenant_id, found[0])
    return None if customer is None or customer.status == "deleted" else View(customer=customer, until=found[1])


async def note_page(identity: Identity, onlooker: Onlooker, customer_id: str, path: str) -> None:
    """Note that the member opens a page as the customer."""
    await _record(identity, onlooker, "customer.view_page", customer_id, {"page": path})


async def end(identity: Identity, onlooker: Onlooker, token: str) -> str | None:
    """End the view of a token before its time; the customer whom it was of, None for one that is over."""
    found = read(identity.vault.pepper, onlooker.tenant_id, onlooker.session_id, token, now_us())
    if found is None:
        return None
    await _record(identity, onlooker, "customer.view_end", found[0])
    return found[0]


async def _record(
    identity: Identity, onlooker: Onlooker, action: str, customer_id: str, facts: dict[str, str] | None = None
) -> None:
    tenant_id = onlooker.tenant_id
    async with identity.write(tenant_id) as connection:
        await audit_log.record(connection, tenant_id, onlooker.actor, action, "customer", customer_id, after=facts)
