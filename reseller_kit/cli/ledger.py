"""`ledger`: proves the books."""

from __future__ import annotations

import click

from ..core.money import format_amount
from ..db.engine import Database
from ..flows.audit import AuditReport
from ..flows.audit import audit as prove
from ..flows.tenants import tenant_id_of
from .failures import DONE, FINDINGS
from .invocation import with_database
from .options import Group, any_tenant_option
from .output import emit, facts, table


@click.group(cls=Group)
def ledger() -> None:
    """Prove the books."""


@ledger.command()
@any_tenant_option
def audit(tenant: str | None) -> int:
    """Check every money invariant on the stored data. Corrects nothing."""

    async def work(db: Database) -> AuditReport:
        return await prove(db, tenant=None if tenant is None else await tenant_id_of(db, tenant))

    report = with_database(work)
    document = {
        "ok": report.ok,
        "transactions": report.transactions,
        "entries": report.entries,
        "open_holds": report.open_holds,
        "imbalance": format_amount(report.imbalance),
        "archived_before": report.archived_before,
        "findings": report.findings,
    }
    pairs: list[tuple[str, object]] = [
        ("Transactions", report.transactions),
        ("Entries", report.entries),
        ("Open holds", report.open_holds),
        ("Imbalance", f"{document['imbalance']} USD"),
    ]
    if report.archived_before is not None:
        pairs.append(("Archived before", f"{report.archived_before} (only sums checked)"))
    rows = [(found["code"], found["invariant"], found["ref"], found["message"]) for found in report.findings]
    shown = table(["FINDING", "INVARIANT>", "WHERE", "WHAT"], rows, empty="The books are right.")
    emit(document, facts(pairs), shown, "" if report.ok else "What each finding means: docs/proof.md, Findings")
    return DONE if report.ok else FINDINGS
