"""Sign-up: an address and a password become a customer once a mailed link is opened.

Whoever asks hears the same, in the same time: a new address gets a link, one that has an account is told so by mail.
Each link brings the password that was typed with it, so that nobody can prepare an account for somebody else's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from ...core.email import normalise_email
from ...core.errors import Conflict, InvalidForm, InvalidRequest
from ...core.ids import new_id
from ...core.money import parse_amount
from ...core.times import DAY_US
from ...db import audit_log, customers, logins, sessions
from ...db.accounts import create_customer_wallet
from ...db.customers import Customer, Link
from ...db.engine import Connection, now_us
from .. import events
from ..customers import SET_PASSWORD
from . import attempts, letters, trial
from .sessions import Opened, open_session
from .visit import Identity, Visit, check_password, new_token

VERIFY: Final = "verify"
LINK_VALID_US: Final = 3 * DAY_US
FORM: Final = "form"


class Policy(Struct, frozen=True, kw_only=True):
    """Who may become a customer: `[tenants.signup]`. `trial_credit` in nano-USD."""

    mode: Literal["open", "invite", "closed"] = "open"
    domains: tuple[str, ...] = ()
    trial_credit: int = 0


class Applicant(Struct, frozen=True, kw_only=True):
    """What a sign-up states, and the version of the terms that it accepts. `locale`: the language of its page."""

    email: str
    password: str
    name: str
    terms_version: str
    locale: str | None = None


class Confirmed(Struct, frozen=True):
    """What opening a link came to: a session, or None where the link was used before."""

    opened: Opened | None


def policy_of(settings: Mapping[str, Any]) -> Policy:
    """The sign-up policy of a tenant's settings."""
    given = settings.get("signup", {})
    return Policy(
        mode=given.get("mode", "open"),
        domains=tuple(given.get("domains", ())),
        trial_credit=parse_amount(given.get("trial_credit", "0.00")),
    )


def address_of(policy: Policy, email: str) -> str:
    """The address in its one form. Raises InvalidForm for one that is none, or that may not sign up here."""
    if policy.mode != "open":
        raise InvalidForm({"": (f"signup.{policy.mode}", {})})
    try:
        address = normalise_email(email)
    except InvalidRequest:
        raise InvalidForm({"email": ("form.email_invalid", {})}) from None
    if policy.domains and address.rpartition("@")[2] not in policy.domains:
        raise InvalidForm({"email": ("signup.domain", {"domains": ", ".join(policy.domains)})})
    return address


async def sign_up(identity: Identity, visit: Visit, applicant: Applicant) -> None:
    """Take an application; the answer is in the mail. Raises InvalidForm, and RateLimited by address alone."""
    address = address_of(policy_of(visit.settings), applicant.email)
    check_password(applicant.password)
    await attempts.count(identity, visit.tenant_id, attempts.by_address(identity, visit, "sign_up"))
    hashed = await identity.passwords.hash(applicant.password)
    if not await attempts.may(identity, visit.tenant_id, attempts.by_account(identity, "mail", address)):
        return
    for last in (False, True):
        try:
            async with identity.write(visit.tenant_id) as connection:
                await _apply(connection, identity, visit, address, applicant, hashed)
        except Conflict:
            # Two sign-ups of one new address at once: the second finds what the first made.
            if last:
                raise
        else:
            return


async def find_verification(identity: Identity, tenant_id: int, token: str) -> Link | None:
    """The link of this token, used or not; None for an unknown one or one that ran out."""
    async with identity.db.read(tenant_id) as connection:
        return await customers.find_link(connection, tenant_id, identity.digest(VERIFY, token), VERIFY, now_us())


async def email_of(identity: Identity, tenant_id: int, customer_id: str) -> str:
    """The address of a customer whose link was found."""
    async with identity.db.read(tenant_id) as connection:
        customer = await customers.find(connection, tenant_id, customer_id)
    return customer.email if customer else ""


def opened_where_it_was_asked_for(identity: Identity, visit: Visit, link: Link) -> bool:
    """Whether the browser is the one that signed up: scanners of mail, and other people, are not."""
    return visit.form is not None and link.detail.get(FORM) == identity.digest(FORM, visit.form).hex()


