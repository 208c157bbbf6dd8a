"""Sessions: opened at a log-in, looked up at each request, ended by the customer or by time.

A session's token is new with each log-in and each gain of rights, so one that somebody else planted is worth nothing.
It holds on its own storefront, for 30 days at most and 7 without use.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ...core.ids import new_id
from ...core.times import DAY_US, SECOND_US
from ...db import sessions
from ...db.engine import Connection, now_us
from ...db.sessions import LiveSession, SessionRow
from . import letters
from .visit import Identity, Visit, new_token

LONGEST_US: Final = 30 * DAY_US
IDLE_US: Final = 7 * DAY_US
DEVICE_US: Final = 180 * DAY_US
_SEEN_EVERY_US: Final = 60 * SECOND_US
SESSION: Final = "session"
DEVICE: Final = "device"


class Opened(Struct, frozen=True):
    """A session just opened: its token and that of the browser, for cookies."""

    token: str
    device: str


async def open_session(
    connection: Connection, identity: Identity, visit: Visit, customer_id: str, email: str, *, old: str | None
) -> Opened:
    """A new session in the caller's transaction; `old`, the browser's session until now, ends.

    A browser that is new to a customer who has logged in before is told of by mail.
    """
    now, token = now_us(), new_token()
    if old is not None:
        await sessions.end(connection, visit.tenant_id, identity.digest(SESSION, old))
    row = SessionRow(
        id=new_id("ses"),
        agent=visit.browser,
        place=visit.place,
        created_at=now,
        seen_at=now,
        expires_at=now + LONGEST_US,
    )
    digest = identity.digest(SESSION, token)
    await sessions.add(connection, visit.tenant_id, customer_id, digest=digest, session=row)
    device = visit.device or new_token()
    known = await sessions.knows_device(
        connection, visit.tenant_id, customer_id, device_digest(identity, customer_id, device)
    )
    if not known and await sessions.knows_any_device(connection, visit.tenant_id, customer_id):
        await letters.post(
            connection,
            identity,
            visit.tenant_id,
            kind="new_login",
            recipient=email,
            once=row.id,
            content=letters.circumstances(visit, now),
        )
    await sessions.remember_device(
        connection, visit.tenant_id, customer_id, device_digest(identity, customer_id, device), now
    )
    return Opened(token, device)


def device_digest(identity: Identity, customer_id: str, device: str) -> bytes:
    """A browser as one customer knows it; another customer of the same browser has another."""
    return identity.digest(DEVICE, f"{customer_id}\0{device}")


async def current(identity: Identity, tenant_id: int, token: str) -> LiveSession | None:
    """The tenant's session of this token, noted as used; None for one that there is not, or no more."""
    now, digest = now_us(), identity.digest(SESSION, token)
    async with identity.db.read(tenant_id) as connection:
        found = await sessions.find(connection, tenant_id, digest, now=now, idle_since=now - IDLE_US)
    if found is not None and found.status == "deleted":
        return None
    if found is not None and now - found.seen_at >= _SEEN_EVERY_US:
        async with identity.write(tenant_id) as connection:
            await sessions.touch(connection, tenant_id, digest, now)
    return found


async def log_out(identity: Identity, tenant_id: int, token: str) -> None:
    """End the session of this token. Repeating is harmless."""
    async with identity.write(tenant_id) as connection:
        await sessions.end(connection, tenant_id, identity.digest(SESSION, token))


async def list_sessions(identity: Identity, tenant_id: int, customer_id: str) -> list[SessionRow]:
    """The customer's sessions, the latest used first."""
    now = now_us()
    async with identity.db.read(tenant_id) as connection:
        return await sessions.of_customer(connection, tenant_id, customer_id, now=now, idle_since=now - IDLE_US)


async def revoke(identity: Identity, tenant_id: int, customer_id: str, session_id: str) -> bool:
    """End one of the customer's sessions; False for one that is not the customer's."""
    async with identity.write(tenant_id) as connection:
        return await sessions.end_one(connection, tenant_id, customer_id, session_id)


async def revoke_others(identity: Identity, tenant_id: int, customer_id: str, kept: str) -> int:
    """End all of the customer's sessions but one; how many there were."""
    async with identity.write(tenant_id) as connection:
        return await sessions.end_all(connection, tenant_id, customer_id, but=kept)
