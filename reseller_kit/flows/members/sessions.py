"""Members' sessions: opened at a log-in, looked up at each request, ended by the member, an owner or time.

As customers' (`flows.identity.sessions`), but shorter: 14 days at most and one without use.
"""

from __future__ import annotations

from typing import Final

from ...core.ids import new_id
from ...core.times import DAY_US, SECOND_US
from ...db import members
from ...db.engine import Connection, now_us
from ...db.members import LiveMember, MemberRow
from ...db.sessions import SessionRow
from ..identity import letters
from ..identity.sessions import DEVICE_US, Opened
from ..identity.visit import Identity, Visit, new_token

LONGEST_US: Final = 14 * DAY_US
IDLE_US: Final = DAY_US
_SEEN_EVERY_US: Final = 60 * SECOND_US
_SESSION: Final = "member_session"
_DEVICE: Final = "device"


async def open_session(
    connection: Connection, identity: Identity, visit: Visit, member: MemberRow, *, old: str | None
) -> Opened:
    """A new session in the caller's transaction; `old`, the browser's session until now, ends.

    A browser that is new to a member who has logged in before is told of by mail.
    """
    now, token = now_us(), new_token()
    if old is not None:
        await members.end_session(connection, visit.tenant_id, identity.digest(_SESSION, old))
    row = SessionRow(
        id=new_id("ses"),
        agent=visit.browser,
        place=visit.place,
        created_at=now,
        seen_at=now,
        expires_at=now + LONGEST_US,
    )
    await members.open_session(
        connection, visit.tenant_id, member.id, digest=identity.digest(_SESSION, token), session=row
    )
    await members.change(connection, visit.tenant_id, member.id, seen_at=now)
    device = visit.device or new_token()
    new = not await knows_device(connection, identity, visit.tenant_id, member.id, device)
    if new and await members.count_links(connection, visit.tenant_id, member.id, _DEVICE):
        await letters.post(
            connection,
            identity,
            visit.tenant_id,
            kind="member_new_login",
            recipient=member.email,
            once=row.id,
            content=letters.circumstances(visit, now),
        )
    await members.add_link(
        connection,
        visit.tenant_id,
        member.id,
        digest=device_digest(identity, member.id, device),
        purpose=_DEVICE,
        expires_at=now + DEVICE_US,
    )
    return Opened(token, device)


async def knows_device(connection: Connection, identity: Identity, tenant_id: int, member_id: int, device: str) -> bool:
    """Whether the member has logged in with this browser before."""
    digest = device_digest(identity, member_id, device)
    found = await members.find_link(connection, tenant_id, digest=digest, purpose=_DEVICE, now=now_us())
    return found is not None


def device_digest(identity: Identity, member_id: int, device: str) -> bytes:
    """A browser as one member knows it."""
    return identity.digest("member_device", f"{member_id}\0{device}")


async def current(identity: Identity, tenant_id: int, token: str) -> LiveMember | None:
    """Who is logged in by the tenant's session of this token, noted as used; None for nobody."""
    now, digest = now_us(), identity.digest(_SESSION, token)
    async with identity.db.read(tenant_id) as connection:
        found = await members.live(connection, tenant_id, digest, now=now, idle_since=now - IDLE_US)
    if found is not None and now - found.seen_at >= _SEEN_EVERY_US:
        async with identity.write(tenant_id) as connection:
            await members.touch(connection, tenant_id, digest, found.id, now)
    return found


async def log_out(identity: Identity, tenant_id: int, token: str) -> None:
    """End the session of this token. Repeating is harmless."""
    async with identity.write(tenant_id) as connection:
        await members.end_session(connection, tenant_id, identity.digest(_SESSION, token))


async def list_sessions(identity: Identity, tenant_id: int, member_id: int) -> list[SessionRow]:
    """The member's sessions, the latest used first."""
    now = now_us()
    async with identity.db.read(tenant_id) as connection:
        return await members.sessions_of(connection, tenant_id, member_id, now=now, idle_since=now - IDLE_US)


async def revoke(identity: Identity, tenant_id: int, member_id: int, session_id: str) -> bool:
    """End one of the member's sessions; False for one that is not the member's."""
    async with identity.write(tenant_id) as connection:
        return await members.end_sessions(connection, tenant_id, member_id, only=session_id) == 1


async def revoke_others(identity: Identity, tenant_id: int, member_id: int, kept: str) -> int:
    """End all of the member's sessions but one; how many there were."""
    async with identity.write(tenant_id) as connection:
        return await members.end_sessions(connection, tenant_id, member_id, but=kept)
