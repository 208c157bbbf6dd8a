"""`wholesale`: resellers' accounts with the operator, and what calls earn."""

from __future__ import annotations

import click

from ..core.money import parse_amount
from ..core.times import parse_time
from ..db.engine import Database
from ..flows import order_shapes, shapes, usage_shapes
from ..flows import wholesale as flow
from ..flows.orders import Placed
from ..flows.providers import Providers
from ..flows.wholesale_topup import TopUp, list_topups, top_up
from ..vault import Vault
from .invocation import actor, with_database, with_vault
from .options import TEXT, Group, idempotency_option, page_options, reason_option, tenant_option, window_of
from .output import emit, facts, more, table


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
@click.option("--amount", required=True, type=parse_amount, metavar="USD", help="How much is paid, in whole cents.")
@click.option("--email", type=TEXT, metavar="EMAIL", help="Who pays. Left out: the first owner.")
@idempotency_option
def topup(tenant: str, amount: int, email: str | None, idempotency_key: str | None) -> None:
    """Order a deposit that the reseller pays, as resellers pay you; paid by hand, it waits for `order approve`."""

    async def work(db: Database, vault: Vault) -> Placed:
        providers = Providers(db, vault)
        wanted = TopUp(amount=amount, actor=actor(), email=email, request_key=idempotency_key)
        try:
            return await top_up(db, vault, providers, tenant, wanted)
        finally:
            providers.close()

    placed = with_vault(work)
    document = {**order_shapes.order(placed.order, tenant), "url": placed.url}
    where = f"Pay it at {placed.url}" if placed.url else f"Then: reseller-kit order approve {placed.order.id}"
    emit(document, f"Ordered {document['price']} USD for {tenant} ({placed.order.id}). {where}")


@wholesale.command()
@tenant_option
@page_options
def topups(tenant: str, limit: int, cursor: str | None) -> None:
    """What a reseller has paid or is to pay, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: list_topups(db, tenant, window))
    documents = [order_shapes.order(row, tenant) for row in page.items]
    rows = [(row["id"], row["customer"], row["price"], row["status"], row["created_at"][:10]) for row in documents]
    emit(
        shapes.listing("topups", page, documents),
        table(["ID", "BY", "AMOUNT>", "STATUS", "ORDERED"], rows, empty="No top-ups yet."),
        more(page.next_cursor),
    )


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
    document = usage_shapes.margins(tenant, rows)
    names = ("retail", "wholesale", "cost", "reseller_margin", "operator_margin")
    lines = [(x["day"], x["model"], x["calls"], *(x[name] for name in names)) for x in document["margins"]]
    total = document["total"]
    if lines:
        lines.append(("Total", "", total["calls"], *(total[name] for name in names)))
    columns = ["DAY", "MODEL", "CALLS>", "RETAIL>", "WHOLESALE>", "COST>", "RESELLER>", "OPERATOR>"]
    emit(document, table(columns, lines, empty="No calls yet."))
