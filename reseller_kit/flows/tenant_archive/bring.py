"""Use case of the operator: a tenant of another deployment's archive made here, with its books. All or nothing.

What an archive says is checked before and after: its manifest, the configuration as `apply` would, every total of
money, and then the whole audit of the tenant's ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ...core.errors import Conflict, InvalidRequest
from ...core.tenant import TenantStatus
from ...db import audit_log, operator_costs, schema, tenant_rows
from ...db import tables as t
from ...db.engine import Connection, Database, now_us
from ...vault import Vault
from ..audit import AuditReport, audit
from ..provision.edit import Edit
from ..tenant_made import checked_hosts, checked_slug, make
from ..tenants import TenantDetail, require_tenant, show_tenant
from .contents import COST_VERSIONS, TABLES, Arriving
from .export import Configuration, Host, Progress
from .file import Manifest, Reader

_HELD = ("balance_nano", "reserved_nano", "debt_nano")


class Wanted(Struct, frozen=True, kw_only=True):
    """How an archive is to be brought in; None is as it was there. `sha256`: what the file has to have."""

    slug: str | None = None
    hosts: Sequence[str] | None = None
    status: TenantStatus = "draft"
    sha256: str | None = None
    dry_run: bool = False


class Brought(Struct, frozen=True, kw_only=True):
    """What was, or would be, brought in; `detail` and `audit` are None for a dry run."""

    slug: str
    manifest: Manifest
    left_out: Sequence[str]
    detail: TenantDetail | None = None
    audit: AuditReport | None = None


class _WouldDo(Exception):  # no error: it takes a dry run back
    pass


async def bring(db: Database, vault: Vault, path: Path, wanted: Wanted, *, actor: str, progress: Progress) -> Brought:
    """Make the tenant of the archive in one transaction, and prove its books.

    Raises NotFound for a file that is not there, InvalidRequest for an archive that is damaged or of another schema,
    Conflict for what is taken here.
    """
    reader = Reader(path, wanted.sha256)
    try:
        manifest = reader.manifest
        await _refuse_unfit(db, path, manifest)
        slug = checked_slug(wanted.slug or manifest.tenant)
        configuration = msgspec.json.decode(reader.configuration(), type=Configuration)
        found = Brought(slug=slug, manifest=manifest, left_out=configuration.left_out)

        async def also(connection: Connection) -> None:
            tenant = await require_tenant(connection, slug)
            await _fill(connection, tenant.id, reader, progress)
            if await tenant_rows.money_of(connection, tenant.id) != manifest.money:
                raise Conflict("What arrived is not the money that left.", fix="Write the archive again.")
            facts = {"archive": path.name, "from": manifest.tenant, "made_at": manifest.made_at}
            await audit_log.record(connection, tenant.id, actor, "tenant.import", "tenant", slug, after=facts)
            if wanted.dry_run:
                raise _WouldDo

        edits = _edits(slug, configuration, wanted)
        try:
            await make(db, vault, slug, edits, actor=actor, also=also)
        except _WouldDo:
            return found
    except (KeyError, msgspec.MsgspecError):
        # Its hashes are right, so whoever wrote it wrote something else than this version does.
        raise InvalidRequest(f"The rows of {path} are not as this version writes them.", fix="Export again.") from None
    finally:
        reader.close()
    detail = await show_tenant(db, slug)
    report = await audit(db, tenant=detail.view.tenant.id)
    return msgspec.structs.replace(found, detail=detail, audit=report)


async def _refuse_unfit(db: Database, path: Path, manifest: Manifest) -> None:
    if not manifest.complete:
        raise InvalidRequest(
            f"{path} is a reseller's copy: it holds no costs, so its books can't be proven.",
            fix="Export with --operator for a move.",
        )
    here = await schema.current_revision(db)
    if manifest.schema != here:
        raise InvalidRequest(
            f"{path} is of schema {manifest.schema}, this deployment has {here}.",
            fix="Bring both deployments to the same version, then export again.",
        )
    tables = [file.name.removeprefix("rows/").removesuffix(".jsonl") for file in manifest.files if "/" in file.name]
    if tables != [*TABLES, COST_VERSIONS]:
        raise InvalidRequest(f"{path} does not hold the tables of schema {here}.", fix="Export again.")


def _edits(slug: str, configuration: Configuration, wanted: Wanted) -> list[Edit]:
    hosts: Iterable[Host] = configuration.hosts
    if wanted.hosts is not None:
        hosts = [
            Host(host=host, role="storefront", primary=place == 0)
            for place, host in enumerate(checked_hosts(wanted.hosts))
        ]
    return [
        Edit("tenant", slug, {**configuration.fields, "status": wanted.status}),
        *(Edit("domain", one.host, {"tenant": slug, "role": one.role, "primary": one.primary}) for one in hosts),
    ]


async def _fill(connection: Connection, tenant_id: int, reader: Reader, progress: Progress) -> None:
    arriving = Arriving(now=now_us(), numbers={})
    for name, rows in reader.rows():
        count = 0
        for chunk in _chunks(rows):
            if name == COST_VERSIONS:
                await operator_costs.add_cost_versions(connection, chunk)
            elif name == "account":
                await _add_accounts(connection, tenant_id, chunk, arriving)
            elif name == "package":
                await _add_packages(connection, tenant_id, chunk, arriving)
            else:
                added = [arriving.row(name, row) for row in chunk]
                await tenant_rows.add(connection, tenant_id, t.metadata.tables[name], added)
            count += len(chunk)
            progress(name, count)


async def _add_accounts(
    connection: Connection, tenant_id: int, rows: Sequence[dict[str, Any]], arriving: Arriving
) -> None:
    """The tenant's own accounts were made with it; customers' wallets are added."""
    known = await tenant_rows.keys_of(connection, tenant_id, t.account, ("kind", "owner"))
    numbers = arriving.numbers.setdefault("account", {})
    new = [row for row in rows if (row["kind"], row["owner"]) not in known]
    await tenant_rows.add(connection, tenant_id, t.account, [arriving.row("account", row) for row in new])
    here = await tenant_rows.keys_of(connection, tenant_id, t.account, ("kind", "owner"))
    for row in rows:
        place = row["kind"], row["owner"]
        numbers[row["id"]] = here[place]
        if place in known:
            held = {name: row[name] for name in _HELD}
            await tenant_rows.set_balances(connection, tenant_id, here[place], held)


async def _add_packages(
    connection: Connection, tenant_id: int, rows: Sequence[dict[str, Any]], arriving: Arriving
) -> None:
    await tenant_rows.add(connection, tenant_id, t.package, [arriving.row("package", row) for row in rows])
    here = await tenant_rows.keys_of(connection, tenant_id, t.package, ("code", "version"))
    numbers = arriving.numbers.setdefault("package", {})
    numbers.update({row["id"]: here[row["code"], row["version"]] for row in rows})


def _chunks(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while chunk := list(islice(rows, tenant_rows.CHUNK)):
        yield chunk
