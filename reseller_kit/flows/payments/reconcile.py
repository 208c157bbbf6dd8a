"""Reconcile with a payment provider: asks it for all that changed, takes that in, and says what is left to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from ...core.errors import KitError
from ...core.times import DAY_US
from ...db import operator, operator_payments
from ...db.engine import EVERY_TENANT, NO_TENANT, Database, now_us
from ...db.ledger import LedgerWriter
from ..providers import Providers
from ..tenants import require_tenant
from .ask import ask_forgotten
from .chores import settle_forgotten, tidy, work_in
from .findings import Finding, payment_findings
from .poll import Poll, poll

_LOOKED_BACK_US: Final = 30 * DAY_US
Progress = Callable[[Poll], None]


class Reconciled(Struct, kw_only=True):
    """What reconciling came to: of each tenant, and what is left to look at. `failed`: (tenant, why)."""

    since: int
    polls: list[Poll]
    failed: list[tuple[str, str]]
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether there is nothing left to look at; what was bought twice on purpose, perhaps, does not count."""
        return not self.failed and all(one.code == "duplicate_order" for one in self.findings)


async def reconcile(
    db: Database,
    ledger: LedgerWriter,
    providers: Providers,
    *,
    provider: str | None,
    since: int | None,
    tenant_slug: str | None,
    progress: Progress | None = None,
) -> Reconciled:
    """Ask a provider, or each tenant's own, for one tenant or for all that are paid so, what changed since then (µs).

    Left out, `since` is thirty days ago. A tenant that is named with a provider may be paid otherwise by now. Raises
    NotFound.
    """
    began = now_us() - _LOOKED_BACK_US if since is None else since
    done = Reconciled(since=began, polls=[], failed=[], findings=[])
    while await work_in(db, ledger):
        pass
    for tenant_id, slug, name in await _tenants(db, provider, tenant_slug):
        try:
            asked = (await providers.named(tenant_id, name)).provider
            found = await poll(
                db, ledger, asked, tenant_id=tenant_id, tenant=slug, since=began, actor="reconcile", progress=progress
            )
            done.polls.append(found)
            if found.lost:
                done.failed.append((slug, f"{found.lost} of what it told could not be kept; the log says why"))
        except KitError as error:
            done.failed.append((slug, error.message))
    await tidy(db)
    await ask_forgotten(db, ledger, providers)
    await settle_forgotten(db, ledger)
    done.findings = await payment_findings(db, tenant_slug)
    for one in done.polls:
        one.review = sum(found.tenant == one.tenant and bool(found.order) for found in done.findings)
        one.unmatched = sum(found.tenant == one.tenant and not found.order for found in done.findings)
    return done


async def _tenants(db: Database, provider: str | None, tenant_slug: str | None) -> list[tuple[int, str, str]]:
    """Whom to ask for: tenant, slug, provider. None of those that are paid outside."""
    if tenant_slug is not None:
        async with db.read(NO_TENANT) as connection:
            tenant = await require_tenant(connection, tenant_slug)
        if provider is not None:
            return [(tenant.id, tenant.slug, provider)]
    found = []
    async with db.read(EVERY_TENANT) as connection:
        for tenant_id, name in (await operator_payments.payable_tenants(connection)).items():
            paid = await operator.tenant_by_id(connection, tenant_id) if provider in {None, name} else None
            if paid is not None and tenant_slug in {None, paid.slug}:
                found.append((paid.id, paid.slug, name))
    return found
