"""Provisioning: what tenants.toml would change (`plan`) and changing it (`apply`), in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...core.errors import Conflict
from ...core.manifest import Manifest, parse_manifest
from ...core.merge import Change, pending
from ...core.price_catalogue import NO_CATALOGUE, CatalogueOn
from ...db import operator_manifest, provisioning
from ...db.engine import EVERY_TENANT, Database, now_us
from ...theming.library import Theme
from ...upstream.addresses import look_up
from ...vault import Vault
from ..members.owners import invite_waiting
from .addresses import LookUp, address_check
from .decide import LaterMove, Options, Plan, decide
from .logos import NO_LOGOS, Logos, keep_logos, with_logos
from .plugins import check_plugins
from .secrets import Resolve, resolver
from .themes import theme_check
from .timeline import begin
from .write import write_begun, write_decision

__all__ = ["LaterMove", "Logos", "Plan", "Resolve", "apply", "plan", "read_manifest", "resolver", "with_logos"]


def read_manifest(
    text: str,
    filename: str,
    themes: Mapping[str, Theme],
    catalogue: CatalogueOn = NO_CATALOGUE,
    *,
    look_up: LookUp = look_up,
) -> Manifest:
    """The manifest, checked against the installed themes and plugins too. Raises InvalidManifest with every finding.

    `catalogue` gives the costs and limits that the file leaves out; by default it knows none. `look_up` finds the
    addresses of hosts of resellers' own upstreams.
    """
    return parse_manifest(
        text, filename, theme_check(themes), check_plugins, address_check(look_up), catalogue=catalogue
    )


async def plan(
    db: Database,
    vault: Vault,
    manifest: Manifest,
    resolve: Resolve,
    *,
    prune: bool = False,
    reset_drift: bool = False,
    needs_secrets: bool = False,
) -> Plan:
    """What `apply` would do. Changes nothing.

    A secret that can't be read is a warning, unless it is an upstream's key or `needs_secrets`. Raises InvalidManifest
    as `apply` does.
    """
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        rows = await operator_manifest.read_all(connection, now)
    options = Options(prune=prune, reset_drift=reset_drift, needs_secrets=needs_secrets)
    return decide(begin(rows, now)[0], manifest, vault, resolve, options, now).plan


async def apply(
    db: Database,
    vault: Vault,
    manifest: Manifest,
    resolve: Resolve,
    *,
    actor: str,
    prune: bool = False,
    reset_drift: bool = False,
    expected: Sequence[Change] | None = None,
    logos: Logos = NO_LOGOS,
) -> Plan:
    """Bring the database to what the file says, all or nothing; the plan that was carried out.

    `expected` are the changes that somebody agreed to: Conflict when others have become necessary meanwhile. `logos`:
    what `with_logos` found beside the manifest. Raises InvalidManifest when a secret can't be read or the merged state
    would not be valid.
    """
    options = Options(prune=prune, reset_drift=reset_drift)
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.lock(connection)
        now = now_us()
        rows, begun = begin(await operator_manifest.read_all(connection, now), now)
        await write_begun(connection, begun, now)
        decision = decide(rows, manifest, vault, resolve, options, now)
        if expected is not None and pending(decision.plan.changes) != pending(expected):
            raise Conflict(
                "The configuration changed since the plan was shown.", fix="Look at a new plan and apply that."
            )
        if decision.plan.pending or decision.plan.base_moved:
            await write_decision(connection, rows, decision, vault, actor)
        await keep_logos(connection, logos, now)
    await invite_waiting(db, vault)
    return decision.plan
