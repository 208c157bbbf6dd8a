"""Members' second factors: codes of an authenticator app and recovery codes. Knows no page; passkeys are `passkeys`'.

The app's secret is sealed at rest; each time step and each recovery code works once. Recovery codes are given out with
the first factor of any kind, and stay while there is one.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from ...core.errors import InvalidForm
from ...core.ids import new_id
from ...core.roles import NEEDS_TWO_FACTORS
from ...db import audit_log, members
from ...db.engine import Connection, now_us
from ...db.members import MemberRow
from ..identity import attempts, letters, totp
from ..identity.second_factor import Setup
from ..identity.sessions import Opened
from ..identity.visit import Identity, Visit
from .sessions import open_session

RECOVERY: Final = "recovery"
_FOR_EVER: Final = 1 << 62


class Enabled(Struct, frozen=True):
    """A second factor that holds from now on; the codes are shown once."""

    recovery_codes: tuple[str, ...]
    opened: Opened


async def begin(identity: Identity, visit: Visit, member_id: int) -> None:
    """Make a secret that waits for its first code, unless one waits already. Does nothing while codes are on."""
    key_id, sealed = identity.vault.seal(_name(member_id), totp.new_secret())
    async with identity.write(visit.tenant_id) as connection:
        member = await members.by_id(connection, visit.tenant_id, member_id)
        if member is not None and member.totp_at is None and member.totp_sealed is None:
            await members.change(
                connection, visit.tenant_id, member_id, totp_key_id=key_id, totp_sealed=sealed, totp_step=0
            )


async def waiting(identity: Identity, visit: Visit, member_id: int, *, issuer: str) -> Setup | None:
    """The secret that waits for its first code, if one does. `issuer`: what the app calls the console."""
    async with identity.db.read(visit.tenant_id) as connection:
        member = await members.by_id(connection, visit.tenant_id, member_id)
    secret = None if member is None or member.totp_at is not None else _secret(identity, member)
    if member is None or secret is None:
        return None
    return Setup(secret, totp.uri(secret, issuer=issuer, account=member.email))


async def enable(identity: Identity, visit: Visit, member_id: int, code: str, *, session: str) -> Enabled:
    """Ask for codes from now on, after a first one that is right. `session` is replaced, all others end.

    Raises InvalidForm (field `code`) and RateLimited.
    """
    by_account = attempts.by_account(identity, "code", f"member\0{member_id}")
    await attempts.count(identity, visit.tenant_id, by_account)
    codes, now = totp.new_codes(), now_us()
    async with identity.write(visit.tenant_id) as connection:
        member = await members.by_id(connection, visit.tenant_id, member_id)
        step = None if member is None or member.totp_at is not None else _step_of(identity, member, code, now)
        if step is None or member is None:
            raise InvalidForm({"code": ("login.wrong_code", {})})
        await attempts.succeed(connection, visit.tenant_id, by_account)
        await members.change(connection, visit.tenant_id, member_id, totp_at=now, totp_step=step)
        await tell(connection, identity, visit, member, "on", after={"two_factor": True})
        return await secured(connection, identity, visit, member, codes, session=session)


async def secured(
    connection: Connection, identity: Identity, visit: Visit, member: MemberRow, codes: tuple[str, ...], *, session: str
) -> Enabled:
    """What follows a new factor, in the caller's transaction: these recovery codes, and no session but a fresh one."""
    await _store_codes(connection, identity, visit.tenant_id, member.id, codes)
    await members.end_sessions(connection, visit.tenant_id, member.id)
    return Enabled(codes, await open_session(connection, identity, visit, member, old=session))


async def disable(identity: Identity, visit: Visit, member_id: int) -> None:
    """Ask for no codes of an app any more. The caller has asked for the password.

    Raises InvalidForm for those who may not do without. Repeating is harmless.
    """
    async with identity.write(visit.tenant_id) as connection:
        member = await members.hold(connection, visit.tenant_id, member_id)
        if member is None or member.totp_sealed is None:
            return
        if not member.passkeys:
            check_may_go(member)
        await members.change(
            connection, visit.tenant_id, member_id, totp_key_id=None, totp_sealed=None, totp_at=None, totp_step=0
        )
        if not member.passkeys:
            await drop_codes(connection, member)
        if member.totp_at is not None:
            await tell(connection, identity, visit, member, "off", after={"two_factor": False})


def check_may_go(member: MemberRow) -> None:
    """Raises InvalidForm for a member who may not be without the last factor."""
    if member.role in NEEDS_TWO_FACTORS:
        raise InvalidForm({"": (f"{member.role.capitalize()}s always log in with two factors.", {})})


async def drop_codes(connection: Connection, member: MemberRow) -> None:
    """The recovery codes went with the last factor."""
    await members.drop_links(connection, member.tenant_id, member.id, RECOVERY)


async def new_recovery_codes(identity: Identity, visit: Visit, member_id: int) -> tuple[str, ...]:
    """Recovery codes in the place of those there were; none while the password alone logs in."""
    codes = totp.new_codes()
    async with identity.write(visit.tenant_id) as connection:
        member = await members.by_id(connection, visit.tenant_id, member_id)
        if member is None or not member.two_factor:
            return ()
        await _store_codes(connection, identity, visit.tenant_id, member_id, codes)
        actor = f"member:{member.email}"
        await audit_log.record(connection, visit.tenant_id, actor, "member.recovery_codes", "member", member.email)
    return codes


async def use_code(connection: Connection, identity: Identity, tenant_id: int, member_id: int, code: str) -> bool:
    """Use up a code of the app or a recovery code; False for one that is wrong or was used."""
    member = await members.by_id(connection, tenant_id, member_id)
    if member is None or not member.two_factor:
        return False
    step = None if member.totp_at is None else _step_of(identity, member, code, now_us())
    if step is not None:
        return await members.use_step(connection, tenant_id, member_id, step)
    digest = totp.code_digest(identity, _account(member_id), code)
    return await members.use_link(connection, tenant_id, digest=digest, purpose=RECOVERY, now=now_us())


async def tell(
    connection: Connection,
    identity: Identity,
    visit: Visit,
    member: MemberRow,
    change: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Mail and record what of a member's factors came or went, in the caller's transaction."""
    await letters.post(
        connection,
        identity,
        visit.tenant_id,
        kind="member_two_factor",
        recipient=member.email,
        once=new_id("req"),
        content={"change": change, **letters.circumstances(visit, now_us())},
    )
    actor, action = f"member:{member.email}", "member.two_factor"
    await audit_log.record(
        connection, visit.tenant_id, actor, action, "member", member.email, before=before, after=after
    )


def _step_of(identity: Identity, member: MemberRow, code: str, now: int) -> int | None:
    secret = _secret(identity, member)
    return None if secret is None else totp.step_of(secret, code, now)


def _secret(identity: Identity, member: MemberRow) -> str | None:
    if member.totp_key_id is None or member.totp_sealed is None:
        return None
    return identity.vault.open(_name(member.id), member.totp_key_id, member.totp_sealed)


async def _store_codes(
    connection: Connection, identity: Identity, tenant_id: int, member_id: int, codes: tuple[str, ...]
) -> None:
    digests = [totp.code_digest(identity, _account(member_id), code) for code in codes]
    await members.drop_links(connection, tenant_id, member_id, RECOVERY)
    await members.add_links(connection, tenant_id, member_id, digests, purpose=RECOVERY, expires_at=_FOR_EVER)


def _account(member_id: int) -> str:
    return f"member:{member_id}"


def _name(member_id: int) -> str:
    return f"totp:member:{member_id}"
