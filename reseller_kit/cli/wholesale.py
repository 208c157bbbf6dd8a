"""`wholesale`: resellers' prepaid balance with the operator."""

from __future__ import annotations

import click

from ..core.money import parse_amount
from ..flows import wholesale as flow
from . import shapes
from .invocation import actor, with_database
from .options import Group, idempotency_option, reason_option, tenant_option
from .output import emit, facts


@click.group(cls=Group)
def wholesale() -> None:
    """Resellers' prepaid balance with the operator."""


@wholesale.command()
@tenant_option
@click.option("--amount", required=True, type=parse_amount, metavar="USD", help="How much, above 0.")
@reason_option
@idempotency_option
def deposit(tenant: str, amount: int, reason: str, idempotency_key: str | None) -> None:
    """Add to a reseller's balance."""
    posted = with_database(
        lambda db: flow.deposit(
            db, tenant_slug=tenant, amount=amount, reason=reason, idempotency_key=idempotency_key, actor=actor()
        )
    )
    document = shapes.posted(posted)
    emit(document, f"Deposited {document['amount']} USD ({document['id']}). Balance: {document['balance']} USD.")


@wholesale.command()
@tenant_option
def balance(tenant: str) -> None:
    """What a reseller has, and what open calls hold of it."""
    document = shapes.wholesale_balance(with_database(lambda db: flow.wholesale_balance(db, tenant)))
    shown = ("balance", "held", "available", "overdraft")
    emit(document, facts([(name.capitalize(), f"{document[name]} USD") for name in shown]))
