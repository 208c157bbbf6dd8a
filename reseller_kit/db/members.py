"""Members of a team, with what they log in with: sessions, links, recovery codes. Decides and checks nothing.

The operator's own members are those of the tenant `platform`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .sessions import SessionRow


class MemberRow(Struct, frozen=True, kw_only=True):
    """A member. Holds a hash and a sealed secret: never logged, never shown. Times in µs; `status` as in the table.

    `passkeys`: how many there are.
    """

    id: int
    tenant_id: int
    email: str
    name: str
    role: str
    status: str
    created_at: int
    password_hash: str | None
    password_at: int | None
    totp_key_id: str | None
    totp_sealed: bytes | None
    totp_at: int | None
    totp_step: int
    invited_at: int | None
    accepted_at: int | None
    seen_at: int | None
    passkeys: int

    @property
    def two_factor(self) -> bool:
        """Whether the password alone does not log in: an app's codes are asked for, or there are passkeys."""
        return self.totp_at is not None or self.passkeys > 0

    def __repr__(self) -> str:
        return f"MemberRow(id={self.id})"


class LiveMember(Struct, frozen=True, kw_only=True):
    """A session that has not expired, and its member as of now."""

    session_id: str
    id: int
    email: str
    name: str
    role: str
    two_factor: bool
    seen_at: int


_PASSKEYS = (
    select(func.count())
    .select_from(t.member_passkey)
    .where(t.member_passkey.c.member_id == t.member.c.id, t.member_passkey.c.tenant_id == t.member.c.tenant_id)
    .correlate(t.member)
    .scalar_subquery()
)
_COLUMNS = [
    *[t.member.c[name] for name in MemberRow.__struct_fields__ if name != "passkeys"],
    _PASSKEYS.label("passkeys"),
]


async def find(connection: AsyncConnection, tenant_id: int, email: str) -> MemberRow | None:
    """The tenant's member with this address, whatever its status."""
    return await _one(connection, t.member.c.tenant_id == tenant_id, t.member.c.email == email)


async def by_id(connection: AsyncConnection, tenant_id: int, member_id: int) -> MemberRow | None:
    """The tenant's member of this number, whatever its status."""
    return await _one(connection, t.member.c.tenant_id == tenant_id, t.member.c.id == member_id)


async def team(connection: AsyncConnection, tenant_id: int) -> list[MemberRow]:
    """Everybody of the team who was not removed, by address."""
    c = t.member.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id, c.status != "removed").order_by(c.email)
    return [MemberRow(**row) for row in (await connection.execute(statement)).mappings()]


async def lock(connection: AsyncConnection, tenant_id: int) -> None:
    """Nobody else changes the team until the transaction ends: its last owner must stay."""
    c = t.member.c
    statement = select(c.id).where(c.tenant_id == tenant_id).order_by(c.id).with_for_update()
    await connection.execute(statement)


async def hold(connection: AsyncConnection, tenant_id: int, member_id: int) -> MemberRow | None:
    """As `by_id`, and nobody else changes how the member logs in until the transaction ends."""
    c = t.member.c
    await connection.execute(select(c.id).where(c.tenant_id == tenant_id, c.id == member_id).with_for_update())
    return await by_id(connection, tenant_id, member_id)


async def put(
    connection: AsyncConnection, tenant_id: int, email: str, *, name: str, role: str, now: int
) -> MemberRow | None:
    """A member who was invited at `now`, for the first time or again; None for one who is active already."""
    row = {
        "tenant_id": tenant_id,
        "email": email,
        "name": name,
        "role": role,
        "status": "invited",
        "created_at": now,
        "invited_at": now,
    }
    c = t.member.c
    statement = _insert(connection, t.member).values(row)
    again = {"role": role, "name": name, "status": "invited", "invited_at": now}
    statement = statement.on_conflict_do_update(
        index_elements=["tenant_id", "email"], set_=again, where=(c.tenant_id == tenant_id) & (c.status != "active")
    )
    await connection.execute(statement)
    found = await find(connection, tenant_id, email)
    return None if found is None or found.status == "active" else found


async def change(connection: AsyncConnection, tenant_id: int, member_id: int, **values: Any) -> None:
    """Set columns of a member."""
    c = t.member.c
    await connection.execute(update(t.member).where(c.tenant_id == tenant_id, c.id == member_id).values(**values))


async def note_invited(connection: AsyncConnection, tenant_id: int, member_id: int, now: int) -> bool:
    """Note that a member is written to now; False for one who was already, or needs no invitation."""
    c = t.member.c
    mine = update(t.member).where(c.tenant_id == tenant_id, c.id == member_id)
    waiting = mine.where(c.status == "invited", c.invited_at.is_(None))
    return (await connection.execute(waiting.values(invited_at=now))).rowcount == 1


async def use_step(connection: AsyncConnection, tenant_id: int, member_id: int, step: int) -> bool:
    """Use up a time step of the app's codes; False when it, or a later one, was used before."""
    c = t.member.c
    fresh = update(t.member).where(c.tenant_id == tenant_id, c.id == member_id, c.totp_step < step)
    return (await connection.execute(fresh.values(totp_step=step))).rowcount == 1


async def open_session(
    connection: AsyncConnection, tenant_id: int, member_id: int, *, digest: bytes, session: SessionRow
) -> None:
    """A new session, by the keyed hash of its token."""
    row = {name: getattr(session, name) for name in SessionRow.__struct_fields__}
    values = {**row, "digest": digest, "tenant_id": tenant_id, "member_id": member_id}
    await connection.execute(insert(t.member_session).values(values))


