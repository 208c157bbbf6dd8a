"""What the database holds of everything that tenants.toml can state, across tenants. Changes nothing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

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


async def read_all(connection: AsyncConnection, now: int) -> ManifestRows:
    """The rows as of this transaction; `now` in µs tells the prices in force from later ones."""
    applied = select(t.applied_manifest.c.resources).order_by(t.applied_manifest.c.id.desc()).limit(1)
    keys = select(t.upstream_key).order_by(t.upstream_key.c.upstream_id, t.upstream_key.c.position)
    price, waiting = t.price_version.c, t.scheduled_price.c
    later = select(t.price_version).where(price.effective_from > now).order_by(price.effective_from, price.id)
    scheduled = select(t.scheduled_price).where(waiting.state == "waiting")
    secrets = select(t.secret.c.name, t.secret.c.fingerprint)
    return ManifestRows(
        base=await connection.scalar(applied) or [],
        platform=await connection.scalar(select(t.platform.c.settings)),
        upstreams=await _rows(connection, select(t.upstream).where(t.upstream.c.status == "active")),
        upstream_keys=await _rows(connection, keys),
        models=await _rows(connection, select(t.model).where(t.model.c.status == "active")),
        tenants=await _rows(connection, select(t.tenant)),
        own_upstreams=await _rows(connection, select(t.own_upstream).where(t.own_upstream.c.status == "active")),
        domains=await _rows(connection, select(t.domain).where(t.domain.c.state == "live").order_by(t.domain.c.id)),
        packages=await _rows(connection, select(t.package).where(t.package.c.status == "offered")),
        owners=await _rows(
            connection, select(t.member).where(t.member.c.role == "owner", t.member.c.status != "removed")
        ),
        fingerprints={row.name: row.fingerprint for row in await connection.execute(secrets)},
        prices={
            (row["tenant_id"], row["model"], row["level"]): (row["id"], row["prices"])
            for row in await _rows(connection, _prices_in_force(now))
        },
        later=await _rows(connection, later),
        scheduled=await _rows(connection, scheduled.order_by(waiting.effective_from, waiting.id)),
    )


def _prices_in_force(now: int) -> Select[Any]:
    c = t.price_version.c
    rank = func.row_number().over(
        partition_by=(c.tenant_id, c.model, c.level), order_by=(c.effective_from.desc(), c.id.desc())
    )
    ranked = select(t.price_version, rank.label("rank")).where(c.effective_from <= now).subquery()
    return select(ranked).where(ranked.c.rank == 1)


async def _rows(connection: AsyncConnection, statement: Select[Any]) -> list[Row]:
    return [dict(row) for row in (await connection.execute(statement)).mappings()]
