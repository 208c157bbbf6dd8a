"""`webhook`: a storefront's endpoints that events go to, and the log of what was sent."""

from __future__ import annotations

from typing import Any

import click

from ..core.hook import EVERY_EVENT
from ..db.hook_endpoints import HookEndpoint
from ..flows import documents as doc
from ..flows import hook_shapes, hooks, shapes
from ..flows.hooks import EndpointTerms
from .invocation import actor, with_database, with_vault
from .options import TEXT, Group, page_options, patterns, tenant_option, window_of
from .output import emit, facts, more, table


@click.group(cls=Group)
def webhook() -> None:
    """Events for a storefront's own systems: endpoints and deliveries."""


@webhook.command()
@tenant_option
@click.option("--url", type=TEXT, required=True, help="Where events go, such as https://example.com/webhooks.")
@click.option("--description", type=TEXT, help="What it is for.")
@click.option("--events", type=patterns, metavar="EVENT,…", help="Which ones. Left out: all.")
def create(tenant: str, url: str, description: str | None, events: tuple[str, ...] | None) -> None:
    """A new endpoint. The secret that signs its events is shown here and never again."""
    terms = EndpointTerms(url=url, description=description or "", events=events or (EVERY_EVENT,))
    new = with_vault(lambda db, vault: hooks.create_endpoint(db, vault, tenant, terms, actor=actor()))
    emit(
        hook_shapes.endpoint(new.endpoint, new.secret),
        facts(_pairs(new.endpoint)),
        f"The secret, shown this once:\n{new.secret}",
    )


@webhook.command("list")
@tenant_option
@page_options
def list_(tenant: str, limit: int, cursor: str | None) -> None:
    """A tenant's endpoints, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: hooks.list_endpoints(db, tenant, window))
    documents = [hook_shapes.endpoint(row) for row in page.items]
    rows = [(row["id"], row["url"], ", ".join(row["events"]), row["status"]) for row in documents]
    emit(
        shapes.listing("webhooks", page, documents),
        table(["ID", "URL", "EVENTS", "STATUS"], rows, empty="No endpoints yet."),
        more(page.next_cursor),
    )


@webhook.command()
@tenant_option
@click.argument("webhook_id", metavar="ID")
def show(tenant: str, webhook_id: str) -> None:
    """One endpoint."""
    row = with_database(lambda db: hooks.show_endpoint(db, tenant, webhook_id))
    emit(hook_shapes.endpoint(row), facts(_pairs(row)))


@webhook.command()
@tenant_option
@click.argument("webhook_id", metavar="ID")
def remove(tenant: str, webhook_id: str) -> None:
    """Delete an endpoint with its log."""
    row = with_database(lambda db: hooks.remove_endpoint(db, tenant, webhook_id, actor=actor()))
    emit(hook_shapes.endpoint(row), facts(_pairs(row)))


@webhook.command()
@tenant_option
@click.argument("webhook_id", metavar="ID")
@page_options
def deliveries(tenant: str, webhook_id: str, limit: int, cursor: str | None) -> None:
    """What was sent to an endpoint in the last 30 days, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: hooks.list_deliveries(db, tenant, webhook_id, window))
    documents = [hook_shapes.delivery(one) for one in page.items]
    rows = [(row["id"], row["type"], row["created_at"], row["status"], _tries(row)) for row in documents]
    emit(
        shapes.listing("deliveries", page, documents),
        table(["ID", "EVENT", "CREATED", "STATUS", "LAST ATTEMPT"], rows, empty="Nothing was sent yet."),
        more(page.next_cursor),
    )


@webhook.command()
@tenant_option
@click.argument("webhook_id", metavar="ID")
@click.argument("delivery_id", metavar="DELIVERY")
def redeliver(tenant: str, webhook_id: str, delivery_id: str) -> None:
    """Send a delivery again, under the same id."""
    one = with_database(lambda db: hooks.redeliver(db, tenant, webhook_id, delivery_id, actor=actor()))
    shown = hook_shapes.delivery(one)
    emit(shown, facts([("Id", shown["id"]), ("Event", shown["type"]), ("Status", shown["status"])]))


def _tries(row: doc.Delivery) -> str:
    """How the last attempt ended, and how many there were."""
    if not row["attempts"]:
        return "–"
    last = row["attempts"][0]
    return f"{last['status'] or last['error']} ({len(row['attempts'])})"


def _pairs(row: HookEndpoint) -> list[tuple[str, Any]]:
    shown = hook_shapes.endpoint(row)
    return [
        ("Id", row.id),
        ("URL", row.url),
        ("Description", row.description),
        ("Events", ", ".join(row.events)),
        ("Status", shown["status"] + (f" ({row.disabled_why})" if row.disabled_why else "")),
        ("Failing since", shapes.short_time(row.failing_since)),
    ]
