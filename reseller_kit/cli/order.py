"""`order`: what customers buy."""

from __future__ import annotations

import click

from ..core.money import parse_amount
from ..core.order import STATES
from ..db.engine import Database
from ..flows import orders as flow
from ..flows.orders import OrderDetail, Wanted
from . import order_shapes, shapes
from .invocation import actor, with_database, with_ledger
from .options import (
    TEXT,
    Group,
    any_customer_option,
    any_tenant_option,
    customer_option,
    page_options,
    reason_option,
    tenant_option,
    window_of,
)
from .output import emit, facts, more, table

_REASONS = ("duplicate_charge", "activation_failed", "billing_error", "goodwill")


@click.group(cls=Group)
def order() -> None:
    """Orders of customers: place, look up, approve, reject, refund."""


@order.command()
@tenant_option
@customer_option
@click.option("--package", required=True, type=TEXT, metavar="ID", help="What is ordered, by its id.")
@click.option("--amount", type=parse_amount, metavar="USD", help="For a top-up: how much.")
@click.option("--idempotency-key", type=TEXT, metavar="KEY", help="Repeating the command with this key orders once.")
def create(tenant: str, customer: str, package: str, amount: int | None, idempotency_key: str | None) -> None:
    """Place an order for a customer, to be paid as the storefront is paid."""

    async def work(db: Database) -> OrderDetail:
        wanted = Wanted(package=package, amount=amount, request_key=idempotency_key)
        return await flow.order_for(db, tenant_slug=tenant, customer=customer, wanted=wanted, actor=actor())

    _show(with_database(work), "Ordered")


@order.command("list")
@any_tenant_option
@any_customer_option
@click.option("--status", type=click.Choice(STATES), help="Only orders in this state.")
@page_options
def list_(tenant: str | None, customer: str | None, status: str | None, limit: int, cursor: str | None) -> None:
    """Orders, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_orders(db, tenant, window, customer=customer, state=status))
    documents = [order_shapes.order(row.order, row.tenant) for row in page.items]
    rows = [
        (
            row["id"],
            row["tenant"],
            row["customer"],
            row["package"],
            row["price"],
            row["credits"],
            row["status"],
            row["created_at"][:10],
        )
        for row in documents
    ]
    emit(
        shapes.listing("orders", page, documents),
        table(
            ["ID", "TENANT", "CUSTOMER", "PACKAGE", "PRICE>", "CREDITS>", "STATUS", "ORDERED"],
            rows,
            empty="No orders yet.",
        ),
        more(page.next_cursor),
    )


@order.command()
@click.argument("order_id", metavar="ID")
def show(order_id: str) -> None:
    """One order with everything that happened to it."""
    detail = with_database(lambda db: flow.show_order(db, order_id))
    document = order_shapes.order_detail(detail)
    lines = [
        (line["created_at"][:19].replace("T", " "), line["event"], line["after"], line["actor"], line["note"])
        for line in document["timeline"]
    ]
    emit(
        document,
        facts(
            [
                ("Order", document["id"]),
                ("Tenant", document["tenant"]),
                ("Customer", document["customer"]),
                ("Package", f"{document['package']} (version {document['version']})"),
                ("Price", f"{document['price']} USD"),
                ("Credits", f"{document['credits']} USD"),
                ("Refunded", f"{document['refunded']} USD"),
                ("Status", document["status"]),
                ("Receipt", document["receipt"] or "none yet"),
            ]
        ),
        table(["WHEN", "EVENT", "STATUS", "BY", "FACTS"], lines, empty=""),
    )


@order.command()
@click.argument("order_id", metavar="ID")
@click.option("--note", type=TEXT, help="Such as the bank's reference; kept with the order.")
def approve(order_id: str, note: str | None) -> None:
    """The payment arrived: credit the order. Repeating is harmless."""
    detail = with_ledger(
        lambda db, ledger: flow.approve_order(db, ledger, order_id=order_id, note=note or "", actor=actor())
    )
    _show(detail, "Approved")


@order.command()
@click.argument("order_id", metavar="ID")
@reason_option
def reject(order_id: str, reason: str) -> None:
    """No payment arrived: close the order. The customer reads the reason."""
    _show(with_database(lambda db: flow.reject_order(db, order_id=order_id, reason=reason, actor=actor())), "Rejected")


@order.command()
@click.argument("order_id", metavar="ID")
@click.option("--reason", required=True, type=click.Choice(_REASONS), help="Why the payment is given back.")
@click.option("--amount", type=parse_amount, metavar="USD", help="How much of the payment. Left out: all that is left.")
@click.option("--note", type=TEXT, help="Kept with the order.")
def refund(order_id: str, reason: str, amount: int | None, note: str | None) -> None:
    """The payment was given back: take its share of the credit. What was spent becomes debt."""
    detail = with_ledger(
        lambda db, ledger: flow.refund_order(
            db, ledger, order_id=order_id, amount=amount, reason=reason, note=note or "", actor=actor()
        )
    )
    _show(detail, "Refunded")


def _show(detail: OrderDetail, what: str) -> None:
    document = order_shapes.order_detail(detail)
    emit(
        document,
        f"{what}: {document['title']} for {document['price']} USD ({document['id']}). It is {document['status']}.",
    )
