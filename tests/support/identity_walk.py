"""Identity's part of the isolation walk: one of everything that a customer logs in with, and every query of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Protocol

from msgspec import structs

from reseller_kit.core.throttle import Count
from reseller_kit.db import customers, departures, logins, passkeys, sessions, throttles
from reseller_kit.db.customers import Customer
from reseller_kit.db.engine import Connection
from reseller_kit.db.passkeys import Passkey
from reseller_kit.db.sessions import SessionRow

FAR = 1 << 62


class HasCustomer(Protocol):
    @property
    def customer(self) -> Customer: ...


Query = Callable[[Connection, int, Any], Awaitable[Any]]


def digest(x: HasCustomer) -> bytes:
    """What all of a customer's tokens are stored under, in tables of their own."""
    return x.customer.id.encode()


def session(x: HasCustomer) -> SessionRow:
    return SessionRow(id="ses_of_" + x.customer.id, agent="", place="", created_at=1, seen_at=5, expires_at=FAR)


def passkey(x: HasCustomer) -> Passkey:
    return Passkey(
        id="psk_of_" + x.customer.id,
        host="ours.example",
        credential_id=digest(x),
        public_key=b"key",
        sign_count=0,
        name="",
        created_at=1,
        used_at=None,
    )


async def fill(connection: Connection, tenant_id: int, customer: Customer) -> None:
    """One of everything."""
    x = SimpleNamespace(customer=customer)
    for name in ("customers.add_link", "logins.set_password", "logins.set_recovery_codes", "logins.accept_terms"):
        await WRITES[name](connection, tenant_id, x)
    for name in ("sessions.add", "sessions.ask", "sessions.remember_device", "passkeys.add", "throttles.put"):
        await WRITES[name](connection, tenant_id, x)


