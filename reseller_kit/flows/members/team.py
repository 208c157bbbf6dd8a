"""A team's members: invite, change, remove. Whoever acts is named in the audit log; the last owner always stays.

The command line may do what no member may: its user is the operator.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from ...core.email import normalise_email
from ...core.errors import Conflict, InvalidForm, InvalidRequest, NotFound
from ...core.roles import TEAM_ROLES, may_make
from ...core.tenant import PLATFORM_SLUG
from ...core.urls import DEFAULT_PORT, public_url
from ...db import api_tokens, audit_log, members, operator, passkeys, revisions, tenants
from ...db.engine import NO_TENANT, Connection, Database, now_us
from ...db.members import MemberRow
from ...db.tenants import Tenant
from ...vault import Vault
from ...vault.passwords import Passwords
from ..brand import storefront_host
from ..identity.visit import Identity
from ..platform import ensure_platform
from ..tenants import require_tenant
from .links import post_invitation

OPERATOR: Final = "operator"
_WHO_THERE_IS: Final = "See: reseller-kit member list --tenant TENANT, or reseller-kit operator list"
_CHIEFS: Final = frozenset({"owner", OPERATOR})


class Invited(Struct, frozen=True):
    """Somebody who was invited, and the link that was mailed; None where there is no host for it yet."""

    member: MemberRow
    link: str | None


class Wanted(Struct, frozen=True, kw_only=True):
    """Whom to invite, as what, and who does."""

    email: str
    role: str
    name: str = ""
    actor: str


async def invite(db: Database, vault: Vault, tenant_slug: str, wanted: Wanted, *, port: int = DEFAULT_PORT) -> Invited:
    """A member of a reseller's team, and the link that was mailed. Again for one who has not accepted: a new link.

    Raises InvalidRequest for a malformed address or role and Conflict for an active member.
    """
    if wanted.role not in TEAM_ROLES:
        fix = f"Choose one of {', '.join(TEAM_ROLES)}."
        raise InvalidRequest(f"{wanted.role!r} is no role.", param="role", fix=fix)
    wanted = replace(wanted, email=normalise_email(wanted.email))
    identity = Identity(db, vault, Passwords(vault.pepper))
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        await _keep_an_owner(connection, tenant.id, wanted.email, wanted.role)
        return await _invite(connection, identity, tenant, wanted, port)


async def invite_operator(
    db: Database, vault: Vault, *, email: str, name: str = "", actor: str, port: int = DEFAULT_PORT
) -> Invited:
    """One of the operator's own people, as `invite`."""
    wanted = Wanted(email=normalise_email(email), role=OPERATOR, name=name, actor=actor)
    identity = Identity(db, vault, Passwords(vault.pepper))
    async with db.write(NO_TENANT) as connection:
        platform = await ensure_platform(connection)
        await revisions.bump(connection, "config")
        return await _invite(connection, identity, platform, wanted, port)


async def list_members(db: Database, tenant_slug: str) -> list[MemberRow]:
    """The team of a tenant, by address. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return await members.team(connection, tenant.id)


async def list_operators(db: Database) -> list[MemberRow]:
    """The operator's own people, by address."""
    async with db.write(NO_TENANT) as connection:
        return await members.team(connection, (await ensure_platform(connection)).id)


async def remove(db: Database, *, tenant_slug: str, email: str, actor: str) -> MemberRow:
    """Take a member's access away at once. Raises NotFound, and Conflict for the last owner."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return await _remove(connection, tenant, email, actor)


async def remove_operator(db: Database, *, email: str, actor: str) -> MemberRow:
    """As `remove`, of one of the operator's own people."""
    async with db.write(NO_TENANT) as connection:
        return await _remove(connection, await ensure_platform(connection), email, actor)


async def _remove(connection: Connection, tenant: Tenant, email: str, actor: str) -> MemberRow:
    await members.lock(connection, tenant.id)
    member = await _require(connection, tenant.id, normalise_email(email))
    await _keep_an_owner(connection, tenant.id, member.email, None)
    await take_away(connection, member, actor)
    return member


async def of_tenant(identity: Identity, tenant_id: int) -> list[MemberRow]:
    """The team, by address."""
    async with identity.db.read(tenant_id) as connection:
        return await members.team(connection, tenant_id)


async def require(identity: Identity, tenant_id: int, email: str) -> MemberRow:
    """The member of this address. Raises NotFound."""
    async with identity.db.read(tenant_id) as connection:
        return await _require(connection, tenant_id, email)


async def invite_by(identity: Identity, tenant_id: int, by: MemberRow, *, email: str, role: str, name: str) -> None:
    """A member invites somebody. Raises InvalidForm (fields `email`, `role`)."""
    if not may_make(by.role, role):
        raise InvalidForm({"role": ("Choose a role that you may give.", {})})
    try:
        address = normalise_email(email)
    except InvalidRequest:
        raise InvalidForm({"email": ("form.email_invalid", {})}) from None
    actor = _actor(by)
    async with identity.write(tenant_id) as connection:
        tenant = await _tenant_of(connection, tenant_id)
        present = await members.find(connection, tenant_id, address)
        if present is not None and present.status == "active":
            raise InvalidForm({"email": ("{email} is on the team already.", {"email": address})})
        if present is not None and present.status == "invited" and not may_make(by.role, present.role):
            raise InvalidForm({"email": ("Only an owner changes the invitation of an owner.", {})})
        await members.lock(connection, tenant_id)
        if await _leaves_no_owner(connection, tenant_id, address, role):
            raise InvalidForm({"role": ("The team needs an owner.", {})})
        wanted = Wanted(email=address, role=role, name=name, actor=actor)
        await _invite(connection, identity, tenant, wanted, DEFAULT_PORT)


