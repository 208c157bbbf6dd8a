"""API keys of a tenant's customers, as the operator and their owner see them. Never holds a key itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import RowMapping, Select, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .kept import kept


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key as stored, without its digest. `prefix` is what may be shown of it; limit in nano-USD, times in µs."""

    id: str
    tenant_id: int
    customer_id: str
    prefix: str
    name: str
    limit_nano: int | None
    limit_reset: str | None
    models: tuple[str, ...]
    allow_ips: tuple[str, ...]
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    expires_at: int | None
    revoked_at: int | None
    last_used_at: int | None
    created_at: int

    def works_at(self, now: int) -> bool:
        """Whether it is neither revoked nor expired at that moment (µs)."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class OwnedKey(Struct, frozen=True):
    """A key and its customer's e-mail address."""

    key: ApiKey
    email: str


async def find(connection: AsyncConnection, tenant_id: int, key_id: str) -> OwnedKey | None:
    """The tenant's key of this id, revoked ones too."""
    row = (await connection.execute(_select(tenant_id).where(t.api_key.c.id == key_id))).mappings().one_or_none()
    return None if row is None else _owned(row)


async def page(
    connection: AsyncConnection, tenant_id: int, customer_id: str | None, limit: int, before_id: str | None
) -> list[OwnedKey]:
    """The tenant's keys, or one customer's, newest first; only those before the row `before_id`, if given."""
    rows = await connection.execute(*_page(tenant_id, customer_id, limit, before_id))
    return [_owned(row) for row in rows.mappings()]


@kept
def _page(tenant_id: int, customer_id: str | None, limit: int, before_id: str | None) -> Select[Any]:
    c = t.api_key.c
    statement = _select(tenant_id)
    if customer_id is not None:
        statement = statement.where(c.customer_id == customer_id)
    if before_id is not None:
        statement = statement.where(c.id < before_id)
    return statement.order_by(c.id.desc()).limit(limit)


async def uses(connection: AsyncConnection, tenant_id: int, periods: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """(spent, reserved) in nano-USD of each key in its period; a key that has not called in it is left out."""
    w = t.key_window.c
    statement = select(w.key_id, w.started_at, w.spent_nano, w.reserved_nano).where(
        w.tenant_id == tenant_id, w.key_id.in_(periods), w.started_at.in_(set(periods.values()))
    )
    rows = await connection.execute(statement)
    return {row.key_id: (row.spent_nano, row.reserved_nano) for row in rows if periods[row.key_id] == row.started_at}


async def carry_use(connection: AsyncConnection, tenant_id: int, old_id: str, new_id: str, period: int) -> int:
    """Let a key begin its period with what the one it replaces has spent and reserved in it; how much (nano-USD)."""
    w = t.key_window.c
    statement = select(w.spent_nano, w.reserved_nano).where(
        w.tenant_id == tenant_id, w.key_id == old_id, w.started_at == period
    )
    row = (await connection.execute(statement.with_for_update())).one_or_none()
    total = 0 if row is None else row.spent_nano + row.reserved_nano
    if total:
        used = {"spent_nano": total, "carried_nano": total}
        await connection.execute(
            insert(t.key_window).values(key_id=new_id, started_at=period, tenant_id=tenant_id, **used)
        )
    return total


async def add(connection: AsyncConnection, tenant_id: int, key: ApiKey, digest: bytes) -> None:
    """Store a new key under the digest that it is found by."""
    row = {name: getattr(key, name) for name in ApiKey.__struct_fields__}
    lists = {"models": list(key.models), "allow_ips": list(key.allow_ips)}
    await connection.execute(insert(t.api_key).values({**row, **lists, "tenant_id": tenant_id, "digest": digest}))


async def change(connection: AsyncConnection, tenant_id: int, key: ApiKey) -> None:
    """Give a key that is not revoked the terms that `key` has."""
    c = t.api_key.c
    names = ("name", "limit_nano", "limit_reset", "requests_per_minute", "concurrent_requests", "expires_at")
    values = {name: getattr(key, name) for name in names}
    lists = {"models": list(key.models), "allow_ips": list(key.allow_ips)}
    statement = update(t.api_key).where(c.tenant_id == tenant_id, c.id == key.id, c.revoked_at.is_(None))
    await connection.execute(statement.values({**values, **lists}))


async def count_working(connection: AsyncConnection, tenant_id: int, customer_id: str, now: int) -> int:
    """How many of the customer's keys are neither revoked nor expired at `now` (µs)."""
    c = t.api_key.c
    statement = select(func.count()).select_from(t.api_key)
    statement = statement.where(c.tenant_id == tenant_id, c.customer_id == customer_id, c.revoked_at.is_(None))
    return int(await connection.scalar(statement.where(or_(c.expires_at.is_(None), c.expires_at > now))) or 0)


async def names(connection: AsyncConnection, tenant_id: int, customer_id: str) -> list[tuple[str, str, str]]:
    """(id, what may be shown, name) of every key that the customer ever had, newest first."""
    rows = await connection.execute(*_names(tenant_id, customer_id))
    return [(row.id, row.prefix, row.name) for row in rows]


@kept
def _names(tenant_id: int, customer_id: str) -> Select[Any]:
    c = t.api_key.c
    mine = (c.tenant_id == tenant_id, c.customer_id == customer_id)
    return select(c.id, c.prefix, c.name).where(*mine).order_by(c.id.desc())


async def revoke(connection: AsyncConnection, tenant_id: int, key_id: str, at: int) -> None:
    """Revoke a key for good."""
    c = t.api_key.c
    statement = update(t.api_key).where(c.tenant_id == tenant_id, c.id == key_id, c.revoked_at.is_(None))
    await connection.execute(statement.values(revoked_at=at))


def _select(tenant_id: int) -> Select[Any]:
    columns = [t.api_key.c[name] for name in ApiKey.__struct_fields__]
    same = (t.customer.c.id == t.api_key.c.customer_id) & (t.customer.c.tenant_id == t.api_key.c.tenant_id)
    statement = select(*columns, t.customer.c.email.label("email")).join(t.customer, same)
    return statement.where(t.api_key.c.tenant_id == tenant_id)


def _owned(row: RowMapping) -> OwnedKey:
    fields: dict[str, Any] = dict(row)
    email = fields.pop("email")
    lists = {name: tuple(fields[name]) for name in ("models", "allow_ips")}
    return OwnedKey(ApiKey(**{**fields, **lists}), email)
