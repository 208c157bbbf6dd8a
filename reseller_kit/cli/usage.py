"""`usage`: calls and what they cost, from the operator's side."""

from __future__ import annotations

from typing import Any

import click
from rich.console import RenderableType

from ..core.money import format_amount
from ..core.times import parse_time
from ..db.engine import Database
from ..flows import shapes, usage_shapes
from ..flows.explain import explain as explain_charge
from ..flows.tenants import tenant_id_of
from ..flows.usage import list_usage
from ..flows.usage_summary import By, summarize
from .invocation import with_database
from .options import Group, any_customer_option, any_tenant_option, page_options, tenant_option, window_of
from .output import emit, facts, more, table


@click.group(cls=Group)
def usage() -> None:
    """Calls and what they cost."""


@usage.command("list")
@any_tenant_option
@any_customer_option
@click.option("--since", type=parse_time, metavar="ISO", help="Only calls from then on.")
@page_options
def list_(tenant: str | None, customer: str | None, since: int | None, limit: int, cursor: str | None) -> None:
    """Usage records, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: list_usage(db, tenant_slug=tenant, customer=customer, since=since, window=window))
    documents = [usage_shapes.usage(row) for row in page.items]
    rows = [(row["id"], row["customer"], row["model"], row["status"], _tokens(row), row["retail"]) for row in documents]
    emit(
        shapes.listing("records", page, documents),
        table(["ID", "CUSTOMER", "MODEL", "STATUS", "IN/OUT>", "RETAIL>"], rows, empty="No calls yet."),
        more(page.next_cursor),
    )


@usage.command()
@tenant_option
@any_customer_option
@click.option("--since", type=parse_time, metavar="ISO", help="From the day that this lies in; default: 30 days.")
@click.option(
    "--by", type=click.Choice(["day", "model", "key"]), default="day", show_default=True, help="What a row is."
)
def summary(tenant: str, customer: str | None, since: int | None, by: By) -> None:
    """Totals by day, model or key, in whole days of the tenant's time zone."""
    found = with_database(lambda db: summarize(db, tenant_slug=tenant, customer=customer, since=since, by=by))
    rows = [
        (name, sums.calls, usage_shapes.tokens_read(sums), sums.output, *map(format_amount, usage_shapes.amounts(sums)))
        for name, sums in [*found.rows, ("total", found.total)]
    ]
    columns = [by.upper(), "CALLS>", "INPUT>", "OUTPUT>", "RETAIL>", "WHOLESALE>", "COST>"]
    emit(
        usage_shapes.summary(found),
        table(columns, rows, empty=""),
        f"From {shapes.short_time(found.since)} UTC, days of {found.timezone}.",
    )


@usage.command()
@click.argument("usage_id", metavar="ID")
@any_tenant_option
def explain(usage_id: str, tenant: str | None) -> None:
    """Every line behind a call's charge, at all three levels."""

    async def work(db: Database) -> dict[str, Any]:
        tenant_id = None if tenant is None else await tenant_id_of(db, tenant)
        return await explain_charge(db, usage_id, tenant_id=tenant_id)

    document = with_database(work)
    emit(document, *_explained(document))


def _tokens(row: dict[str, Any]) -> str:
    read = row["input_tokens"] + row["cached_input_tokens"] + row["cache_write_tokens"] + row["cache_write_1h_tokens"]
    return f"{read}/{row['output_tokens']}"


def _in_force(total: dict[str, Any]) -> str | None:
    """Since when the prices of a level applied, and from which length of the input they are."""
    above = total["above_input"]
    return total["effective_from"] if not above else f"{total['effective_from']}, above {above} input tokens"


def _explained(document: dict[str, Any]) -> list[RenderableType]:
    lines, totals = document["lines"], document["totals"]
    plain = {name: value for name, value in document.items() if name not in {"lines", "totals", "matches"}}
    products = [
        (line["level"], line["class"], line["quantity"], f"{line['price']} / {line['per']}", line["amount"])
        for line in lines
    ]
    sums = [
        (level, total["price_version"], total["amount"], total["stored"], "yes" if total["matches"] else "NO")
        for level, total in totals.items()
    ]
    dates = [(f"{level.capitalize()} prices from", _in_force(total)) for level, total in totals.items()]
    dates += [("Prices of the group", total["group"]) for total in totals.values() if total["group"]]
    return [
        facts([*((name.replace("_", " ").capitalize(), value) for name, value in plain.items()), *dates]),
        table(["LEVEL", "CLASS", "QUANTITY>", "PRICE (USD)>", "AMOUNT>"], products, empty="Nothing was charged."),
        table(["LEVEL", "PRICE VERSION", "CHARGE>", "STORED>", "MATCHES"], sums, empty=""),
    ]
