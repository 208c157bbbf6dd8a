"""`price`: published prices at all three levels."""

from __future__ import annotations

import click

from ..db.engine import now_us
from ..flows import prices as flow
from ..flows import shapes
from ..flows.price_shapes import brief, price_line, price_table, price_version, version_status
from .invocation import with_database
from .options import Group, page_options, tenant_option, window_of
from .output import emit, more, table
from .price_changes import cancel, schedule, simulate


@click.group(cls=Group)
def price() -> None:
    """Published prices at all three levels."""


@price.command()
@tenant_option
@click.option("--model", metavar="M", help="Only this model: public name or alias.")
@click.option("--group", metavar="ID", help="What this group of customers pays; left out: those in none.")
def show(tenant: str, model: str | None, group: str | None) -> None:
    """What the tenant charges and pays now: USD per million tokens, or per unit."""
    lines = with_database(lambda db: flow.show_prices(db, tenant, model, group))
    documents = [price_line(line) for line in lines]
    columns, rows = price_table(documents)
    emit(
        {"prices": documents, "next_cursor": None},
        table(
            columns,
            rows,
            empty="No model is priced for this tenant yet. Run: reseller-kit apply",
        ),
    )


@price.command()
@tenant_option
@click.option("--model", metavar="M", help="Only this model: public name or alias.")
@page_options
def history(tenant: str, model: str | None, limit: int, cursor: str | None) -> None:
    """Every price version, newest first, those to come among them."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.price_history(db, tenant, model, window))
    now = now_us()
    rows = [
        (shapes.short_time(row.effective_from), row.model, row.level, version_status(row, now), brief(row))
        for row in page.items
    ]
    emit(
        shapes.listing("prices", page, [price_version(row, now) for row in page.items]),
        table(["FROM (UTC)", "MODEL", "LEVEL", "STATUS", "PRICES"], rows, empty="No price was published yet."),
        more(page.next_cursor),
    )


for _command in (schedule, cancel, simulate):
    price.add_command(_command)