async def verify(identity: Identity, visit: Visit, token: str, *, old_session: str | None) -> Confirmed | None:
    """Confirm the address behind a link and log in; None for an unknown link or one that ran out."""
    digest, now = identity.digest(VERIFY, token), now_us()
    async with identity.write(visit.tenant_id) as connection:
        link = await customers.find_link(connection, visit.tenant_id, digest, VERIFY, now)
        if link is None:
            return None
        if not await customers.use_link(connection, visit.tenant_id, digest, now):
            return Confirmed(None)
        customer = await customers.find(connection, visit.tenant_id, link.customer_id)
        if customer is None or not await customers.set_verified(connection, visit.tenant_id, customer.id, now):
            return Confirmed(None)
        await _settle(connection, visit, customer, link, now)
        await attempts.mailbox_answered(connection, identity, visit.tenant_id, customer.email)
        opened = await open_session(connection, identity, visit, customer.id, customer.email, old=old_session)
    await trial.grant(identity, visit, customer.id)
    return Confirmed(opened)


async def resend(identity: Identity, visit: Visit, customer_id: str) -> None:
    """Mail a fresh link to a customer who is not verified yet. Raises RateLimited."""
    async with identity.db.read(visit.tenant_id) as connection:
        customer = await customers.find(connection, visit.tenant_id, customer_id)
    if customer is None or customer.verified_at is not None:
        return
    await attempts.count(identity, visit.tenant_id, attempts.by_account(identity, "mail", customer.email))
    async with identity.write(visit.tenant_id) as connection:
        login = await logins.find(connection, visit.tenant_id, customer_id)
        detail = {"password": login.password_hash if login else None, "name": customer.name}
        await _mail_link(connection, identity, visit, customer.id, customer.email, detail)


async def _apply(
    connection: Connection, identity: Identity, visit: Visit, address: str, applicant: Applicant, hashed: str
) -> None:
    customer = await customers.find(connection, visit.tenant_id, address)
    now = now_us()
    if customer is not None and customer.verified_at is not None:
        await letters.already_registered(connection, identity, visit.tenant_id, address)
        return
    customer_id = await _new_customer(connection, visit, address, applicant, now) if not customer else customer.id
    await logins.set_password(connection, visit.tenant_id, customer_id, hashed, now)
    # Whoever logged in with an earlier password has shown nothing about the address either.
    await sessions.end_all(connection, visit.tenant_id, customer_id)
    detail = {"password": hashed, "name": applicant.name, "terms": applicant.terms_version, "locale": applicant.locale}
    await _mail_link(connection, identity, visit, customer_id, address, detail)


async def _new_customer(connection: Connection, visit: Visit, address: str, applicant: Applicant, now: int) -> str:
    customer_id = new_id("cus")
    added = await customers.add_if_free(
        connection,
        visit.tenant_id,
        Customer(
            id=customer_id,
            tenant_id=visit.tenant_id,
            email=address,
            name=applicant.name,
            locale=applicant.locale,
            status="active",
            suspend_reason=None,
            verified_at=None,
            wallet_id=await create_customer_wallet(connection, visit.tenant_id, customer_id),
            created_at=now,
        ),
    )
    if not added:
        raise Conflict("The address was taken a moment ago.")
    await events.tell(connection, visit.tenant_id, "customer.created", {"customer": customer_id})
    await audit_log.record(
        connection, visit.tenant_id, f"customer:{customer_id}", "customer.sign_up", "customer", customer_id
    )
    return customer_id


async def _mail_link(
    connection: Connection,
    identity: Identity,
    visit: Visit,
    customer_id: str,
    address: str,
    detail: Mapping[str, str | None],
) -> None:
    token = new_token()
    digest = identity.digest(VERIFY, token)
    asked_by = {} if visit.form is None else {FORM: identity.digest(FORM, visit.form).hex()}
    await customers.add_link(
        connection,
        visit.tenant_id,
        customer_id,
        digest=digest,
        purpose=VERIFY,
        expires_at=now_us() + LINK_VALID_US,
        detail={**detail, **asked_by},
    )
    await letters.post(
        connection, identity, visit.tenant_id, kind="verify", recipient=address, once=digest.hex(), token=token
    )


async def _settle(connection: Connection, visit: Visit, customer: Customer, link: Link, now: int) -> None:
    """Make what came with the link the truth, and everything that others prepared void."""
    await sessions.end_all(connection, visit.tenant_id, customer.id)
    await customers.drop_links(connection, visit.tenant_id, customer.id, VERIFY, SET_PASSWORD)
    if link.detail.get("password"):
        await logins.set_password(connection, visit.tenant_id, customer.id, link.detail["password"], now)
    if link.detail.get("terms"):
        await logins.accept_terms(connection, visit.tenant_id, customer.id, link.detail["terms"], link.created_at)
    await customers.set_profile(
        connection,
        visit.tenant_id,
        customer.id,
        name=link.detail.get("name") or customer.name,
        locale=link.detail.get("locale") or customer.locale,
        timezone=customer.timezone,
    )
