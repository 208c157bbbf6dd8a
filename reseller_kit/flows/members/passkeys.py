"""Members' passkeys: they open the console alone, or as second factor. Knows no page; the ceremony is `identity`'s.

Whoever has one is asked for it, or for another factor, after the password.
"""

from __future__ import annotations

from ...core.errors import NotFound
from ...db import members, passkeys
from ...db.members import MemberRow
from ...db.passkeys import MEMBERS, Passkey
from ..identity import attempts, ceremony, totp
from ..identity.ceremony import Holder, Party
from ..identity.sessions import Opened
from ..identity.visit import Identity, Visit
from . import login, second_factor
from .second_factor import Enabled


async def begin_adding(identity: Identity, visit: Visit, member_id: int, party: Party) -> str:
    """What the browser needs to make a passkey, as JSON. Raises InvalidForm when there are too many."""
    async with identity.db.read(visit.tenant_id) as connection:
        member = _present(await members.by_id(connection, visit.tenant_id, member_id))
    return await ceremony.ask_to_make(identity, visit.tenant_id, MEMBERS, _holder(member), party)


async def add(
    identity: Identity, visit: Visit, member_id: int, party: Party, *, answer: str, name: str, session: str
) -> Enabled | None:
    """Keep the passkey that the browser made. The caller has asked for the password.

    The first factor brings recovery codes and a new session in the place of `session`; all others end.
    Raises InvalidForm for an answer that is not right.
    """
    passkey = await ceremony.made(identity, visit.tenant_id, MEMBERS, party, answer=answer, name=name)
    codes = totp.new_codes()
    async with identity.write(visit.tenant_id) as connection:
        member = _present(await members.hold(connection, visit.tenant_id, member_id))
        await ceremony.store(connection, visit.tenant_id, MEMBERS, _holder(member), passkey)
        await second_factor.tell(connection, identity, visit, member, "passkey_added", after=_facts(passkey))
        if member.two_factor:
            return None
        return await second_factor.secured(connection, identity, visit, member, codes, session=session)


async def remove(identity: Identity, visit: Visit, member_id: int, passkey_id: str) -> bool:
    """Forget one of the member's passkeys; False for one that is not the member's.

    Raises InvalidForm where it is the last factor of somebody who may not be without.
    """
    async with identity.write(visit.tenant_id) as connection:
        member = _present(await members.hold(connection, visit.tenant_id, member_id))
        own = await passkeys.of_holder(connection, visit.tenant_id, MEMBERS, member_id)
        passkey = next((one for one in own if one.id == passkey_id), None)
        if passkey is None:
            return False
        if last := len(own) == 1 and member.totp_at is None:
            second_factor.check_may_go(member)
        await passkeys.remove(connection, visit.tenant_id, MEMBERS, member_id, passkey_id)
        if last:
            await second_factor.drop_codes(connection, member)
        await second_factor.tell(connection, identity, visit, member, "passkey_removed", before=_facts(passkey))
    return True


async def list_passkeys(identity: Identity, tenant_id: int, member_id: int) -> list[Passkey]:
    """The member's passkeys, oldest first."""
    async with identity.db.read(tenant_id) as connection:
        return await passkeys.of_holder(connection, tenant_id, MEMBERS, member_id)


async def begin_login(identity: Identity, visit: Visit, party: Party, pending: str | None) -> str:
    """What the browser needs to log in, as JSON. With `pending`, only that member's passkeys will do."""
    await attempts.count(identity, visit.tenant_id, attempts.by_address(identity, visit))
    waits = None if pending is None else await login.pending_member(identity, visit.tenant_id, pending)
    known = [] if waits is None else await list_passkeys(identity, visit.tenant_id, waits.id)
    return await ceremony.ask_to_sign(identity, visit.tenant_id, MEMBERS, party, known)


async def log_in(
    identity: Identity, visit: Visit, party: Party, answer: str, *, pending: str | None, old_session: str | None
) -> Opened:
    """Log in by a passkey: alone, or as the second step of `pending`. Raises InvalidForm for a wrong answer."""
    found = await ceremony.signed(identity, visit.tenant_id, MEMBERS, party, answer)
    waits = None if pending is None else await login.pending_member(identity, visit.tenant_id, pending)
    async with identity.write(visit.tenant_id) as connection:
        member = await members.hold(connection, visit.tenant_id, found.holder)
        if member is None or member.status != "active" or (waits is not None and waits.id != member.id):
            raise ceremony.wrong()
        await ceremony.count(connection, visit.tenant_id, MEMBERS, found.passkey)
        if pending is not None and waits is not None:
            await login.end_waiting(connection, identity, visit, pending)
        await attempts.lower(connection, visit.tenant_id, attempts.by_address(identity, visit))
        return await login.enter(connection, identity, visit, member, old_session, passkey=found.passkey.name)


def _present(member: MemberRow | None) -> MemberRow:
    if member is None or member.status != "active":
        raise NotFound("There is no such member.")
    return member


def _facts(passkey: Passkey) -> dict[str, str]:
    return {"passkey": passkey.name, "host": passkey.host}


def _holder(member: MemberRow) -> Holder:
    return Holder(number=member.id, email=member.email, name=member.name)
