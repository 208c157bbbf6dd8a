"""Tokens of the management API, and what was answered under their idempotency keys. Never holds a token itself."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class ApiToken(Struct, frozen=True, kw_only=True):
    """A token as stored, without its digest. `prefix` is what may be shown of it; times in µs."""

    id: str
    tenant_id: int
    member_id: int | None
    prefix: str
    name: str
    scopes: tuple[str, ...]
    made_by: str
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    created_at: int

    def works_at(self, now: int) -> bool:
        """Whether it is neither revoked nor expired at that moment (µs)."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class KnownToken(Struct, frozen=True, kw_only=True):
    """A token, and its member's role as of now: None for a token of the operator's, empty once the member is gone."""

    token: ApiToken
    role: str | None


class Answer(Struct, frozen=True, kw_only=True):
    """What was answered under an idempotency key. `status` is None while the request is being worked on."""

    asked: bytes
    status: int | None
    sealed_by: str | None
    sealed: bytes | None
    created_at: int


_COLUMNS = [t.api_token.c[name] for name in ApiToken.__struct_fields__]


async def add(connection: AsyncConnection, tenant_id: int, token: ApiToken, digest: bytes) -> None:
    """Store a new token under the digest that it is found by."""
    row = {name: getattr(token, name) for name in ApiToken.__struct_fields__}
    values = {**row, "scopes": list(token.scopes), "tenant_id": tenant_id, "digest": digest}
    await connection.execute(insert(t.api_token).values(values))


async def find(connection: AsyncConnection, tenant_id: int, token_id: str) -> ApiToken | None:
    """The tenant's token of this id, revoked ones too."""
    c = t.api_token.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id, c.id == token_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _token(row)


async def page(connection: AsyncConnection, tenant_id: int, limit: int, before_id: str | None) -> list[ApiToken]:
    """The tenant's tokens, newest first; only those before the row `before_id`, if given."""
    c = t.api_token.c
    statement = select(*_COLUMNS).where(c.tenant_id == tenant_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(limit))
    return [_token(row) for row in rows.mappings()]


async def by_digest(connection: AsyncConnection, tenant_id: int, digest: bytes) -> KnownToken | None:
    """The tenant's token with this digest, whether it works or not."""
    c, m = t.api_token.c, t.member.c
    statement = (
        select(*_COLUMNS, m.role, m.status)
        .outerjoin(t.member, (m.id == c.member_id) & (m.tenant_id == c.tenant_id))
        .where(c.tenant_id == tenant_id, c.digest == digest)
    )
    row = (await connection.execute(statement)).mappings().one_or_none()
    if row is None:
        return None
    token = _token({name: row[name] for name in ApiToken.__struct_fields__})
    role = row["role"] if row["status"] == "active" else ""
    return KnownToken(token=token, role=None if token.member_id is None else role)


async def touch(connection: AsyncConnection, tenant_id: int, token_id: str, now: int) -> None:
    """The token was used."""
    c = t.api_token.c
    used = update(t.api_token).where(c.tenant_id == tenant_id, c.id == token_id)
    await connection.execute(used.values(last_used_at=now))


async def revoke(connection: AsyncConnection, tenant_id: int, token_id: str, now: int) -> None:
    """The token works no longer."""
    c = t.api_token.c
    ended = update(t.api_token).where(c.tenant_id == tenant_id, c.id == token_id, c.revoked_at.is_(None))
    await connection.execute(ended.values(revoked_at=now))


async def revoke_of_member(connection: AsyncConnection, tenant_id: int, member_id: int, now: int) -> int:
    """None of the member's tokens works any longer; how many that were."""
    c = t.api_token.c
    ended = update(t.api_token).where(c.tenant_id == tenant_id, c.member_id == member_id, c.revoked_at.is_(None))
    return (await connection.execute(ended.values(revoked_at=now))).rowcount


async def reserve(
    connection: AsyncConnection, tenant_id: int, token_id: str, key: str, *, asked: bytes, now: int
) -> bool:
    """Begin a request under an idempotency key; False where there was one under it before."""
    row = {"tenant_id": tenant_id, "token_id": token_id, "key": key, "asked": asked, "created_at": now}
    database = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = database.insert(t.token_answer).values(row).on_conflict_do_nothing()
    return (await connection.execute(statement)).rowcount == 1


async def answer_of(connection: AsyncConnection, tenant_id: int, token_id: str, key: str) -> Answer | None:
    """What is known under an idempotency key."""
    c = t.token_answer.c
    columns = [c[name] for name in Answer.__struct_fields__]
    mine = (c.tenant_id == tenant_id, c.token_id == token_id, c.key == key)
    row = (await connection.execute(select(*columns).where(*mine))).mappings().one_or_none()
    return None if row is None else Answer(**row)


async def keep_answer(
    connection: AsyncConnection, tenant_id: int, token_id: str, key: str, *, status: int, sealed: tuple[str, bytes]
) -> None:
    """Remember what was answered under an idempotency key."""
    c = t.token_answer.c
    mine = update(t.token_answer).where(c.tenant_id == tenant_id, c.token_id == token_id, c.key == key)
    await connection.execute(mine.values(status=status, sealed_by=sealed[0], sealed=sealed[1]))


async def drop_answer(connection: AsyncConnection, tenant_id: int, token_id: str, key: str) -> None:
    """Forget a request, so that it may be made again."""
    c = t.token_answer.c
    await connection.execute(
        delete(t.token_answer).where(c.tenant_id == tenant_id, c.token_id == token_id, c.key == key)
    )


async def forget_answers(connection: AsyncConnection, tenant_id: int, before: int) -> None:
    """Forget the tenant's requests of before a moment (µs)."""
    c = t.token_answer.c
    await connection.execute(delete(t.token_answer).where(c.tenant_id == tenant_id, c.created_at < before))


def _token(row: Any) -> ApiToken:
    return ApiToken(**{**row, "scopes": tuple(row["scopes"])})
