"""Log-in: an address and its password, then a second factor where one is set up. Knows no cookie and no page.

What is wrong is never said: an unknown address, a wrong password and a password that was never set take one run of
argon2 each and get one answer.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ...core.email import normalise_email
from ...core.errors import InvalidForm, InvalidRequest
from ...core.times import SECOND_US
from ...db import customers, logins, sessions
from ...db.customers import Customer
from ...db.engine import Connection, now_us
from ...db.logins import Login
from . import attempts, second_factor, trial
from .sessions import Opened, device_digest, open_session
from .visit import Identity, Visit, new_token

SECOND_FACTOR: Final = "second_factor"
_ANSWER_WITHIN_US: Final = 600 * SECOND_US


class Entered(Struct, frozen=True):
    """How a log-in went on: with a session, or with a token that waits for the second factor."""

    opened: Opened | None = None
    pending: str | None = None


class _Account(Struct, frozen=True):
    customer: Customer | None
    login: Login | None
    device: bytes | None
    """The browser, where the customer has logged in with it before."""


async def log_in(identity: Identity, visit: Visit, email: str, password: str, *, old_session: str | None) -> Entered:
    """Check address and password. Raises InvalidForm in one form for all that may be wrong, and RateLimited."""
    account = await _find(identity, visit, email)
    by_account = attempts.by_account(identity, "password", _subject(email), account.device)
    by_address = attempts.by_address(identity, visit)
    # Who shares an address with somebody that guesses still gets in from a browser that the account knows.
    counted = (by_account,) if account.device else (by_account, by_address)
    await attempts.count(identity, visit.tenant_id, *counted)
    stored = account.login.password_hash if account.login else None
    if not await identity.passwords.fits(stored, password) or account.customer is None or stored is None:
        raise InvalidForm({"": ("login.wrong", {})})
    fresh = await identity.passwords.hash(password) if identity.passwords.outdated(stored) else None
    customer = account.customer
    async with identity.write(visit.tenant_id) as connection:
        await attempts.succeed(connection, visit.tenant_id, by_account, None if account.device else by_address)
        if fresh is not None:
            await logins.set_password(connection, visit.tenant_id, customer.id, fresh, now_us())
        if account.login is not None and account.login.totp_at is not None:
            return Entered(pending=await _wait_for_second_factor(connection, identity, visit, customer))
        opened = await open_session(connection, identity, visit, customer.id, customer.email, old=old_session)
    await trial.grant(identity, visit, customer.id)
    return Entered(opened)


async def pending_customer(identity: Identity, tenant_id: int, pending: str) -> str | None:
    """Who has passed the first step of this log-in; None for one that there is not, or that took too long."""
    digest, now = identity.digest(SECOND_FACTOR, pending), now_us()
    async with identity.db.read(tenant_id) as connection:
        found = await sessions.asked(connection, tenant_id, digest=digest, purpose=SECOND_FACTOR, now=now)
    return None if found is None else found[0]


async def enter_code(identity: Identity, visit: Visit, pending: str, code: str, *, old_session: str | None) -> Opened:
    """Finish a log-in by a code of the app or a recovery code.

    Raises InvalidForm for a wrong code or a log-in that took too long, and RateLimited.
    """
    customer_id = await pending_customer(identity, visit.tenant_id, pending)
    if customer_id is None:
        raise InvalidForm({"": ("login.too_late", {})})
    by_account = attempts.by_account(identity, "code", customer_id)
    by_address = attempts.by_address(identity, visit)
    await attempts.count(identity, visit.tenant_id, by_account, by_address)
    async with identity.write(visit.tenant_id) as connection:
        if not await second_factor.use_code(connection, identity, visit.tenant_id, customer_id, code):
            raise InvalidForm({"code": ("login.wrong_code", {})})
        await attempts.succeed(connection, visit.tenant_id, by_account, by_address)
        opened = await finish(connection, identity, visit, pending, old_session=old_session)
    if opened is None:
        raise InvalidForm({"": ("login.too_late", {})})
    await trial.grant(identity, visit, customer_id)
    return opened


async def finish(
    connection: Connection, identity: Identity, visit: Visit, pending: str, *, old_session: str | None
) -> Opened | None:
    """The session of a log-in whose second factor was right; None when somebody else was faster with it."""
    digest = identity.digest(SECOND_FACTOR, pending)
    found = await sessions.take(connection, visit.tenant_id, digest=digest, purpose=SECOND_FACTOR, now=now_us())
    customer = (
        None if found is None or found[0] is None else await customers.find(connection, visit.tenant_id, found[0])
    )
    if customer is None:
        return None
    return await open_session(connection, identity, visit, customer.id, customer.email, old=old_session)


async def confirm_password(identity: Identity, visit: Visit, customer_id: str, password: str) -> None:
    """Ask a customer who is logged in for the password again. Raises InvalidForm (field `password`), RateLimited."""
    by_account = attempts.by_account(identity, "password", customer_id)
    await attempts.count(identity, visit.tenant_id, by_account)
    async with identity.db.read(visit.tenant_id) as connection:
        login = await logins.find(connection, visit.tenant_id, customer_id)
    if not await identity.passwords.fits(login.password_hash if login else None, password):
        raise InvalidForm({"password": ("form.password_wrong", {})})
    async with identity.write(visit.tenant_id) as connection:
        await attempts.succeed(connection, visit.tenant_id, by_account)


def _subject(email: str) -> str:
    """What an address is counted under, whether it is one or not."""
    try:
        return normalise_email(email)
    except InvalidRequest:
        return email.strip().casefold()


async def _find(identity: Identity, visit: Visit, email: str) -> _Account:
    """The same two queries for every address."""
    reference = _subject(email)
    async with identity.db.read(visit.tenant_id) as connection:
        usable = "@" in reference and reference.isprintable()
        customer = await customers.find(connection, visit.tenant_id, reference) if usable else None
        customer_id = customer.id if customer else "nobody"
        login = await logins.find(connection, visit.tenant_id, customer_id)
        digest = device_digest(identity, customer_id, visit.device or "")
        known = await sessions.knows_device(connection, visit.tenant_id, customer_id, digest)
    return _Account(customer, login, digest if known else None)


async def _wait_for_second_factor(connection: Connection, identity: Identity, visit: Visit, customer: Customer) -> str:
    pending = new_token()
    await sessions.ask(
        connection,
        visit.tenant_id,
        customer.id,
        digest=identity.digest(SECOND_FACTOR, pending),
        purpose=SECOND_FACTOR,
        expires_at=now_us() + _ANSWER_WITHIN_US,
    )
    return pending
