"""Use case of the operator: everything of a tenant as one file. Changes nothing but the sums of usage.

The rows are read in one transaction that may see this tenant alone, some thousands at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli_w
from msgspec import Struct

from ...core.errors import Conflict
from ...core.manifest import flat, nested
from ...core.times import format_time
from ...db import operator_rollups, schema, tenant_rows, tenants
from ...db import tables as t
from ...db.engine import NO_TENANT, Connection, Database, now_us
from ...db.tenants import Tenant
from ..provision.state import TENANT_COLUMNS
from ..rollup import roll_up
from ..tenant_portable import portable
from ..tenants import require_tenant
from .contents import COST_VERSIONS, LEFT_OUT, TABLES, Leaving
from .file import CONFIGURATION, FORMAT, VERSION, Manifest, Writer

Progress = Callable[[str, int], None]
"""Called with a table and how many rows of it are done."""
_OPERATORS_PARTS = ("wholesale.", "routing.")


class Host(Struct, frozen=True, kw_only=True):
    """Where the tenant answered."""

    host: str
    role: str
    primary: bool


class Configuration(Struct, frozen=True, kw_only=True):
    """The tenant's own fields in the file's flat terms, its hosts, and the parts with secrets that are not there."""

    fields: dict[str, Any]
    hosts: Sequence[Host]
    left_out: Sequence[str]


class Exported(Struct, frozen=True, kw_only=True):
    """What was written."""

    path: Path
    sha256: str
    manifest: Manifest


async def export_tenant(db: Database, slug: str, path: Path, *, complete: bool, progress: Progress) -> Exported:
    """Write the archive of a tenant. `complete`: with the operator's costs and upstreams, as a move needs them.

    Raises NotFound, and Conflict when the file is there already or the books can't move as they are.
    """
    if complete:
        await roll_up(db)
    revision = await schema.current_revision(db)
    with Writer(path) as file:
        async with db.read(NO_TENANT) as connection:
            tenant = await require_tenant(connection, slug)
            if complete:
                await _refuse_unfit(connection, tenant)
            await _add_configuration(connection, file, tenant, complete=complete)
            leaving = Leaving(complete=complete)
            for name in (*TABLES, COST_VERSIONS):
                if leaving.takes(name):
                    rows = _rows(connection, tenant.id, name)
                    await _add_rows(file, leaving, name, rows, progress)
            money = await tenant_rows.money_of(connection, tenant.id) if complete else {}
        manifest = Manifest(
            format=FORMAT,
            version=VERSION,
            schema=revision or "",
            made_at=format_time(now_us()),
            tenant=tenant.slug,
            name=tenant.name,
            complete=complete,
            files=[],
            money=money,
            left_out=dict(LEFT_OUT),
        )
        digest, files = file.finish(manifest)
    return Exported(path=path, sha256=digest, manifest=msgspec.structs.replace(manifest, files=files))


async def _refuse_unfit(connection: Connection, tenant: Tenant) -> None:
    rolled = await operator_rollups.rolled_until(connection)
    reason = await tenant_rows.unfit(connection, tenant.id, rolled)
    if reason is not None:
        raise Conflict(
            f"The books of {tenant.slug} can't move now. {reason}",
            fix=f"Suspend it and wait for its last calls: reseller-kit tenant suspend {tenant.slug} --reason Move",
        )


async def _add_configuration(connection: Connection, file: Writer, tenant: Tenant, *, complete: bool) -> None:
    own = {name: getattr(tenant, name) for name in TENANT_COLUMNS}
    fields = {**own, **flat("tenant", tenant.settings)}
    resources: Any = {("tenant", tenant.slug): fields}
    async for rows in tenant_rows.rows_of(connection, tenant.id, t.own_upstream):
        for row in rows:
            resources["own_upstream", f"{tenant.slug}/{row['name']}"] = {}
    found = portable(resources, tenant.slug, of_another=False)
    kept = {name: value for name, value in found.fields.items() if complete or not name.startswith(_OPERATORS_PARTS)}
    hosts = [
        Host(host=row.host, role=row.role, primary=row.is_primary)
        for row in await tenants.domains(connection, tenant.id)
        if row.state == "live"
    ]
    configuration = Configuration(fields=kept, hosts=hosts, left_out=found.left_out)
    file.add(CONFIGURATION, msgspec.json.encode(configuration))
    table = {"slug": tenant.slug, **nested("tenant", kept), "domains": msgspec.to_builtins(hosts)}
    file.add("tenant.toml", tomli_w.dumps({"tenants": [_plain(table)]}, indent=2).encode())


async def _add_rows(
    file: Writer, leaving: Leaving, name: str, rows: AsyncIterator[list[dict[str, Any]]], progress: Progress
) -> None:
    with file.rows(f"rows/{name}.jsonl") as written:
        async for chunk in rows:
            for row in chunk:
                left = leaving.row(name, row)
                if left is not None:
                    written.row(left)
            progress(name, written.count)


def _rows(connection: Connection, tenant_id: int, name: str) -> AsyncIterator[list[dict[str, Any]]]:
    if name == COST_VERSIONS:
        return tenant_rows.cost_versions_of(connection, tenant_id)
    return tenant_rows.rows_of(connection, tenant_id, t.metadata.tables[name])


def _plain(value: Any) -> Any:
    """Without nulls, for which TOML has no word."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
