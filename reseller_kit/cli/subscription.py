"""`subscription`: what renews."""

from __future__ import annotations

import click

from ..core.subscription import SubscriptionState
from ..core.times import format_time
from ..db.engine import Database
from ..flows import shapes
from ..flows import subscriptions as flow
from ..flows.providers import Providers
from ..flows.subscriptions.choose import cancel_for
from ..flows.subscriptions.look import NamedSubscription
from ..vault import Vault
from .invocation import actor, with_database, with_vault
from .options import Group, any_customer_option, any_tenant_option, page_options, window_of
from .output import emit, facts, more, table

_STATES = SubscriptionState.__args__  # type: ignore[attr-defined]  # a Literal carries them


@click.group(cls=Group)
def subscription() -> None:
    """Subscriptions of customers: look up, cancel."""


@subscription.command("list")
@any_tenant_option
@any_customer_option
@click.option("--status", type=click.Choice(_STATES), help="Only subscriptions in this state.")
@page_options
def list_(tenant: str | None, customer: str | None, status: str | None, limit: int, cursor: str | None) -> None:
    """Subscriptions, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.list_subscriptions(db, tenant, window, customer=customer, state=status))
    documents = [_document(row) for row in page.items]
    rows = [
        (
            row["id"],
            row["tenant"],
            row["customer"],
            row["package"],
            row["price"],
            row["status"],
            row["period_ends_at"][:10],
            "" if row["cancel_at"] is None else row["cancel_at"][:10],
        )
        for row in documents
    ]
    emit(
        shapes.listing("subscriptions", page, documents),
        table(
            ["ID", "TENANT", "CUSTOMER", "PACKAGE", "PRICE>", "STATUS", "PAID UNTIL", "ENDS"],
            rows,
            empty="No subscriptions yet.",
        ),
        more(page.next_cursor),
    )


@subscription.command()
@click.argument("subscription_id", metavar="ID")
def show(subscription_id: str) -> None:
    """One subscription: what it is, its period, and whether it ends."""
    document = _document(with_database(lambda db: flow.show_subscription(db, subscription_id)))
    emit(
        document,
        facts(
            [
                ("Subscription", document["id"]),
                ("Tenant", document["tenant"]),
                ("Customer", document["customer"]),
                ("Package", f"{document['package']} (version {document['version']})"),
                ("Price", f"{document['price']} USD every {document['period']}"),
                ("Credits", f"{document['credits']} USD"),
                ("Status", document["status"]),
                ("Period", f"{document['period_starts_at'][:10]} to {document['period_ends_at'][:10]}"),
                ("Ends", "when it is cancelled" if document["cancel_at"] is None else document["cancel_at"][:10]),
            ]
        ),
    )


@subscription.command()
@click.argument("subscription_id", metavar="ID")
def cancel(subscription_id: str) -> None:
    """End it with the period that is paid. Repeating is harmless."""

    async def work(db: Database, vault: Vault) -> NamedSubscription:
        providers = Providers(db, vault)
        try:
            return await cancel_for(db, providers, subscription_id=subscription_id, actor=actor())
        finally:
            providers.close()

    document = _document(with_vault(work))
    emit(document, f"Cancelled: {document['title']} ({document['id']}) ends on {str(document['cancel_at'])[:10]}.")


def _document(named: NamedSubscription) -> shapes.Document:
    found = named.subscription
    return {
        "id": found.id,
        "tenant": named.tenant,
        "customer": found.email,
        "customer_id": found.customer_id,
        "package": found.package,
        "version": found.version,
        "title": found.title,
        "price": found.terms["price"],
        "credits": found.terms["credits"],
        "currency": "USD",
        "period": found.period,
        "status": found.state,
        "provider": found.provider,
        "provider_ref": found.provider_ref,
        "order": found.order_id,
        "period_starts_at": format_time(found.period_starts_at),
        "period_ends_at": format_time(found.period_ends_at),
        "cancel_at": shapes.optional_time(found.cancel_at),
        "created_at": format_time(found.created_at),
    }
