"""Identity's flows in tests: who asks, and what was mailed."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import select

from reseller_kit.core.errors import InvalidForm
from reseller_kit.db import customers
from reseller_kit.db import tables as t
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import EVERY_TENANT, Database
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows.identity import letters, signup
from reseller_kit.flows.identity.sessions import Opened
from reseller_kit.flows.identity.signup import Applicant
from reseller_kit.flows.identity.visit import Identity, Visit
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault.passwords import Passwords
from tests.support.factories import SECRET_KEY

PASSWORD = "correct horse battery"


class SentMail(Struct, frozen=True):
    """A mail as its templates will see it."""

    kind: str
    recipient: str
    content: dict[str, Any]


async def make_identity(db: Database) -> Identity:
    vault = await unlock(db, SECRET_KEY)
    return Identity(db, vault, Passwords(vault.pepper))


def visit_of(tenant: Tenant, **changes: Any) -> Visit:
    fields: dict[str, Any] = {
        "tenant_id": tenant.id,
        "slug": tenant.slug,
        "timezone": tenant.timezone,
        "settings": tenant.settings,
        "address": "203.0.113.7",
        "agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        "form": "form-of-jane",
    }
    return Visit(**{**fields, **changes})


async def mails(identity: Identity, tenant: Tenant, recipient: str | None = None) -> list[SentMail]:
    """What a tenant has put into its outbox, oldest first."""
    c = t.outbox.c
    statement = select(c.kind, c.recipient, c.payload).where(c.tenant_id == tenant.id).order_by(c.id)
    async with identity.db.read(EVERY_TENANT) as connection:
        rows = (await connection.execute(statement)).all()
    return [
        SentMail(row.kind, row.recipient, letters.opened(identity.vault, tenant.id, row.payload))
        for row in rows
        if recipient in {None, row.recipient}
    ]


async def token_of(identity: Identity, tenant: Tenant, kind: str, recipient: str) -> str:
    """The token in the latest mail of a kind."""
    found = [mail for mail in await mails(identity, tenant, recipient) if mail.kind == kind]
    return str(found[-1].content["token"])


def applicant(email: str = "jane@example.com", password: str = PASSWORD, **changes: Any) -> Applicant:
    return Applicant(**{"email": email, "password": password, "name": "Jane", "terms_version": "v1", **changes})


async def join(identity: Identity, tenant: Tenant, email: str = "jane@example.com", **changes: Any) -> Opened:
    """A customer who has signed up and opened the link."""
    visit = visit_of(tenant, **changes)
    await signup.sign_up(identity, visit, applicant(email))
    token = await token_of(identity, tenant, "verify", email)
    confirmed = await signup.verify(identity, visit, token, old_session=None)
    assert confirmed is not None
    assert confirmed.opened is not None
    return confirmed.opened


async def customer_of(identity: Identity, tenant: Tenant, reference: str) -> Customer:
    async with identity.db.read(tenant.id) as connection:
        found = await customers.find(connection, tenant.id, reference)
    assert found is not None
    return found


def problems(error: InvalidForm) -> dict[str, str]:
    """Field → key of what is wrong."""
    return {field: key for field, (key, _) in error.problems.items()}
