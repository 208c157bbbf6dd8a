"""Writes what apply decided: platform, upstreams, models, prices, and tenants with what is theirs. Decides nothing.

Each function brings one thing to a state, whether it existed before or not, and deletes nothing that has history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.ids import new_id
from . import tables as t
from .engine import now_us


class KeyRow(Struct, frozen=True, kw_only=True):
    """One key of an upstream's pool: where it came from and under which name its ciphertext is stored."""

    reference: str
    secret_name: str
    fingerprint: str


class RouteRow(Struct, frozen=True, kw_only=True):
    """One way to serve a model."""

    upstream_id: int
    upstream_model: str
    priority: int
    weight: int
    cost_version: str


async def lock(connection: AsyncConnection) -> None:
    """Let one writer of configuration in at a time; on SQLite the transaction itself does."""
    await connection.execute(select(t.revision.c.number).with_for_update())


async def add_applied(connection: AsyncConnection, resources: list[dict[str, Any]]) -> None:
    """The desired state of this apply: the base of the next merge."""
    await connection.execute(insert(t.applied_manifest).values(resources=resources, applied_at=now_us()))


async def put_platform(connection: AsyncConnection, settings: dict[str, Any]) -> None:
    """`[platform]` and the default `[wholesale]`."""
    await _put(connection, t.platform, {"id": 1}, {"settings": settings, "updated_at": now_us()}, {})


async def put_upstream(
    connection: AsyncConnection, name: str, dialect: str, base_url: str, settings: dict[str, Any]
) -> int:
    """An active upstream; its id."""
    values = {"dialect": dialect, "base_url": base_url, "settings": settings, "status": "active"}
    return await _put(connection, t.upstream, {"name": name}, values, {"created_at": now_us()})


async def put_upstream_keys(connection: AsyncConnection, upstream_id: int, keys: Sequence[KeyRow]) -> None:
    """The whole pool of an upstream, by position; keys beyond it are dropped."""
    for position, key in enumerate(keys):
        values = {"reference": key.reference, "secret_name": key.secret_name, "fingerprint": key.fingerprint}
        await _put(connection, t.upstream_key, {"upstream_id": upstream_id, "position": position}, values, {})
    c = t.upstream_key.c
    surplus = delete(t.upstream_key).where(c.upstream_id == upstream_id, c.position >= len(keys))
    await connection.execute(surplus)


async def drop_secrets(connection: AsyncConnection, names: Iterable[str]) -> None:
    """Forget secrets that nothing refers to any more."""
    await connection.execute(delete(t.secret).where(t.secret.c.name.in_(list(names))))


async def put_model(
    connection: AsyncConnection, name: str, context: int, max_output: int, settings: dict[str, Any], cost_version: str
) -> int:
    """An active model; its id."""
    values = {
        "context": context,
        "max_output": max_output,
        "settings": settings,
        "cost_version": cost_version,
        "status": "active",
    }
    return await _put(connection, t.model, {"name": name}, values, {"created_at": now_us()})


async def put_routes(connection: AsyncConnection, model_id: int, routes: Iterable[RouteRow]) -> None:
    """The routes of a model; those that are not named any more are withdrawn."""
    await connection.execute(update(t.route).where(t.route.c.model_id == model_id).values(status="withdrawn"))
    for route in routes:
        key = {"model_id": model_id, "upstream_id": route.upstream_id, "upstream_model": route.upstream_model}
        values = {
            "priority": route.priority,
            "weight": route.weight,
            "cost_version": route.cost_version,
            "status": "active",
        }
        await _put(connection, t.route, key, values, {})


async def withdraw(connection: AsyncConnection, kind: str, name: str) -> None:
    """Take an upstream or a model out of use; its rows and its history stay."""
    table = {"upstream": t.upstream, "model": t.model}[kind]
    await connection.execute(update(table).where(table.c.name == name).values(status="withdrawn"))


async def add_cost_version(
    connection: AsyncConnection, tenant_id: int | None, model: str, prices: Any, effective_from: int
) -> str:
    """A new dated cost of a model or route, of a tenant's own or the operator's (None); its id."""
    return await _add_price(connection, tenant_id, "cost", model, prices, effective_from)


async def add_price_version(
    connection: AsyncConnection, tenant_id: int, level: str, model: str, prices: Any, effective_from: int
) -> str:
    """A newly published price list of the tenant at one level; its id."""
    return await _add_price(connection, tenant_id, level, model, prices, effective_from)


