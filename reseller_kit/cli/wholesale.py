"""`wholesale`: resellers' accounts with the operator, and what calls earn."""

from __future__ import annotations

import click

from ..core.money import parse_amount
from ..core.times import parse_time
from ..flows import wholesale as flow
from . import shapes
from .invocation import actor, with_database
from .options import Group, idempotency_option, reason_option, tenant_option
from .output import emit, facts, table


@click.group(cls=Group)
def wholesale() -> None:
    """Resellers' accounts with the operator: deposit, look up, margins."""


@wholesale.command()
@tenant_option
@click.option("--amount", required=True, type=parse_amount, metavar="USD", help="How much, above 0.")
@reason_option
@idempotency_option
def deposit(tenant: str, amount: int, reason: str, idempotency_key: str | None) -> None:
    """Add to the account that a reseller's calls draw on."""
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
    shown = ["balance", "held", "available", "overdraft"]
    if document["settlement"] == "revenue_share":
        shown += ["matured", "payable", "payouts_requested"]
    amounts = [(name.replace("_", " ").capitalize(), f"{document[name]} USD") for name in shown]
    emit(document, facts([("Settlement", document["settlement"].replace("_", " ")), *amounts]))


@wholesale.command()
@tenant_option
@click.option("--since", type=parse_time, metavar="ISO", help="Only calls from then on.")
def margin(tenant: str, since: int | None) -> None:
    """What calls earned you and the reseller, by day and model, from the cost of the route that served."""
    rows = with_database(lambda db: flow.list_margins(db, tenant, since))
    document = shapes.margins(tenant, rows)
    names = ("retail", "wholesale", "cost", "reseller_margin", "operator_margin")
    lines = [(x["day"], x["model"], x["calls"], *(x[name] for name in names)) for x in document["margins"]]
    total = document["total"]
    if lines:
        lines.append(("Total", "", total["calls"], *(total[name] for name in names)))
    columns = ["DAY", "MODEL", "CALLS>", "RETAIL>", "WHOLESALE>", "COST>", "RESELLER>", "OPERATOR>"]
    emit(document, table(columns, lines, empty="No calls yet."))