async def change_role(identity: Identity, tenant_id: int, by: MemberRow, email: str, role: str) -> None:
    """A member gives another one a role. Raises InvalidForm (field `role`) and NotFound."""
    async with identity.write(tenant_id) as connection:
        await members.lock(connection, tenant_id)
        member = await _require(connection, tenant_id, email)
        if not (may_make(by.role, member.role) and may_make(by.role, role)):
            raise InvalidForm({"role": ("Only an owner makes and unmakes owners.", {})})
        if await _leaves_no_owner(connection, tenant_id, member.email, role):
            raise InvalidForm({"role": ("The team needs an owner. Make somebody else one first.", {})})
        if member.role == role:
            return
        await members.change(connection, tenant_id, member.id, role=role)
        await audit_log.record(
            connection,
            tenant_id,
            _actor(by),
            "member.role",
            "member",
            member.email,
            before={"role": member.role},
            after={"role": role},
        )


async def remove_by(identity: Identity, tenant_id: int, by: MemberRow, email: str) -> None:
    """A member takes another one's access away at once. Raises InvalidForm and NotFound."""
    async with identity.write(tenant_id) as connection:
        await members.lock(connection, tenant_id)
        member = await _require(connection, tenant_id, email)
        if not may_make(by.role, member.role):
            raise InvalidForm({"": ("Only an owner removes an owner.", {})})
        if await _leaves_no_owner(connection, tenant_id, member.email, None):
            raise InvalidForm({"": ("The team needs an owner. Make somebody else one first.", {})})
        await take_away(connection, member, _actor(by))


async def resend_by(identity: Identity, tenant_id: int, by: MemberRow, email: str) -> None:
    """A member has an invitation mailed once more; the earlier link is void. Raises InvalidForm and NotFound."""
    async with identity.db.read(tenant_id) as connection:
        member = await _require(connection, tenant_id, email)
    if member.status != "invited":
        raise InvalidForm({"": ("{email} has accepted already.", {"email": email})})
    await invite_by(identity, tenant_id, by, email=email, role=member.role, name=member.name)


async def take_away(connection: Connection, member: MemberRow, actor: str) -> None:
    """End a member's access in the caller's transaction: log-in, sessions, links, passkeys and API tokens.

    The row and its history stay.
    """
    await api_tokens.revoke_of_member(connection, member.tenant_id, member.id, now_us())
    await members.end_sessions(connection, member.tenant_id, member.id)
    await members.drop_links(connection, member.tenant_id, member.id, "invite", "reset", "code", "device", "recovery")
    await passkeys.remove_all(connection, member.tenant_id, passkeys.MEMBERS, member.id)
    await members.change(
        connection,
        member.tenant_id,
        member.id,
        status="removed",
        password_hash=None,
        totp_key_id=None,
        totp_sealed=None,
        totp_at=None,
    )
    before = {"role": member.role, "status": member.status}
    await audit_log.record(connection, member.tenant_id, actor, "member.remove", "member", member.email, before=before)


async def _invite(connection: Connection, identity: Identity, tenant: Tenant, wanted: Wanted, port: int) -> Invited:
    before = await members.find(connection, tenant.id, wanted.email)
    given = wanted.name or (before.name if before is not None else "")
    member = await members.put(connection, tenant.id, wanted.email, name=given, role=wanted.role, now=now_us())
    if member is None:
        raise Conflict(f"{wanted.email} is a member already.", fix="Change the role on the team page of the console.")
    token = await post_invitation(connection, identity, member, _name_of(wanted.actor))
    facts = {"email": wanted.email, "role": wanted.role}
    await audit_log.record(connection, tenant.id, wanted.actor, "member.invite", "member", wanted.email, after=facts)
    origin = await _origin(connection, tenant, port)
    base = "" if tenant.slug == PLATFORM_SLUG else "/console"
    return Invited(member, None if origin is None else f"{origin}{base}/invite?token={token}")


async def _origin(connection: Connection, tenant: Tenant, port: int) -> str | None:
    platform = await tenants.platform_settings(connection)
    if tenant.slug == PLATFORM_SLUG:
        host = next(iter(platform.get("hosts", ())), None)
    else:
        host = await storefront_host(connection, tenant, platform)
    return None if host is None else public_url(host, platform.get("public_url"), port)


async def _keep_an_owner(connection: Connection, tenant_id: int, email: str, role: str | None) -> None:
    """Raises Conflict where the team would be left without an owner."""
    if await _leaves_no_owner(connection, tenant_id, email, role):
        raise Conflict("The team needs an owner.", fix="Invite another one first.")


async def _leaves_no_owner(connection: Connection, tenant_id: int, email: str, role: str | None) -> bool:
    """Whether this role (None: none) for the address takes the team's last owner, or the last operator, away."""
    owners = [member.email for member in await members.team(connection, tenant_id) if member.role in _CHIEFS]
    return role not in _CHIEFS and owners == [email]


async def _require(connection: Connection, tenant_id: int, email: str) -> MemberRow:
    member = await members.find(connection, tenant_id, email)
    if member is None or member.status == "removed":
        raise NotFound(f"There is no member {email[:254]!r}.", fix=_WHO_THERE_IS)
    return member


async def _tenant_of(connection: Connection, tenant_id: int) -> Tenant:
    found = await operator.tenant_by_id(connection, tenant_id)
    if found is None:
        raise NotFound("There is no such tenant.")
    return found


def _actor(by: MemberRow) -> str:
    return f"{OPERATOR if by.role == OPERATOR else 'member'}:{by.email}"


def _name_of(actor: str) -> str:
    """Who invites, as the mail names them: a member by address, the operator not at all."""
    kind, _, who = actor.partition(":")
    return who if kind == "member" else ""