READS: dict[str, Query] = {
    "customers.find_link": lambda c, tenant, x: customers.find_link(c, tenant, digest(x), "reset", 5),
    "logins.find": lambda c, tenant, x: logins.find(c, tenant, x.customer.id),
    "logins.accepted_terms": lambda c, tenant, x: logins.accepted_terms(c, tenant, x.customer.id),
    "logins.recovery_codes_left": lambda c, tenant, x: logins.recovery_codes_left(c, tenant, x.customer.id),
    "passkeys.count": lambda c, tenant, x: passkeys.count(c, tenant, passkeys.CUSTOMERS, x.customer.id),
    "passkeys.find": lambda c, tenant, x: passkeys.find(c, tenant, passkeys.CUSTOMERS, digest(x)),
    "passkeys.of_holder": lambda c, tenant, x: passkeys.of_holder(c, tenant, passkeys.CUSTOMERS, x.customer.id),
    "sessions.asked": lambda c, tenant, x: sessions.asked(c, tenant, digest=digest(x), purpose="code", now=5),
    "sessions.find": lambda c, tenant, x: sessions.find(c, tenant, digest(x), now=5, idle_since=1),
    "sessions.knows_any_device": lambda c, tenant, x: sessions.knows_any_device(c, tenant, x.customer.id),
    "sessions.knows_device": lambda c, tenant, x: sessions.knows_device(c, tenant, x.customer.id, digest(x)),
    "throttles.find": lambda c, tenant, x: throttles.find(c, tenant, "password", digest(x)),
    "sessions.of_customer": lambda c, tenant, x: sessions.of_customer(c, tenant, x.customer.id, now=5, idle_since=1),
}
WRITES: dict[str, Query] = {
    "customers.add_if_free": lambda c, tenant, x: customers.add_if_free(
        c, tenant, structs.replace(x.customer, email="free@x.example")
    ),
    "customers.add_link": lambda c, tenant, x: customers.add_link(
        c, tenant, x.customer.id, digest=digest(x), purpose="reset", expires_at=FAR
    ),
    "customers.drop_links": lambda c, tenant, x: customers.drop_links(c, tenant, x.customer.id, "reset"),
    "customers.set_closing": lambda c, tenant, x: customers.set_closing(c, tenant, x.customer.id, 5),
    "customers.set_email": lambda c, tenant, x: customers.set_email(c, tenant, x.customer.id, "stolen@x.example"),
    "customers.set_profile": lambda c, tenant, x: customers.set_profile(
        c, tenant, x.customer.id, name="Eve", locale="de", timezone=None
    ),
    "customers.set_verified": lambda c, tenant, x: customers.set_verified(c, tenant, x.customer.id, 5),
    "customers.use_link": lambda c, tenant, x: customers.use_link(c, tenant, digest(x), 5),
    "departures.depart": lambda c, tenant, x: departures.depart(c, tenant, x.customer.id, FAR),
    "logins.accept_terms": lambda c, tenant, x: logins.accept_terms(c, tenant, x.customer.id, "v1", 5),
    "logins.set_password": lambda c, tenant, x: logins.set_password(c, tenant, x.customer.id, f"hash {tenant}", 5),
    "logins.set_recovery_codes": lambda c, tenant, x: logins.set_recovery_codes(c, tenant, x.customer.id, [digest(x)]),
    "logins.set_totp": lambda c, tenant, x: logins.set_totp(
        c, tenant, x.customer.id, key_id="k1", sealed=b"sealed", at=5
    ),
    "logins.start_totp": lambda c, tenant, x: logins.start_totp(c, tenant, x.customer.id, 5),
    "logins.use_recovery_code": lambda c, tenant, x: logins.use_recovery_code(c, tenant, x.customer.id, digest(x)),
    "logins.use_step": lambda c, tenant, x: logins.use_step(c, tenant, x.customer.id, 5),
    "passkeys.add": lambda c, tenant, x: passkeys.add(c, tenant, passkeys.CUSTOMERS, x.customer.id, passkey(x)),
    "passkeys.remove": lambda c, tenant, x: passkeys.remove(
        c, tenant, passkeys.CUSTOMERS, x.customer.id, passkey(x).id
    ),
    "passkeys.remove_all": lambda c, tenant, x: passkeys.remove_all(c, tenant, passkeys.CUSTOMERS, x.customer.id),
    "passkeys.used": lambda c, tenant, x: passkeys.used(
        c, tenant, passkeys.CUSTOMERS, structs.replace(passkey(x), sign_count=9), 9
    ),
    "sessions.add": lambda c, tenant, x: sessions.add(c, tenant, x.customer.id, digest=digest(x), session=session(x)),
    "sessions.ask": lambda c, tenant, x: sessions.ask(
        c, tenant, x.customer.id, digest=digest(x), purpose="code", expires_at=FAR
    ),
    "sessions.end": lambda c, tenant, x: sessions.end(c, tenant, digest(x)),
    "sessions.end_all": lambda c, tenant, x: sessions.end_all(c, tenant, x.customer.id),
    "sessions.end_one": lambda c, tenant, x: sessions.end_one(c, tenant, x.customer.id, session(x).id),
    "sessions.forget_devices": lambda c, tenant, x: sessions.forget_devices(c, tenant, x.customer.id),
    "sessions.remember_device": lambda c, tenant, x: sessions.remember_device(
        c, tenant, x.customer.id, digest(x), tenant
    ),
    "sessions.take": lambda c, tenant, x: sessions.take(c, tenant, digest=digest(x), purpose="code", now=5),
    "sessions.touch": lambda c, tenant, x: sessions.touch(c, tenant, digest(x), 9),
    "throttles.clear": lambda c, tenant, x: throttles.clear(c, tenant, "password", digest(x)),
    "throttles.lock": lambda c, tenant, x: throttles.lock(c, tenant, "password", digest(x)),
    "throttles.put": lambda c, tenant, x: throttles.put(c, tenant, "password", digest(x), Count(tenant, 1, 1)),
}
