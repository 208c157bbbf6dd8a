"""`price`: published prices at all three levels."""

from __future__ import annotations

from typing import Any

import click

from ..core.catalog import TOKEN_CLASSES
from ..core.money import format_token_price, format_unit_price
from ..core.times import format_time
from ..db.prices import StoredVersion
from ..flows import prices as flow
from ..flows.prices import PriceLine
from . import shapes
from .invocation import with_database
from .options import Group, page_options, tenant_option, window_of
from .output import emit, more, table


@click.group(cls=Group)
def price() -> None:
    """Published prices at all three levels."""


@price.command()
@tenant_option
@click.option("--model", metavar="M", help="Only this model: public name or alias.")
def show(tenant: str, model: str | None) -> None:
    """What the tenant charges and pays now: USD per million tokens, or per unit."""
    lines = with_database(lambda db: flow.show_prices(db, tenant, model))
    documents = [_line(line) for line in lines]
    rows = [
        (
            row["model"] + (f" >{row['above_input']}" if row["above_input"] else ""),
            row["class"],
            row["cost"],
            row["wholesale"],
            row["retail"],
            row["margin"],
        )
        for row in documents
    ]
    emit(
        {"prices": documents, "next_cursor": None},
        table(
            ["MODEL", "CLASS", "COST>", "WHOLESALE>", "RETAIL>", "MARGIN>"],
            rows,
            empty="No model is priced for this tenant yet. Run: reseller-kit apply",
        ),
    )


@price.command()
@tenant_option
@click.option("--model", metavar="M", help="Only this model: public name or alias.")
@page_options
def history(tenant: str, model: str | None, limit: int, cursor: str | None) -> None:
    """Every price version, newest first."""
    window = window_of(limit, cursor)
    page = with_database(lambda db: flow.price_history(db, tenant, model, window))
    rows = [(shapes.short_time(row.effective_from), row.model, row.level, _brief(row)) for row in page.items]
    emit(
        shapes.listing("prices", page, [_version(row) for row in page.items]),
        table(["FROM (UTC)", "MODEL", "LEVEL", "PRICES"], rows, empty="No price was published yet."),
        more(page.next_cursor),
    )


def _line(line: PriceLine) -> dict[str, Any]:
    def shown(pico: int | None) -> str | None:
        return None if pico is None else _price(line.usage_class, pico)

    return {
        "model": line.model,
        "class": line.usage_class,
        "above_input": line.above_input,
        "per": _per(line.usage_class),
        "cost": shown(line.cost),
        "wholesale": shown(line.wholesale),
        "retail": shown(line.retail),
        "margin": shown(None if line.wholesale is None else line.retail - line.wholesale),
    }


def _version(row: StoredVersion) -> dict[str, Any]:
    return {
        "id": row.id,
        "model": row.model,
        "level": row.level,
        "origin": row.origin,
        "effective_from": format_time(row.effective_from),
        "created_at": format_time(row.created_at),
        "prices": _shown_prices(row.price_list.prices),
        "tiers": [
            {"above_input": tier.above_input, "prices": _shown_prices(tier.prices)} for tier in row.price_list.tiers
        ],
    }


def _shown_prices(prices: dict[str, int]) -> dict[str, str]:
    return {name: _price(name, pico) for name, pico in prices.items()}


def _brief(row: StoredVersion) -> str:
    return ", ".join(f"{name} {shown}" for name, shown in _shown_prices(row.price_list.prices).items())


def _per(usage_class: str) -> str:
    return "million tokens" if usage_class in TOKEN_CLASSES else "unit"


def _price(usage_class: str, pico: int) -> str:
    """A price, or a difference of two, as USD per million tokens or per unit."""
    write = format_token_price if usage_class in TOKEN_CLASSES else format_unit_price
    return write(pico) if pico >= 0 else f"-{write(-pico)}"
