"""`payout`: what resellers who share their revenue are paid."""

from __future__ import annotations

from typing import Final

import click

from ..core.csv_text import csv_rows
from ..core.money import parse_amount
from ..core.times import parse_time
from ..db.operator_payouts import NamedPayout
from ..flows import payouts as flow
from ..flows import shapes
from .invocation import actor, with_database
from .options import (
    TEXT,
    Group,
    any_tenant_option,
    page_options,
    reason_option,
    tenant_option,
    window_of,
)
from .output import csv_shown, emit, more, table

_EXPORTED: Final = (
    "id",
    "tenant",
    "company",
    "amount",
    "currency",
    "status",
    "requested_at",
    "approved_at",
    "paid_at",
    "reference",
)


@click.group(cls=Group)
def payout() -> None:
    """Payouts of revenue shares: request, approve, reject, export."""


@payout.command()
@tenant_option
@click.option("--amount", type=parse_amount, metavar="USD", help="How much. Left out: all that may be paid out.")
def request(tenant: str, amount: int | None) -> None:
    """Ask for a payout of what has matured."""
    made = with_database(lambda db: flow.request_payout(db, tenant_slug=tenant, amount=amount, actor=actor()))
    _show(made, "Requested")


@payout.command("list")
@any_tenant_option
@page_options
def list_(tenant: str | None, limit: int, cursor: str | None) -> None:
    """Payouts, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_payouts(db, tenant, window))
    documents = [shapes.payout(row) for row in page.items]
    rows = [(row["id"], row["tenant"], row["amount"], row["status"], row["requested_at"][:10]) for row in documents]
    emit(
        shapes.listing("payouts", page, documents),
        table(["ID", "TENANT", "AMOUNT>", "STATUS", "REQUESTED"], rows, empty="No payouts yet."),
        more(page.next_cursor),
    )


@payout.command()
@click.argument("payout_id", metavar="ID")
def approve(payout_id: str) -> None:
    """Take a requested payout off the reseller's share; then pay it."""
    _show(with_database(lambda db: flow.approve_payout(db, payout_id, actor())), "Approved")


@payout.command()
@click.argument("payout_id", metavar="ID")
@reason_option
def reject(payout_id: str, reason: str) -> None:
    """Close a requested payout without paying it."""
    _show(with_database(lambda db: flow.reject_payout(db, payout_id, reason, actor())), "Rejected")


@payout.command("mark-paid")
@click.argument("payout_id", metavar="ID")
@click.option("--reference", required=True, type=TEXT, help="The bank's reference; kept with the payout.")
def mark_paid(payout_id: str, reference: str) -> None:
    """Note that an approved payout was paid."""
    _show(with_database(lambda db: flow.mark_payout_paid(db, payout_id, reference, actor())), "Paid")


@payout.command()
@click.option("--since", type=parse_time, metavar="ISO", help="Only what was approved from then on.")
def export(since: int | None) -> None:
    """Approved and paid payouts as CSV, or as JSON with --json."""
    rows = with_database(lambda db: flow.export_payouts(db, since))
    documents = [shapes.payout(row) for row in rows]
    lines = csv_rows([_EXPORTED, *([row[name] for name in _EXPORTED] for row in documents)])
    emit({"payouts": documents}, csv_shown(lines))


def _show(named: NamedPayout, what: str) -> None:
    document = shapes.payout(named)
    emit(document, f"{what}: {document['amount']} USD to {document['tenant']} ({document['id']}).")