async def update_tenant(connection: AsyncConnection, tenant_id: int, values: dict[str, Any]) -> None:
    """Set a tenant's own columns; its suspension is none of them."""
    await connection.execute(update(t.tenant).where(t.tenant.c.id == tenant_id).values(**values))


async def put_domain(connection: AsyncConnection, tenant_id: int, host: str, role: str, *, is_primary: bool) -> None:
    """A live host of the tenant. A host has one row for ever, so it is taken over if another tenant had it.

    The operator vouches for a host that is new to the tenant, or comes back; one that DNS proves goes on as it was.
    """
    c, now = t.domain.c, now_us()
    values = {"role": role, "is_primary": is_primary}
    own = update(t.domain).where(c.host == host, c.tenant_id == tenant_id, c.state == "live")
    if (await connection.execute(own.values(**values))).rowcount:
        return
    vouched = {
        "tenant_id": tenant_id,
        "state": "live",
        "source": "file",
        "verified_at": now,
        "challenge": None,
        "next_check_at": None,
        "failing_since": None,
        "warned_days": 0,
        "warned_at": None,
        "ended_at": None,
        "released_at": None,
        "found": None,
        "checked_at": None,
    }
    await _put(connection, t.domain, {"host": host}, {**values, **vouched}, {"created_at": now})


async def detach_domain(connection: AsyncConnection, tenant_id: int, host: str) -> None:
    """Stop answering at a host of the tenant."""
    c = t.domain.c
    ended = {"state": "detached", "ended_at": now_us(), "next_check_at": None}
    # Proofs of before say nothing any more: what the operator took out does not come back by itself.
    values = {**ended, "source": "file", "challenge": None, "is_primary": False}
    await connection.execute(update(t.domain).where(c.tenant_id == tenant_id, c.host == host).values(**values))


async def put_owner(connection: AsyncConnection, tenant_id: int, email: str) -> None:
    """An owner of the tenant; who is a member already becomes one."""
    c = t.member.c
    found = select(c.id).where(c.tenant_id == tenant_id, c.email == email)
    row_id = await connection.scalar(found.with_for_update())
    if row_id is None:
        row = {"tenant_id": tenant_id, "email": email, "role": "owner", "status": "invited", "created_at": now_us()}
        await connection.execute(insert(t.member).values(row))
    else:
        await connection.execute(update(t.member).where(c.id == row_id).values(role="owner"))
        removed = update(t.member).where(c.id == row_id, c.status == "removed")
        await connection.execute(removed.values(status="invited", invited_at=None))


async def publish_package(connection: AsyncConnection, tenant_id: int, code: str, terms: dict[str, Any]) -> None:
    """A new version of a package; what was bought before keeps its own."""
    await withdraw_package(connection, tenant_id, code, status="superseded")
    c = t.package.c
    newest = select(func.max(c.version)).where(c.tenant_id == tenant_id, c.code == code)
    row = {
        "tenant_id": tenant_id,
        "code": code,
        "version": (await connection.scalar(newest) or 0) + 1,
        "terms": terms,
        "status": "offered",
        "created_at": now_us(),
    }
    await connection.execute(insert(t.package).values(row))


async def withdraw_package(
    connection: AsyncConnection, tenant_id: int, code: str, *, status: str = "withdrawn"
) -> None:
    """Offer a package no longer."""
    c = t.package.c
    offered = update(t.package).where(c.tenant_id == tenant_id, c.code == code, c.status == "offered")
    await connection.execute(offered.values(status=status))


async def _add_price(
    connection: AsyncConnection, tenant_id: int | None, level: str, model: str, prices: Any, effective_from: int
) -> str:
    version = new_id("prc")
    row = {
        "id": version,
        "tenant_id": tenant_id,
        "level": level,
        "model": model,
        "prices": prices,
        "effective_from": effective_from,
        "created_at": now_us(),
    }
    await connection.execute(insert(t.price_version).values(row))
    return version


async def _put(
    connection: AsyncConnection, table: Table, key: dict[str, Any], values: dict[str, Any], on_insert: dict[str, Any]
) -> int:
    """Update the row of this key or insert it; its id. `lock` has kept other writers out."""
    matches: list[ColumnElement[bool]] = [table.c[name] == value for name, value in key.items()]
    row_id = await connection.scalar(update(table).where(*matches).values(**values).returning(table.c.id))
    if row_id is None:
        row_id = await connection.scalar(insert(table).values({**key, **values, **on_insert}).returning(table.c.id))
    return int(row_id or 0)
