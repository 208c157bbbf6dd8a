"""What the database holds of everything that tenants.toml can state, across tenants. Changes nothing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ..core.tenant import PLATFORM_SLUG
from . import tables as t

Row = dict[str, Any]


class ManifestRows(Struct, frozen=True, kw_only=True):
    """One consistent read; each list holds mappings of column name to value.

    Withdrawn upstreams and models, detached domains and superseded packages are left out; archived tenants are not.
    `prices`: the version in force of each (tenant id or None, model, level) as (id, price list); `later`: those that
    begin after that moment, in the order in which they count; `scheduled`: changes that have not begun.
    """

    base: list[Row]
    """The resources of the file applied last; empty before the first apply."""
    platform: Row | None
    upstreams: list[Row]
    upstream_keys: list[Row]
    models: list[Row]
    tenants: list[Row]
    own_upstreams: list[Row]
    domains: list[Row]
    packages: list[Row]
    owners: list[Row]
    fingerprints: dict[str, str]
    prices: dict[tuple[int | None, str, str], tuple[str, Any]]
    later: list[Row]
    scheduled: list[Row]


async def read_all(connection: AsyncConnection, now: int, tenant_slug: str | None = None) -> ManifestRows:
    """The rows as of this transaction; `now` in µs tells the prices in force from later ones.

    With `tenant_slug`, prices and scheduled changes are that tenant's alone, beside the operator's costs.
    """
    applied = select(t.applied_manifest.c.resources).order_by(t.applied_manifest.c.id.desc()).limit(1)
    keys = select(t.upstream_key).order_by(t.upstream_key.c.upstream_id, t.upstream_key.c.position)
    price, waiting = t.price_version.c, t.scheduled_price.c
    own = [] if tenant_slug is None else [_own(price.tenant_id, tenant_slug)]
    later = select(t.price_version).where(price.effective_from > now, *own).order_by(price.effective_from, price.id)
    scheduled = select(t.scheduled_price).where(waiting.state == "waiting")
    if tenant_slug is not None:
        scheduled = scheduled.where(_own(waiting.tenant_id, tenant_slug))
    secrets = select(t.secret.c.name, t.secret.c.fingerprint)
    return ManifestRows(
        base=await connection.scalar(applied) or [],
        platform=await connection.scalar(select(t.platform.c.settings)),
        upstreams=await _rows(connection, select(t.upstream).where(t.upstream.c.status == "active")),
        upstream_keys=await _rows(connection, keys),
        models=await _rows(connection, select(t.model).where(t.model.c.status == "active")),
        tenants=await _rows(connection, select(t.tenant).where(t.tenant.c.slug != PLATFORM_SLUG)),
        own_upstreams=await _rows(connection, select(t.own_upstream).where(t.own_upstream.c.status == "active")),
        domains=await _rows(connection, select(t.domain).where(t.domain.c.state == "live").order_by(t.domain.c.id)),
        packages=await _rows(connection, _packages()),
        owners=await _rows(
            connection, select(t.member).where(t.member.c.role == "owner", t.member.c.status != "removed")
        ),
        fingerprints={row.name: row.fingerprint for row in await connection.execute(secrets)},
        prices={
            (row["tenant_id"], row["model"], row["level"]): (row["id"], row["prices"])
            for row in await _rows(connection, _prices_in_force(now, *own))
        },
        later=await _rows(connection, later),
        scheduled=await _rows(connection, scheduled.order_by(waiting.effective_from, waiting.id)),
    )


def _packages() -> Select[Any]:
    """What resellers offer; what the platform itself sells to them is no part of a manifest's tenants."""
    sellers = select(t.tenant.c.id).where(t.tenant.c.slug != PLATFORM_SLUG)
    return select(t.package).where(t.package.c.status == "offered", t.package.c.tenant_id.in_(sellers))


def _own(column: ColumnElement[int | None], tenant_slug: str) -> ColumnElement[bool]:
    """Nobody's rows, and those of one tenant."""
    return or_(
        column.is_(None), column == select(t.tenant.c.id).where(t.tenant.c.slug == tenant_slug).scalar_subquery()
    )


def _prices_in_force(now: int, *wanted: ColumnElement[bool]) -> Select[Any]:
    c = t.price_version.c
    rank = func.row_number().over(
        partition_by=(c.tenant_id, c.model, c.level), order_by=(c.effective_from.desc(), c.id.desc())
    )
    ranked = select(t.price_version, rank.label("rank")).where(c.effective_from <= now, *wanted).subquery()
    return select(ranked).where(ranked.c.rank == 1)


async def _rows(connection: AsyncConnection, statement: Select[Any]) -> list[Row]:
    return [dict(row) for row in (await connection.execute(statement)).mappings()]
