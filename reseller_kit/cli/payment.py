"""`payment`: what payment providers told."""

from __future__ import annotations

import click

from ..core.currency import format_minor
from ..core.times import format_time
from ..flows import shapes
from ..flows.payments import look as flow
from ..flows.payments.look import PaymentView
from ..flows.shapes import Document
from .invocation import actor, with_database, with_ledger
from .options import TEXT, Group, page_options, reason_option, tenant_option, window_of
from .output import emit, more, table


@click.group(cls=Group)
def payment() -> None:
    """Payments as providers told of them: list, match, dismiss."""


@payment.command("list")
@tenant_option
@click.option("--in-question", is_flag=True, help="Only payments that somebody has to look at.")
@page_options
def list_(tenant: str, in_question: bool, limit: int, cursor: str | None) -> None:  # noqa: FBT001  # click's flag
    """A tenant's payments, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_payments(db, tenant, window, in_question=in_question))
    documents = [_document(one) for one in page.items]
    rows = [
        (row["id"], row["order"] or "none", f"{row['total']} {row['currency']}", row["status"], row["problem"])
        for row in documents
    ]
    emit(
        shapes.listing("payments", page, documents),
        table(["ID", "ORDER", "TOTAL>", "STATUS", "IN QUESTION"], rows, empty="No payments yet."),
        more(page.next_cursor),
    )


@payment.command()
@click.argument("ref", metavar="ID")
@tenant_option
@click.option("--order", required=True, type=TEXT, metavar="ID", help="The order that it is for.")
def match(ref: str, tenant: str, order: str) -> None:
    """Say which order a payment is for; then approve that order, or give the payment back."""
    found = with_ledger(
        lambda db, ledger: flow.match_payment(db, ledger, tenant_slug=tenant, ref=ref, order_id=order, actor=actor())
    )
    emit(_document(found), f"{ref} belongs to {order}.")


@payment.command()
@click.argument("ref", metavar="ID")
@tenant_option
@reason_option
def dismiss(ref: str, tenant: str, reason: str) -> None:
    """Say that a payment in question buys nothing here and needs no more looking at."""
    found = with_ledger(
        lambda db, ledger: flow.dismiss_payment(db, ledger, tenant_slug=tenant, ref=ref, reason=reason, actor=actor())
    )
    emit(_document(found), f"{ref} is dismissed.")


def _document(one: PaymentView) -> Document:
    row, paid = one.row, one.payment
    return {
        "id": row.ref,
        "provider": row.provider,
        "order": row.order_id,
        "status": row.status,
        "origin": paid.origin,
        "currency": paid.currency,
        "subtotal": format_minor(paid.subtotal, paid.currency),
        "tax": format_minor(paid.tax, paid.currency),
        "fee": None if paid.fee is None else format_minor(paid.fee, paid.currency),
        "total": format_minor(paid.total, paid.currency),
        "problem": row.problem,
        "decision": row.decision,
        "decided_by": row.decided_by,
        "note": row.note,
        "occurred_at": format_time(row.occurred_at),
    }
