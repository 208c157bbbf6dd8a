"""Links that set a member's password: invitations and forgotten passwords. Opens no page."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from ...core.email import normalise_email
from ...core.errors import InvalidRequest
from ...core.ids import new_id
from ...core.times import DAY_US, SECOND_US
from ...db import audit_log, members
from ...db.engine import Connection, now_us
from ...db.members import MemberRow
from ..identity import attempts, letters
from ..identity.sessions import Opened
from ..identity.visit import Identity, Visit, check_password, new_token
from .sessions import open_session

Purpose = Literal["invite", "reset"]
INVITE: Final = "invite"
RESET: Final = "reset"
INVITE_VALID_US: Final = 7 * DAY_US
_RESET_VALID_US: Final = 3600 * SECOND_US


class MemberLink(Struct, frozen=True):
    """A link that may still set a password, and whose."""

    email: str
    name: str
    role: str


class Set(Struct, frozen=True):
    """A password that holds; `opened` is None where a second factor has to be given first."""

    opened: Opened | None


async def post_invitation(connection: Connection, identity: Identity, member: MemberRow, invited_by: str) -> str:
    """Mail a new invitation in the caller's transaction; earlier ones are void. Its token."""
    token = new_token()
    digest = _digest(identity, INVITE, token)
    await members.drop_links(connection, member.tenant_id, member.id, INVITE)
    await members.add_link(
        connection,
        member.tenant_id,
        member.id,
        digest=digest,
        purpose=INVITE,
        expires_at=now_us() + INVITE_VALID_US,
    )
    await letters.post(
        connection,
        identity,
        member.tenant_id,
        kind="member_invite",
        recipient=member.email,
        once=digest.hex(),
        content={"role": member.role, "invited_by": invited_by},
        token=token,
    )
    return token


async def ask_reset(identity: Identity, visit: Visit, email: str) -> None:
    """Mail a link that sets a new password, if the address is an active member's. Raises RateLimited by address."""
    await attempts.count(identity, visit.tenant_id, attempts.by_address(identity, visit, "sign_up"))
    try:
        address = normalise_email(email)
    except InvalidRequest:
        return
    if not await attempts.may(identity, visit.tenant_id, attempts.by_account(identity, "mail", f"member\0{address}")):
        return
    token = new_token()
    digest = _digest(identity, RESET, token)
    async with identity.write(visit.tenant_id) as connection:
        member = await members.find(connection, visit.tenant_id, address)
        if member is None or member.status != "active":
            return
        await members.add_link(
            connection,
            visit.tenant_id,
            member.id,
            digest=digest,
            purpose=RESET,
            expires_at=now_us() + _RESET_VALID_US,
        )
        await letters.post(
            connection,
            identity,
            visit.tenant_id,
            kind="member_reset",
            recipient=address,
            once=digest.hex(),
            token=token,
        )


async def find(identity: Identity, tenant_id: int, token: str, purpose: Purpose) -> MemberLink | None:
    """Whose password a link of this token would set; None for an unknown one, or one that was used or ran out."""
    async with identity.db.read(tenant_id) as connection:
        member = await members.find_link(
            connection, tenant_id, digest=_digest(identity, purpose, token), purpose=purpose, now=now_us()
        )
    return None if member is None else MemberLink(member.email, member.name, member.role)


async def use(
    identity: Identity,
    visit: Visit,
    token: str,
    purpose: Purpose,
    *,
    password: str,
    name: str | None = None,
    old_session: str | None,
) -> Set | None:
    """Set the password that a link stands for; all sessions of the member end. None for a link that does not hold.

    An invitation is accepted by it, under this name. Raises InvalidForm for a password that is none.
    """
    check_password(password)
    hashed, now = await identity.passwords.hash(password), now_us()
    digest = _digest(identity, purpose, token)
    async with identity.write(visit.tenant_id) as connection:
        member = await members.find_link(connection, visit.tenant_id, digest=digest, purpose=purpose, now=now)
        taken = await members.use_link(connection, visit.tenant_id, digest=digest, purpose=purpose, now=now)
        if member is None or not taken:
            return None
        await replace_password(connection, visit, member, hashed, now)
        counted = attempts.by_account(identity, "password", f"member\0{member.email}")
        await attempts.succeed(connection, visit.tenant_id, counted)
        actor = f"member:{member.email}"
        if purpose == INVITE:
            given = member.name if name is None else name
            await members.change(connection, visit.tenant_id, member.id, status="active", accepted_at=now, name=given)
            facts = {"role": member.role, "name": given}
            await audit_log.record(
                connection, visit.tenant_id, actor, "member.accept", "member", member.email, after=facts
            )
        else:
            await tell_password(connection, identity, visit, member, now)
        if member.two_factor:
            return Set(None)
        return Set(await open_session(connection, identity, visit, member, old=old_session))


async def replace_password(connection: Connection, visit: Visit, member: MemberRow, hashed: str, now: int) -> None:
    """Store the hash; every link and session of the member ends."""
    await members.change(connection, visit.tenant_id, member.id, password_hash=hashed, password_at=now)
    await members.drop_links(connection, visit.tenant_id, member.id, INVITE, RESET, "code", "device")
    await members.end_sessions(connection, visit.tenant_id, member.id)


async def tell_password(connection: Connection, identity: Identity, visit: Visit, member: MemberRow, now: int) -> None:
    """Record and mail that the password is another one."""
    await letters.post(
        connection,
        identity,
        visit.tenant_id,
        kind="member_password",
        recipient=member.email,
        once=new_id("req"),
        content=letters.circumstances(visit, now),
    )
    actor = f"member:{member.email}"
    await audit_log.record(connection, visit.tenant_id, actor, "member.password", "member", member.email)


def _digest(identity: Identity, purpose: str, token: str) -> bytes:
    return identity.digest(f"member_{purpose}", token)
