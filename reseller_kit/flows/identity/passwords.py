"""Passwords of customers: set by a mailed link, changed by one who is logged in. Knows no page.

The links of `customer create`, of an invitation and of a forgotten password are one kind, with different words.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ...core.email import normalise_email
from ...core.errors import InvalidRequest
from ...core.ids import new_id
from ...core.times import SECOND_US
from ...db import customers, logins, sessions
from ...db.customers import Customer
from ...db.engine import Connection, now_us
from ..customers import SET_PASSWORD
from . import attempts, letters, trial
from .sessions import Opened, open_session
from .signup import VERIFY
from .visit import Identity, Visit, check_password, new_token

RESET: Final = "reset"
EMAIL_CHANGE: Final = "email_change"
RESET_VALID_US: Final = 3600 * SECOND_US
_PURPOSES: Final = (RESET, SET_PASSWORD)


class SetLink(Struct, frozen=True):
    """A link that may still set a password. `first`: none was set before; `asks_terms`: no terms were accepted yet."""

    customer_id: str
    email: str
    first: bool
    asks_terms: bool


class PasswordSet(Struct, frozen=True):
    """A password that holds; `opened` is None where a second factor has to be given first."""

    opened: Opened | None


async def ask_reset(identity: Identity, visit: Visit, email: str) -> None:
    """Mail a link that sets a new password, if the address has an account. Raises RateLimited by address alone."""
    await attempts.count(identity, visit.tenant_id, attempts.by_address(identity, visit, "sign_up"))
    try:
        address = normalise_email(email)
    except InvalidRequest:
        return
    if not await attempts.may(identity, visit.tenant_id, attempts.by_account(identity, "mail", address)):
        return
    token = new_token()
    digest = identity.digest(RESET, token)
    async with identity.write(visit.tenant_id) as connection:
        customer = await customers.find(connection, visit.tenant_id, address)
        if customer is None:
            return
        await customers.add_link(
            connection,
            visit.tenant_id,
            customer.id,
            digest=digest,
            purpose=RESET,
            expires_at=now_us() + RESET_VALID_US,
        )
        await letters.post(
            connection, identity, visit.tenant_id, kind="reset", recipient=address, once=digest.hex(), token=token
        )


async def find_set_link(identity: Identity, tenant_id: int, token: str) -> SetLink | None:
    """What a link of this token would do; None for an unknown one, or one that was used or ran out."""
    async with identity.db.read(tenant_id) as connection:
        found = await _usable(connection, identity, tenant_id, token)
        if found is None:
            return None
        _, customer = found
        login = await logins.find(connection, tenant_id, customer.id)
        accepted = await logins.accepted_terms(connection, tenant_id, customer.id)
    first = login is None or login.password_hash is None
    return SetLink(customer.id, customer.email, first, asks_terms=first and not accepted)


async def set_by_link(
    identity: Identity, visit: Visit, token: str, password: str, *, terms_version: str | None, old_session: str | None
) -> PasswordSet | None:
    """Set the password that a link stands for; all sessions of the customer end. None for a link that does not hold.

    Raises InvalidForm for a password that is none.
    """
    check_password(password)
    hashed, now = await identity.passwords.hash(password), now_us()
    async with identity.write(visit.tenant_id) as connection:
        found = await _usable(connection, identity, visit.tenant_id, token)
        if found is None or not await customers.use_link(connection, visit.tenant_id, found[0], now):
            return None
        customer = found[1]
        login = await logins.find(connection, visit.tenant_id, customer.id)
        await _replace(connection, visit, customer, hashed, now)
        # Whoever has the link reads the mailbox.
        await customers.set_verified(connection, visit.tenant_id, customer.id, now)
        await attempts.succeed(connection, visit.tenant_id, attempts.by_account(identity, "password", customer.email))
        await attempts.mailbox_answered(connection, identity, visit.tenant_id, customer.email)
        if terms_version is not None:
            await logins.accept_terms(connection, visit.tenant_id, customer.id, terms_version, now)
        if login is not None and login.password_hash is not None:
            await _tell(connection, identity, visit, customer, now)
        if login is not None and login.totp_at is not None:
            return PasswordSet(None)
        opened = await open_session(connection, identity, visit, customer.id, customer.email, old=old_session)
    await trial.grant(identity, visit, customer.id)
    return PasswordSet(opened)


async def change(identity: Identity, visit: Visit, customer_id: str, password: str, *, session: str) -> Opened | None:
    """A new password; every other session ends and `session` is replaced. The caller has asked for the old password.

    Raises InvalidForm (field `new_password`).
    """
    check_password(password, "new_password")
    hashed, now = await identity.passwords.hash(password), now_us()
    async with identity.write(visit.tenant_id) as connection:
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        if customer is None:
            return None
        await _replace(connection, visit, customer, hashed, now)
        await _tell(connection, identity, visit, customer, now)
        return await open_session(connection, identity, visit, customer.id, customer.email, old=session)


async def _usable(
    connection: Connection, identity: Identity, tenant_id: int, token: str
) -> tuple[bytes, Customer] | None:
    for purpose in _PURPOSES:
        digest = identity.digest(purpose, token)
        link = await customers.find_link(connection, tenant_id, digest, purpose, now_us())
        if link is not None and link.used_at is None:
            customer = await customers.find(connection, tenant_id, link.customer_id)
            return None if customer is None or customer.status == "deleted" else (digest, customer)
    return None


async def _replace(connection: Connection, visit: Visit, customer: Customer, hashed: str, now: int) -> None:
    await logins.set_password(connection, visit.tenant_id, customer.id, hashed, now)
    await customers.drop_links(connection, visit.tenant_id, customer.id, *_PURPOSES, VERIFY, EMAIL_CHANGE)
    await sessions.end_all(connection, visit.tenant_id, customer.id)
    await sessions.forget_devices(connection, visit.tenant_id, customer.id)


async def _tell(connection: Connection, identity: Identity, visit: Visit, customer: Customer, now: int) -> None:
    await letters.post(
        connection,
        identity,
        visit.tenant_id,
        kind="password_changed",
        recipient=customer.email,
        once=new_id("req"),
        content=letters.circumstances(visit, now),
    )