async def live(
    connection: AsyncConnection, tenant_id: int, digest: bytes, *, now: int, idle_since: int
) -> LiveMember | None:
    """Who is logged in by the tenant's session with this digest, unless it ran out or the member is not active."""
    s, c = t.member_session.c, t.member.c
    columns = [c[name] for name in ("id", "email", "name", "role")]
    two_factor = c.totp_at.is_not(None) | (_PASSKEYS > 0)
    statement = (
        select(*columns, s.id.label("session_id"), two_factor.label("two_factor"), s.seen_at)
        .join(t.member, (c.id == s.member_id) & (c.tenant_id == s.tenant_id))
        .where(s.tenant_id == tenant_id, s.digest == digest, s.expires_at > now, s.seen_at > idle_since)
        .where(c.status == "active")
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else LiveMember(**{**row, "two_factor": bool(row["two_factor"])})


async def touch(connection: AsyncConnection, tenant_id: int, digest: bytes, member_id: int, now: int) -> None:
    """The session was used."""
    s = t.member_session.c
    used = update(t.member_session).where(s.tenant_id == tenant_id, s.digest == digest)
    await connection.execute(used.values(seen_at=now))
    await change(connection, tenant_id, member_id, seen_at=now)


async def sessions_of(
    connection: AsyncConnection, tenant_id: int, member_id: int, *, now: int, idle_since: int
) -> list[SessionRow]:
    """The member's sessions that still hold, the latest used first."""
    s = t.member_session.c
    columns = [s[name] for name in SessionRow.__struct_fields__]
    holding = (s.tenant_id == tenant_id, s.member_id == member_id, s.expires_at > now, s.seen_at > idle_since)
    rows = await connection.execute(select(*columns).where(*holding).order_by(s.seen_at.desc(), s.id.desc()))
    return [SessionRow(**row) for row in rows.mappings()]


async def end_session(connection: AsyncConnection, tenant_id: int, digest: bytes) -> None:
    """End the session with this digest, if there is one."""
    s = t.member_session.c
    await connection.execute(delete(t.member_session).where(s.tenant_id == tenant_id, s.digest == digest))


async def end_sessions(
    connection: AsyncConnection, tenant_id: int, member_id: int, *, only: str | None = None, but: str | None = None
) -> int:
    """End the member's sessions: all, the one with the id `only`, or all but `but`; how many there were."""
    s = t.member_session.c
    statement = delete(t.member_session).where(s.tenant_id == tenant_id, s.member_id == member_id)
    if only is not None:
        statement = statement.where(s.id == only)
    if but is not None:
        statement = statement.where(s.id != but)
    return (await connection.execute(statement)).rowcount


async def add_link(
    connection: AsyncConnection, tenant_id: int, member_id: int, *, digest: bytes, purpose: str, expires_at: int
) -> None:
    """What the member may show from now on, by the keyed hash of its token; the same again holds longer."""
    row = {
        "digest": digest,
        "tenant_id": tenant_id,
        "member_id": member_id,
        "purpose": purpose,
        "expires_at": expires_at,
    }
    own = t.member_link.c.tenant_id == tenant_id
    statement = _insert(connection, t.member_link).values(row)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["digest"], set_={"expires_at": expires_at}, where=own)
    )


async def find_link(
    connection: AsyncConnection, tenant_id: int, *, digest: bytes, purpose: str, now: int
) -> MemberRow | None:
    """Whose link it is; None for one that there is not, that ran out, or whose member was removed."""
    l_, c = t.member_link.c, t.member.c
    statement = (
        select(*_COLUMNS)
        .join(t.member_link, (c.id == l_.member_id) & (c.tenant_id == l_.tenant_id))
        .where(l_.tenant_id == tenant_id, l_.digest == digest, l_.purpose == purpose, l_.expires_at > now)
        .where(c.status != "removed")
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else MemberRow(**row)


async def use_link(connection: AsyncConnection, tenant_id: int, *, digest: bytes, purpose: str, now: int) -> bool:
    """Take a link away, so that nobody else can use it; False where somebody was faster, or it ran out."""
    c = t.member_link.c
    waiting = (c.tenant_id == tenant_id, c.digest == digest, c.purpose == purpose, c.expires_at > now)
    return (await connection.execute(delete(t.member_link).where(*waiting))).rowcount == 1


async def drop_links(connection: AsyncConnection, tenant_id: int, member_id: int, *purposes: str) -> None:
    """Take away all of the member's links of these purposes."""
    c = t.member_link.c
    mine = (c.tenant_id == tenant_id, c.member_id == member_id, c.purpose.in_(purposes))
    await connection.execute(delete(t.member_link).where(*mine))


async def add_links(
    connection: AsyncConnection,
    tenant_id: int,
    member_id: int,
    digests: Iterable[bytes],
    *,
    purpose: str,
    expires_at: int,
) -> None:
    """Several links of one purpose at once."""
    row = {"tenant_id": tenant_id, "member_id": member_id, "purpose": purpose, "expires_at": expires_at}
    rows = [{**row, "digest": digest} for digest in digests]
    if rows:
        await connection.execute(insert(t.member_link), rows)


async def count_links(connection: AsyncConnection, tenant_id: int, member_id: int, purpose: str) -> int:
    """How many links of this purpose the member has."""
    c = t.member_link.c
    mine = (c.tenant_id == tenant_id, c.member_id == member_id, c.purpose == purpose)
    return await connection.scalar(select(func.count()).select_from(t.member_link).where(*mine)) or 0


async def _one(connection: AsyncConnection, *conditions: Any) -> MemberRow | None:
    row = (await connection.execute(select(*_COLUMNS).where(*conditions))).mappings().one_or_none()
    return None if row is None else MemberRow(**row)


def _insert(connection: AsyncConnection, table: Any) -> Any:
    return (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)
