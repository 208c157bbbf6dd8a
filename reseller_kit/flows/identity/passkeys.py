"""Customers' passkeys, used instead of a password or as second factor. Knows no page."""

from __future__ import annotations

from ...core.errors import InvalidForm
from ...db import customers, passkeys
from ...db.customers import Customer
from ...db.engine import now_us
from ...db.passkeys import CUSTOMERS, Passkey
from . import attempts, ceremony, letters, login, trial
from .ceremony import Holder, Party
from .sessions import Opened, open_session
from .visit import Identity, Visit


async def begin_adding(identity: Identity, visit: Visit, customer: Customer, party: Party) -> str:
    """What the browser needs to make a passkey, as JSON. Raises InvalidForm when there are too many."""
    return await ceremony.ask_to_make(identity, visit.tenant_id, CUSTOMERS, _holder(customer), party)


async def add(identity: Identity, visit: Visit, customer: Customer, party: Party, *, answer: str, name: str) -> None:
    """Keep the passkey that the browser made. Raises InvalidForm for an answer that is not right."""
    passkey = await ceremony.made(identity, visit.tenant_id, CUSTOMERS, party, answer=answer, name=name)
    async with identity.write(visit.tenant_id) as connection:
        await ceremony.store(connection, visit.tenant_id, CUSTOMERS, _holder(customer), passkey)
        await letters.two_factor_changed(connection, identity, visit, customer.email, "passkey_added", now_us())


async def remove(identity: Identity, visit: Visit, customer_id: str, passkey_id: str) -> bool:
    """Forget one of the customer's passkeys; False for one that is not the customer's."""
    async with identity.write(visit.tenant_id) as connection:
        removed = await passkeys.remove(connection, visit.tenant_id, CUSTOMERS, customer_id, passkey_id)
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        if removed and customer is not None:
            await letters.two_factor_changed(connection, identity, visit, customer.email, "passkey_removed", now_us())
    return removed


async def list_passkeys(identity: Identity, tenant_id: int, customer_id: str) -> list[Passkey]:
    """The customer's passkeys, oldest first."""
    async with identity.db.read(tenant_id) as connection:
        return await passkeys.of_holder(connection, tenant_id, CUSTOMERS, customer_id)


async def begin_login(identity: Identity, visit: Visit, party: Party, pending: str | None) -> str:
    """What the browser needs to log in, as JSON. With `pending`, only that customer's passkeys will do."""
    await attempts.count(identity, visit.tenant_id, attempts.by_address(identity, visit))
    customer_id = None if pending is None else await login.pending_customer(identity, visit.tenant_id, pending)
    known = [] if customer_id is None else await list_passkeys(identity, visit.tenant_id, customer_id)
    return await ceremony.ask_to_sign(identity, visit.tenant_id, CUSTOMERS, party, known)


async def log_in(
    identity: Identity, visit: Visit, party: Party, answer: str, *, pending: str | None, old_session: str | None
) -> Opened:
    """Log in by a passkey: alone, or as the second step of `pending`. Raises InvalidForm for a wrong answer."""
    found = await ceremony.signed(identity, visit.tenant_id, CUSTOMERS, party, answer)
    waits = None if pending is None else await login.pending_customer(identity, visit.tenant_id, pending)
    async with identity.write(visit.tenant_id) as connection:
        customer = await customers.find(connection, visit.tenant_id, found.holder)
        if customer is None or customer.status == "deleted" or waits not in {None, customer.id}:
            raise ceremony.wrong()
        await ceremony.count(connection, visit.tenant_id, CUSTOMERS, found.passkey)
        if pending is not None and waits is not None:
            opened = await login.finish(connection, identity, visit, pending, old_session=old_session)
            if opened is None:
                raise InvalidForm({"": ("login.too_late", {})})
        else:
            opened = await open_session(connection, identity, visit, customer.id, customer.email, old=old_session)
        await attempts.lower(connection, visit.tenant_id, attempts.by_address(identity, visit))
    await trial.grant(identity, visit, customer.id)
    return opened


def _holder(customer: Customer) -> Holder:
    return Holder(number=customer.id, email=customer.email, name=customer.name)
