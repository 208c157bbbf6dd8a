"""Changing a tenant's configuration outside the file, as consoles do: `edit`, `preview` and `read_current`.

An edit is checked and carried out as `apply` would do it, but what was applied last stays what it was, so that `plan`
shows the edit as drift. Everything here is one tenant's: others are looked at only to see whose a host is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from ...core.errors import Conflict, NotFound
from ...core.manifest import Levels, Resources, invalid
from ...core.manifest.floor import floor_of
from ...core.manifest.schedule import ScheduledChange
from ...db import operator_domains, operator_manifest, provisioning
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...db.operator_manifest import ManifestRows
from ...upstream.addresses import look_up
from ...vault import Vault
from ..members.owners import invite_waiting
from .decide import Plan
from .edit_checks import taken_host
from .edit_decision import (
    Asked,
    Edit,
    Outcome,
    Part,
    belongs,
    changed_levels,
    current_levels,
    decide_edit,
    hidden_levels,
    loses_money,
    mark_of,
    own_hosts,
    stored_tenant,
)
from .state import actual_resources
from .timeline import begin
from .write import write_begun, write_edit

__all__ = ["Current", "Edit", "Outcome", "edit", "preview", "problems_of", "read_changed", "read_current"]

Also = Callable[[Connection], Awaitable[object]]
_STALE = "Somebody else changed this meanwhile."


class Current(Outcome, frozen=True, kw_only=True):
    """What a tenant's configuration is now: its resources in the file's terms, typed, and its prices.

    `hidden`: the prices of models that its catalogue holds back. Price lists hold the operator's cost too, which no
    page of a reseller shows. `loses`: somewhere retail lies below wholesale, and nobody allowed it. `floor`: the least
    markup (ppm) of retail on what the reseller pays, where the operator sets one.
    """

    resources: Resources
    hidden: Mapping[str, Levels]
    loses: bool
    floor: int | None = None

    def mark(self, *parts: Part) -> str:
        """What these parts are now, as a text to hand back to `edit` as `expected`."""
        return mark_of(self.resources, self.tenant.slug, parts)


async def read_current(db: Database, tenant_slug: str) -> Current:
    """The configuration as of now. Raises NotFound."""
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        rows, _ = begin(await operator_manifest.read_all(connection, now, tenant_slug), now)
    return await asyncio.to_thread(_current, rows, tenant_slug)


async def read_changed(db: Database, tenant_slug: str, change: ScheduledChange) -> Mapping[str, Levels]:
    """The prices that there would be now, had a scheduled change begun."""
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        rows, _ = begin(await operator_manifest.read_all(connection, now, tenant_slug), now)
    _check_exists(rows, tenant_slug, new=False)
    return await asyncio.to_thread(changed_levels, rows, tenant_slug, change)


async def preview(db: Database, *, tenant_slug: str, edits: Sequence[Edit], new: bool = False) -> Outcome:
    """What an edit would lead to. Changes nothing. Raises as `edit` does."""
    now = now_us()
    found = await _addresses(edits)
    async with db.read(EVERY_TENANT) as connection:
        rows, _ = begin(await operator_manifest.read_all(connection, now, tenant_slug), now)
    _check_exists(rows, tenant_slug, new=new)
    asked = Asked(slug=tenant_slug, edits=edits, now=now, addresses=found)
    return (await asyncio.to_thread(decide_edit, rows, asked)).outcome


async def edit(
    db: Database,
    vault: Vault,
    *,
    tenant_slug: str,
    edits: Sequence[Edit],
    actor: str,
    secrets: Mapping[str, str] = {},
    expected: str | None = None,
    new: bool = False,
    also: Also | None = None,
) -> Plan:
    """Change a tenant's configuration, all or nothing, with its prices and the record of it; what was changed.

    `secrets`: stored name, such as `tenant:aurora:payments.api_key`, → plaintext; the field holds `STORED` then.
    `expected`: the mark of the parts that were looked at: Conflict when they are others by now. `new`: the tenant is
    to be made: Conflict when there is one of that slug, else NotFound when there is none. `also`: what else belongs to
    the change, carried out in its transaction once it is written.
    Raises InvalidManifest, whose findings have the tenant's own paths (see `problems_of`).
    """
    found = await _addresses(edits)
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.lock(connection)
        now = now_us()
        rows, begun = begin(await operator_manifest.read_all(connection, now, tenant_slug), now)
        await write_begun(connection, begun, now)
        _check_exists(rows, tenant_slug, new=new)
        _check_mark(rows, tenant_slug, expected)
        await _check_holders(connection, rows, tenant_slug, edits)
        asked = Asked(slug=tenant_slug, edits=edits, now=now, addresses=found, vault=vault, secrets=secrets)
        decided = await asyncio.to_thread(decide_edit, rows, asked)
        if decided.decision.plan.pending:
            await write_edit(connection, rows, decided.decision, vault, actor, tenant_slug=tenant_slug)
        if also is not None:
            await also(connection)
    await invite_waiting(db, vault)
    return decided.decision.plan


def problems_of(details: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The errors of an InvalidManifest by the field's path within the tenant, such as `pricing.rules[0].markup`."""
    found: dict[str, str] = {}
    for detail in details:
        if detail["level"] == "error":
            found.setdefault(detail["path"], " ".join(filter(None, (detail["message"], detail["fix"]))))
    return found


async def _addresses(edits: Sequence[Edit]) -> Mapping[str, list[str]]:
    """Where the hosts of resellers' own upstreams lead, asked before any transaction is open."""
    hosts = own_hosts(edits)
    return await asyncio.to_thread(look_up, hosts) if hosts else {}


async def _check_holders(connection: Connection, rows: ManifestRows, slug: str, edits: Sequence[Edit]) -> None:
    """Hosts that are not live, which the rows do not show, may be another tenant's all the same."""
    hosts = [one.id for one in edits if one.kind == "domain" and one.fields]
    own_id = next((row["id"] for row in rows.tenants if row["slug"] == slug), None)
    held = await operator_domains.holders(connection, hosts) if hosts else []
    taken = [one.host for one in held if one.tenant_id != own_id and one.released_at is None]
    if taken:
        raise invalid([taken_host(host) for host in taken])


def _check_exists(rows: ManifestRows, slug: str, *, new: bool) -> None:
    exists = any(row["slug"] == slug for row in rows.tenants)
    if exists and new:
        raise Conflict(f"There is a tenant {slug} already.", fix="Choose another slug.")
    if not exists and not new:
        raise NotFound(f"There is no tenant {slug[:80]!r}.")


def _check_mark(rows: ManifestRows, slug: str, expected: str | None) -> None:
    if expected is None:
        return
    parts = [part for part in expected.rpartition(".")[0].split("+") if part]
    if mark_of(actual_resources(rows), slug, parts) != expected:
        raise Conflict(_STALE, fix="Look at the present state and make your change again.")


def _current(rows: ManifestRows, slug: str) -> Current:
    _check_exists(rows, slug, new=False)
    own = {key: fields for key, fields in actual_resources(rows).items() if belongs(key, fields, slug)}
    document = stored_tenant(rows, slug)
    return Current(
        tenant=document.tenants[0],
        levels=current_levels(rows, document),
        hidden=hidden_levels(document),
        loses=loses_money(document),
        floor=floor_of(document, document.tenants[0]),
        resources=own,
    )
