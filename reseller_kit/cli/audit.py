"""`audit`: who changed what."""

from __future__ import annotations

import click

from ..flows import shapes
from ..flows.changes import list_changes
from .invocation import with_database
from .options import Group, any_tenant_option, page_options, window_of
from .output import emit, more, table


@click.group(cls=Group)
def audit() -> None:
    """Who changed what."""


@audit.command("list")
@any_tenant_option
@page_options
def list_(tenant: str | None, limit: int, cursor: str | None) -> None:
    """Changes, newest first: everybody's, or one tenant's."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: list_changes(db, tenant, window))
    rows = [(shapes.short_time(row.created_at), row.actor, row.action, row.ref) for row in page.items]
    emit(
        shapes.listing("events", page, [shapes.change(row) for row in page.items]),
        table(["TIME (UTC)", "WHO", "WHAT", "ON"], rows, empty="Nothing was changed yet."),
        more(page.next_cursor),
    )
