"""`reconcile` of payments: asks a provider, or all, for all that changed, and shows what is left to look at."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Group

from ..core.times import format_time
from ..db.engine import Database
from ..db.ledger import LedgerWriter
from ..flows.payments.findings import Finding
from ..flows.payments.poll import Poll
from ..flows.payments.reconcile import Reconciled, reconcile
from ..flows.providers import Providers
from ..vault import Vault
from .invocation import with_payments
from .output import facts, table

_EACH = 50


def reconcile_payments(
    provider: str | None, since: int | None, tenant: str | None
) -> tuple[dict[str, Any], list[Any], bool]:
    """The document, the tables and whether nothing is left to look at. Progress goes to stderr."""

    async def work(db: Database, ledger: LedgerWriter, vault: Vault) -> Reconciled:
        providers = Providers(db, vault)
        try:
            return await reconcile(
                db, ledger, providers, provider=provider, since=since, tenant_slug=tenant, progress=_progress
            )
        finally:
            providers.close()

    done = with_payments(work)
    return _document(provider, done), _tables(done), done.ok


def finding_row(one: Finding) -> dict[str, str]:
    """A finding as a document."""
    return {
        "code": one.code,
        "tenant": one.tenant,
        "order": one.order,
        "payment": one.payment,
        "customer": one.customer,
        "amount": one.amount,
        "currency": one.currency,
        "message": one.message,
        "step": one.step,
    }


def findings_table(found: list[Finding]) -> Any:
    """Findings as people read them."""
    rows = [(f.code, f.tenant, f.order or f.payment, f"{f.amount} {f.currency}".strip(), f.message) for f in found]
    listed = table(["FINDING", "TENANT", "OF", "AMOUNT>", ""], rows, empty="Nothing is left to look at.")
    steps = dict.fromkeys(f.step for f in found if f.step)
    return Group(listed, "", "What ends them:", *(f"  {step}" for step in steps)) if steps else listed


def _progress(report: Poll) -> None:
    if report.seen == 1 or report.seen % _EACH == 0:
        print(f"{report.tenant}: {report.seen} seen, {report.new} new", file=sys.stderr)  # noqa: T201  # progress


def _document(provider: str | None, done: Reconciled) -> dict[str, Any]:
    counted = ("seen", "new", "repaired", "unmatched", "review")
    return {
        "ok": done.ok,
        "provider": provider,
        "since": format_time(done.since),
        **{name: sum(getattr(one, name) for one in done.polls) for name in counted},
        "tenants": [{"tenant": one.tenant, **{name: getattr(one, name) for name in counted}} for one in done.polls],
        "failed": [{"tenant": slug, "message": message} for slug, message in done.failed],
        "findings": [finding_row(one) for one in done.findings],
    }


def _tables(done: Reconciled) -> list[Any]:
    rows = [(one.tenant, one.seen, one.new, one.repaired, one.unmatched, one.review) for one in done.polls]
    return [
        facts([("Since", format_time(done.since)), *((slug, f"not complete: {why}") for slug, why in done.failed)]),
        table(["TENANT", "SEEN>", "NEW>", "REPAIRED>", "UNMATCHED>", "REVIEW>"], rows, empty="Nobody was asked."),
        findings_table(done.findings),
    ]
