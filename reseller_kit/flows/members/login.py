"""A member's log-in: an address and its password, then a second factor where one is set up. Knows no cookie or page.

As with customers, an unknown address, a wrong password and an invitation that waits get one answer.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ...core.email import normalise_email
from ...core.errors import InvalidForm, InvalidRequest
from ...core.times import SECOND_US
from ...db import audit_log, members
from ...db.engine import Connection, now_us
from ...db.members import MemberRow
from ..identity import attempts
from ..identity.login import Entered
from ..identity.sessions import Opened
from ..identity.visit import Identity, Visit, new_token
from . import second_factor
from .sessions import device_digest, knows_device, open_session

CODE: Final = "code"
_ANSWER_WITHIN_US: Final = 600 * SECOND_US


class _Found(Struct, frozen=True):
    member: MemberRow | None
    device: bytes | None
    """The browser, where the member has logged in with it before."""


async def log_in(identity: Identity, visit: Visit, email: str, password: str, *, old_session: str | None) -> Entered:
    """Check address and password. Raises InvalidForm in one form for all that may be wrong, and RateLimited."""
    found = await _find(identity, visit, email)
    by_account = attempts.by_account(identity, "password", f"member\0{_subject(email)}", found.device)
    by_address = attempts.by_address(identity, visit)
    counted = (by_account,) if found.device else (by_account, by_address)
    await attempts.count(identity, visit.tenant_id, *counted)
    member = found.member if found.member is not None and found.member.status == "active" else None
    stored = None if member is None else member.password_hash
    if not await identity.passwords.fits(stored, password) or member is None or stored is None:
        raise InvalidForm({"": ("login.wrong", {})})
    fresh = await identity.passwords.hash(password) if identity.passwords.outdated(stored) else None
    async with identity.write(visit.tenant_id) as connection:
        await attempts.succeed(connection, visit.tenant_id, by_account, None if found.device else by_address)
        if fresh is not None:
            await members.change(connection, visit.tenant_id, member.id, password_hash=fresh, password_at=now_us())
        if member.two_factor:
            return Entered(pending=await _wait_for_code(connection, identity, visit, member))
        return Entered(await enter(connection, identity, visit, member, old_session))


async def pending_member(identity: Identity, tenant_id: int, pending: str) -> MemberRow | None:
    """Who has passed the first step of this log-in; None for one that there is not, or that took too long."""
    async with identity.db.read(tenant_id) as connection:
        return await members.find_link(
            connection, tenant_id, digest=_pending_digest(identity, pending), purpose=CODE, now=now_us()
        )


async def enter_code(identity: Identity, visit: Visit, pending: str, code: str, *, old_session: str | None) -> Opened:
    """Finish a log-in by a code of the app or a recovery code.

    Raises InvalidForm for a wrong code or a log-in that took too long, and RateLimited.
    """
    member = await pending_member(identity, visit.tenant_id, pending)
    if member is None:
        raise InvalidForm({"": ("login.too_late", {})})
    by_account = attempts.by_account(identity, "code", f"member\0{member.id}")
    by_address = attempts.by_address(identity, visit)
    await attempts.count(identity, visit.tenant_id, by_account, by_address)
    async with identity.write(visit.tenant_id) as connection:
        if not await second_factor.use_code(connection, identity, visit.tenant_id, member.id, code):
            raise InvalidForm({"code": ("login.wrong_code", {})})
        await attempts.succeed(connection, visit.tenant_id, by_account, by_address)
        await end_waiting(connection, identity, visit, pending)
        return await enter(connection, identity, visit, member, old_session)


async def end_waiting(connection: Connection, identity: Identity, visit: Visit, pending: str) -> None:
    """Use up a first step, in the caller's transaction. Raises InvalidForm where it took too long or is used."""
    digest = _pending_digest(identity, pending)
    if not await members.use_link(connection, visit.tenant_id, digest=digest, purpose=CODE, now=now_us()):
        raise InvalidForm({"": ("login.too_late", {})})


async def confirm_password(identity: Identity, visit: Visit, member_id: int, password: str) -> None:
    """Ask a member who is logged in for the password again. Raises InvalidForm (field `password`), RateLimited."""
    by_account = attempts.by_account(identity, "password", f"member\0{member_id}")
    await attempts.count(identity, visit.tenant_id, by_account)
    async with identity.db.read(visit.tenant_id) as connection:
        member = await members.by_id(connection, visit.tenant_id, member_id)
    if not await identity.passwords.fits(member.password_hash if member else None, password):
        raise InvalidForm({"password": ("form.password_wrong", {})})
    async with identity.write(visit.tenant_id) as connection:
        await attempts.succeed(connection, visit.tenant_id, by_account)


async def enter(
    connection: Connection,
    identity: Identity,
    visit: Visit,
    member: MemberRow,
    old_session: str | None,
    passkey: str | None = None,
) -> Opened:
    """A session of a member who has proved everything, recorded; `passkey`: the name of the one that signed."""
    opened = await open_session(connection, identity, visit, member, old=old_session)
    facts = {"browser": visit.browser, "place": visit.place}
    if passkey is not None:
        facts["passkey"] = passkey
    actor = f"member:{member.email}"
    await audit_log.record(connection, visit.tenant_id, actor, "member.login", "member", member.email, after=facts)
    return opened


def _subject(email: str) -> str:
    """What an address is counted under, whether it is one or not."""
    try:
        return normalise_email(email)
    except InvalidRequest:
        return email.strip().casefold()


async def _find(identity: Identity, visit: Visit, email: str) -> _Found:
    """The same queries for every address."""
    async with identity.db.read(visit.tenant_id) as connection:
        member = await members.find(connection, visit.tenant_id, _subject(email))
        member_id = member.id if member else 0
        known = await knows_device(connection, identity, visit.tenant_id, member_id, visit.device or "")
    return _Found(member, device_digest(identity, member_id, visit.device or "") if known else None)


async def _wait_for_code(connection: Connection, identity: Identity, visit: Visit, member: MemberRow) -> str:
    pending = new_token()
    await members.add_link(
        connection,
        visit.tenant_id,
        member.id,
        digest=_pending_digest(identity, pending),
        purpose=CODE,
        expires_at=now_us() + _ANSWER_WITHIN_US,
    )
    return pending


def _pending_digest(identity: Identity, pending: str) -> bytes:
    return identity.digest("member_code", pending)
