"""Second factors: codes of an authenticator app (RFC 6238) and recovery codes. Knows no page.

The app's secret is sealed at rest; each time step and each recovery code works once.
"""

from __future__ import annotations

from msgspec import Struct

from ...core.errors import InvalidForm
from ...db import customers, logins, sessions
from ...db.engine import Connection, now_us
from ...db.logins import Login
from . import attempts, letters, totp
from .sessions import Opened, open_session
from .visit import Identity, Visit


class Setup(Struct, frozen=True):
    """A secret that waits for its first code: as text to type and as the URI that apps read."""

    secret: str
    uri: str


class Enabled(Struct, frozen=True):
    """A second factor that holds from now on; the codes are shown once."""

    recovery_codes: tuple[str, ...]
    opened: Opened


async def begin(identity: Identity, visit: Visit, customer_id: str) -> None:
    """Make a secret that waits for its first code; one that waited before is void. Does nothing while codes are on."""
    secret = totp.new_secret()
    key_id, sealed = identity.vault.seal(_name(customer_id), secret)
    async with identity.write(visit.tenant_id) as connection:
        login = await logins.find(connection, visit.tenant_id, customer_id)
        if login is not None and login.totp_at is None:
            await logins.set_totp(connection, visit.tenant_id, customer_id, key_id=key_id, sealed=sealed, at=None)


async def waiting(identity: Identity, visit: Visit, customer_id: str, *, issuer: str, account: str) -> Setup | None:
    """The secret that waits for its first code, if one does. `issuer` and `account`: what the app calls it."""
    async with identity.db.read(visit.tenant_id) as connection:
        login = await logins.find(connection, visit.tenant_id, customer_id)
    secret = None if login is None or login.totp_at is not None else _secret(identity, login)
    if secret is None:
        return None
    return Setup(secret, totp.uri(secret, issuer=issuer, account=account))


async def enable(identity: Identity, visit: Visit, customer_id: str, code: str, *, session: str) -> Enabled:
    """Ask for codes from now on, after a first one that is right. `session` is replaced, all others end.

    Raises InvalidForm (field `code`) and RateLimited.
    """
    by_account = attempts.by_account(identity, "code", customer_id)
    await attempts.count(identity, visit.tenant_id, by_account)
    codes = totp.new_codes()
    now = now_us()
    async with identity.write(visit.tenant_id) as connection:
        login = await logins.find(connection, visit.tenant_id, customer_id)
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        step = None if login is None or login.totp_at is not None else _step_of(identity, login, code, now)
        if step is None or customer is None:
            raise InvalidForm({"code": ("login.wrong_code", {})})
        await attempts.succeed(connection, visit.tenant_id, by_account)
        await logins.start_totp(connection, visit.tenant_id, customer_id, now)
        await logins.use_step(connection, visit.tenant_id, customer_id, step)
        await _store_codes(connection, identity, visit.tenant_id, customer_id, codes)
        await letters.two_factor_changed(connection, identity, visit, customer.email, "on", now)
        await sessions.end_all(connection, visit.tenant_id, customer_id)
        opened = await open_session(connection, identity, visit, customer_id, customer.email, old=session)
    return Enabled(codes, opened)


async def disable(identity: Identity, visit: Visit, customer_id: str) -> None:
    """Ask for no codes any more. The caller has asked for the password. Repeating is harmless."""
    async with identity.write(visit.tenant_id) as connection:
        login = await logins.find(connection, visit.tenant_id, customer_id)
        customer = await customers.find(connection, visit.tenant_id, customer_id)
        if login is None or customer is None or login.totp_sealed is None:
            return
        await logins.set_totp(connection, visit.tenant_id, customer_id, key_id=None, sealed=None, at=None)
        await logins.set_recovery_codes(connection, visit.tenant_id, customer_id, ())
        if login.totp_at is not None:
            await letters.two_factor_changed(connection, identity, visit, customer.email, "off", now_us())


async def new_recovery_codes(identity: Identity, visit: Visit, customer_id: str) -> tuple[str, ...]:
    """Recovery codes in the place of those there were; none while no codes are asked for."""
    codes = totp.new_codes()
    async with identity.write(visit.tenant_id) as connection:
        login = await logins.find(connection, visit.tenant_id, customer_id)
        if login is None or login.totp_at is None:
            return ()
        await _store_codes(connection, identity, visit.tenant_id, customer_id, codes)
    return codes


async def use_code(connection: Connection, identity: Identity, tenant_id: int, customer_id: str, code: str) -> bool:
    """Use up a code of the app or a recovery code; False for one that is wrong or was used."""
    login = await logins.find(connection, tenant_id, customer_id)
    if login is None or login.totp_at is None:
        return False
    step = _step_of(identity, login, code, now_us())
    if step is not None:
        return await logins.use_step(connection, tenant_id, customer_id, step)
    digest = totp.code_digest(identity, customer_id, code)
    return await logins.use_recovery_code(connection, tenant_id, customer_id, digest)


def _step_of(identity: Identity, login: Login, code: str, now: int) -> int | None:
    secret = _secret(identity, login)
    return None if secret is None else totp.step_of(secret, code, now)


def _secret(identity: Identity, login: Login) -> str | None:
    if login.totp_key_id is None or login.totp_sealed is None:
        return None
    return identity.vault.open(_name(login.customer_id), login.totp_key_id, login.totp_sealed)


async def _store_codes(
    connection: Connection, identity: Identity, tenant_id: int, customer_id: str, codes: tuple[str, ...]
) -> None:
    digests = [totp.code_digest(identity, customer_id, code) for code in codes]
    await logins.set_recovery_codes(connection, tenant_id, customer_id, digests)


def _name(customer_id: str) -> str:
    return f"totp:{customer_id}"
