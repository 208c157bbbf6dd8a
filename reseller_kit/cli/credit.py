"""`credit`: a customer's credit."""

from __future__ import annotations

import click

from ..core.money import parse_amount
from ..core.times import parse_time
from ..flows import credits as flow
from . import shapes
from .invocation import actor, with_database
from .options import (
    Group,
    customer_option,
    idempotency_option,
    page_options,
    reason_option,
    signed_amount,
    tenant_option,
    window_of,
)
from .output import emit, facts, more, table


@click.group(cls=Group)
def credit() -> None:
    """Customers' credit: grant, correct, look up."""


@credit.command()
@tenant_option
@customer_option
@click.option("--amount", required=True, type=parse_amount, metavar="USD", help="How much, above 0.")
@reason_option
@click.option("--expires", type=parse_time, metavar="ISO", help="When what is left of it lapses. Left out: never.")
@idempotency_option
def grant(
    tenant: str, customer: str, amount: int, reason: str, expires: int | None, idempotency_key: str | None
) -> None:
    """Give a customer credit."""
    posted = with_database(
        lambda db: flow.grant_credit(
            db,
            tenant_slug=tenant,
            customer=customer,
            amount=amount,
            reason=reason,
            expires_at=expires,
            idempotency_key=idempotency_key,
            actor=actor(),
        )
    )
    document = shapes.posted(posted)
    emit(document, f"Granted {document['amount']} USD ({document['id']}). Balance: {document['balance']} USD.")


@credit.command()
@tenant_option
@customer_option
@click.option("--amount", required=True, type=signed_amount, metavar="±USD", help="Above 0 gives, below 0 takes away.")
@reason_option
@idempotency_option
def adjust(tenant: str, customer: str, amount: int, reason: str, idempotency_key: str | None) -> None:
    """Correct a customer's credit by hand, up or down; no more is taken than is free."""
    posted = with_database(
        lambda db: flow.adjust_credit(
            db,
            tenant_slug=tenant,
            customer=customer,
            amount=amount,
            reason=reason,
            idempotency_key=idempotency_key,
            actor=actor(),
        )
    )
    document = shapes.posted(posted)
    emit(document, f"Adjusted by {document['amount']} USD ({document['id']}). Balance: {document['balance']} USD.")


@credit.command()
@tenant_option
@customer_option
def balance(tenant: str, customer: str) -> None:
    """What a customer has, and where it came from."""
    document = shapes.credit_balance(with_database(lambda db: flow.credit_balance(db, tenant, customer)))
    lots = [
        (lot["id"], lot["kind"], lot["amount"], lot["remaining"], (lot["expires_at"] or "never")[:10])
        for lot in document["lots"]
    ]
    emit(
        document,
        facts([(name.capitalize(), f"{document[name]} USD") for name in ("balance", "held", "available", "debt")]),
        table(["LOT", "KIND", "AMOUNT>", "LEFT>", "EXPIRES"], lots, empty="No credit was granted yet."),
    )


@credit.command()
@tenant_option
@customer_option
@page_options
def history(tenant: str, customer: str, limit: int, cursor: str | None) -> None:
    """What came in and went out, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.credit_history(db, tenant, customer, window))
    documents = [shapes.history_line(row) for row in page.items]
    rows = [
        (shapes.short_time(row.created_at), row.code, shown["amount"], shown["balance_after"], row.ref)
        for row, shown in zip(page.items, documents, strict=True)
    ]
    emit(
        shapes.listing("entries", page, documents),
        table(["TIME (UTC)", "WHAT", "AMOUNT>", "BALANCE>", "REF"], rows, empty="Nothing has happened yet."),
        more(page.next_cursor),
    )
