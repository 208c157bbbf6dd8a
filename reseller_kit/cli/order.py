"""`order`: what customers buy."""

from __future__ import annotations

import click

from ..core.money import format_amount, parse_amount
from ..core.offers import whole_cents
from ..core.order import STATES
from ..db.engine import Database
from ..db.ledger import LedgerWriter
from ..flows import documents as doc
from ..flows import order_shapes, shapes
from ..flows import orders as flow
from ..flows.orders import OrderDetail, Wanted
from ..flows.payments import WantedRefund
from ..flows.payments.findings import payment_findings
from ..flows.providers import Providers
from ..vault import Vault
from .failures import DONE, FINDINGS
from .invocation import actor, with_database, with_ledger, with_payments, with_vault
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
from .reconcile_payments import finding_row, findings_table

_REASONS = ("duplicate_charge", "activation_failed", "billing_error", "goodwill")


@click.group(cls=Group)
def order() -> None:
    """Orders of customers: create, look up, approve, reject, refund."""


@order.command()
@tenant_option
@customer_option
@click.option("--package", required=True, type=TEXT, metavar="ID", help="What is ordered, by its id.")
@click.option("--amount", type=parse_amount, metavar="USD", help="For a top-up: how much.")
@click.option("--idempotency-key", type=TEXT, metavar="KEY", help="Repeating the command with this key orders once.")
def create(tenant: str, customer: str, package: str, amount: int | None, idempotency_key: str | None) -> None:
    """Place an order for a customer, to be paid as the storefront is paid."""

    async def work(db: Database, vault: Vault) -> OrderDetail:
        wanted = Wanted(package=package, amount=amount, request_key=idempotency_key)
        return await flow.order_for(db, vault, tenant_slug=tenant, customer=customer, wanted=wanted, actor=actor())

    _show(with_vault(work), "Ordered")


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
                ("Price", f"{document['price']} USD before tax"),
                ("Credits", f"{document['credits']} USD"),
                ("Refunded", f"{format_amount(whole_cents(detail.order.refunded_nano))} USD before tax"),
                ("Status", document["status"]),
                ("Receipt", document["receipt"] or "none yet"),
            ]
        ),
        table(["WHEN", "EVENT", "STATUS", "BY", "FACTS"], lines, empty=""),
        table(["PAYMENT", "WITH TAX>", "STATUS", "IN QUESTION"], _payments(document), empty="No payment is known."),
        *(
            [table(["REFUND", "WITH TAX>", "STATUS", "REASON", ""], _refunds(document), empty="")]
            if detail.refunds
            else []
        ),
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
@click.option("--payment", type=TEXT, metavar="REF", help="Which of several payments, by its provider's name of it.")
@click.option("--note", type=TEXT, help="Kept with the order.")
def refund(order_id: str, reason: str, amount: int | None, payment: str | None, note: str | None) -> None:
    """Give the payment back and take its share of the credit. What was spent becomes debt.

    A provider is asked and may take days; what was paid outside is to be given back outside.
    """
    wanted = WantedRefund(
        order_id=order_id, amount=amount, reason=reason, note=note or "", actor=actor(), payment_ref=payment
    )

    async def work(db: Database, ledger: LedgerWriter, vault: Vault) -> OrderDetail:
        providers = Providers(db, vault)
        try:
            return await flow.refund_order(db, ledger, providers, wanted)
        finally:
            providers.close()

    detail = with_payments(work)
    _show(detail, "Refund asked for" if detail.refunds[-1].state in {"asked", "pending"} else "Refunded")


@order.command()
@any_tenant_option
def findings(tenant: str | None) -> int:
    """Payments and orders that somebody has to look at, each with the step that ends it. Exit code 6 if there are."""
    found = with_database(lambda db: payment_findings(db, tenant))
    emit({"ok": not found, "findings": [finding_row(one) for one in found]}, findings_table(found))
    return FINDINGS if found else DONE


def _payments(document: doc.OrderDetail) -> list[tuple[str, ...]]:
    return [
        (row["id"], f"{row['total']} {row['currency']}", row["status"], row["problem"]) for row in document["payments"]
    ]


def _refunds(document: doc.OrderDetail) -> list[tuple[str, ...]]:
    return [
        (row["id"], f"{row['amount']} {row['currency']}", row["status"], row["reason"], row["error"] or "")
        for row in document["refunds"]
    ]


def _show(detail: OrderDetail, what: str) -> None:
    document = order_shapes.order_detail(detail)
    emit(
        document,
        f"{what}: {document['title']} for {document['price']} USD ({document['id']}). It is {document['status']}.",
    )
