"""`credit`: a customer's credit."""

from __future__ import annotations

import click
import msgspec

from ..core.ledger import LotKind
from ..core.money import format_amount, parse_amount
from ..core.times import parse_time
from ..flows import corrections, grants, shapes
from ..flows import credits as flow
from .invocation import actor, with_database
from .options import (
    TEXT,
    Group,
    customer_option,
    idempotency_option,
    page_options,
    patterns,
    reason_option,
    signed_amount,
    tenant_option,
    window_of,
)
from .output import emit, facts, more, table


@click.group(cls=Group)
def credit() -> None:
    """Customers' credit: grant, correct, reverse, look up."""


@credit.command()
@tenant_option
@customer_option
@click.option("--amount", type=parse_amount, metavar="USD", help="How much, above 0. A package may say it instead.")
@reason_option
@click.option("--expires", type=parse_time, metavar="ISO", help="When what is left of it lapses. Left out: never.")
@click.option("--kind", type=click.Choice(grants.LOT_KINDS), default="manual", show_default=True, help="What it is.")
@click.option("--models", type=patterns, metavar="GLOB,…", help="Models it can be spent on. Left out: all.")
@click.option("--package", type=TEXT, metavar="ID", help="An offered package: its credits, days, models and kind.")
@click.option("--priority", type=int, default=0, show_default=True, help="Lower is spent first.")
@idempotency_option
def grant(
    *,
    tenant: str,
    customer: str,
    amount: int | None,
    reason: str,
    expires: int | None,
    kind: str,
    models: tuple[str, ...] | None,
    package: str | None,
    priority: int,
    idempotency_key: str | None,
) -> None:
    """Give a customer credit of any kind, or what an offered package holds."""
    terms = grants.GrantTerms(
        kind=msgspec.convert(kind, LotKind),
        priority=priority,
        models=models or (),
        expires_at=expires,
        package=package,
    )
    posted = with_database(
        lambda db: grants.grant_credit(
            db,
            tenant_slug=tenant,
            customer=customer,
            amount=amount,
            reason=reason,
            terms=terms,
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
@click.argument("request_id", metavar="REQUEST_ID")
@tenant_option
@click.option("--amount", type=parse_amount, metavar="USD", help="A part of the charge. Left out: all of it.")
@reason_option
def reverse(request_id: str, tenant: str, amount: int | None, reason: str) -> None:
    """Give the charge of a call back, to the lots that it came from; once a call."""
    done = with_database(
        lambda db: corrections.reverse_charge(
            db, tenant_slug=tenant, request_id=request_id, amount=amount, reason=reason, actor=actor()
        )
    )
    document = {**shapes.posted(done.posted), "request_id": done.request_id, "charge": format_amount(done.charge)}
    emit(document, f"Gave back {document['amount']} of {document['charge']} USD. Balance: {document['balance']} USD.")


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
