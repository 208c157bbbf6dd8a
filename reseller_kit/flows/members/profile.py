"""What members change about their own log-in: name and password. Second factors are `second_factor`'s."""

from __future__ import annotations

from msgspec import Struct

from ...core.errors import NotFound
from ...db import audit_log, members, passkeys
from ...db.engine import now_us
from ...db.members import MemberRow
from ...db.passkeys import Passkey
from ...db.sessions import SessionRow
from ..identity.sessions import Opened
from ..identity.visit import Identity, Visit, check_password
from .links import replace_password, tell_password
from .second_factor import RECOVERY
from .sessions import IDLE_US, open_session


class Profile(Struct, frozen=True):
    """How a member logs in, and where it is logged in."""

    member: MemberRow
    recovery_codes: int
    passkeys: list[Passkey]
    sessions: list[SessionRow]


async def look(identity: Identity, tenant_id: int, member_id: int) -> Profile:
    """The member's, as of now. Raises NotFound."""
    now = now_us()
    async with identity.db.read(tenant_id) as connection:
        member = await members.by_id(connection, tenant_id, member_id)
        if member is None:
            raise NotFound("There is no such member.")
        return Profile(
            member,
            await members.count_links(connection, tenant_id, member_id, RECOVERY),
            await passkeys.of_holder(connection, tenant_id, passkeys.MEMBERS, member_id),
            await members.sessions_of(connection, tenant_id, member_id, now=now, idle_since=now - IDLE_US),
        )


async def rename(identity: Identity, visit: Visit, member_id: int, name: str) -> None:
    """Store what to call the member."""
    async with identity.write(visit.tenant_id) as connection:
        member = await members.by_id(connection, visit.tenant_id, member_id)
        if member is None or member.name == name:
            return
        await members.change(connection, visit.tenant_id, member_id, name=name)
        await audit_log.record(
            connection,
            visit.tenant_id,
            f"member:{member.email}",
            "member.rename",
            "member",
            member.email,
            before={"name": member.name},
            after={"name": name},
        )


async def change_password(
    identity: Identity, visit: Visit, member_id: int, password: str, *, session: str
) -> Opened | None:
    """A new password; every other session ends and `session` is replaced. The caller has asked for the old password.

    Raises InvalidForm (field `new_password`).
    """
    check_password(password, "new_password")
    hashed, now = await identity.passwords.hash(password), now_us()
    async with identity.write(visit.tenant_id) as connection:
        member = await members.by_id(connection, visit.tenant_id, member_id)
        if member is None:
            return None
        await replace_password(connection, visit, member, hashed, now)
        await tell_password(connection, identity, visit, member, now)
        return await open_session(connection, identity, visit, member, old=session)
