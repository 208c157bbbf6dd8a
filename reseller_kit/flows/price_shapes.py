"""Prices and their versions as the command line shows them. Fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..core.catalog import TOKEN_CLASSES
from ..core.manifest.schedule import ScheduledChange
from ..core.money import format_markup, format_token_price, format_unit_price
from ..core.times import format_time
from ..db.prices import StoredVersion
from ..db.scheduled_prices import StoredChange
from . import documents as doc
from .group_editor import GroupPrice
from .price_editor import Line, ModelPrices
from .prices import PriceLine

PRICE_COLUMNS: Final = ("MODEL", "CLASS", "COST>", "WHOLESALE>", "RETAIL>", "MARGIN>")


def price_line(line: PriceLine) -> dict[str, Any]:
    """One class of a model at the three levels."""

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
        "provider": shown(line.provider),
        "margin": shown(line.margin),
    }


def retail_line(model: ModelPrices, line: Line) -> doc.RetailLine:
    """One class of a model as its reseller sees it."""
    return {
        "model": model.model,
        "aliases": list(model.aliases),
        "class": line.usage_class,
        "above_input": line.above_input,
        "per": _per(line.usage_class),
        "paid": None if line.paid is None else _price(line.usage_class, line.paid),
        "retail": _price(line.usage_class, line.retail),
        "margin": None if line.margin is None else _price(line.usage_class, line.margin),
    }


def group_line(line: GroupPrice) -> doc.GroupLine:
    """One class of a model as a group pays it, beside what all others pay and what the reseller does."""
    return {
        "model": line.model,
        "class": line.usage_class,
        "per": _per(line.usage_class),
        "paid": None if line.paid is None else _price(line.usage_class, line.paid),
        "usual": _price(line.usage_class, line.usual),
        "retail": _price(line.usage_class, line.retail),
        "margin": None if line.paid is None else _price(line.usage_class, line.retail - line.paid),
    }


def price_change(change: ScheduledChange) -> doc.PriceChange:
    """A change of prices at a later moment."""
    return {
        "id": change.id,
        "group": change.group,
        "model": change.match,
        "effective_from": format_time(change.effective_from),
        "markup": None if change.markup_ppm is None else format_markup(change.markup_ppm),
        "set": shown_prices(dict(change.prices)),
        "allow_loss": change.allow_loss,
    }


def scheduled_change(row: StoredChange) -> doc.ScheduledChange:
    """The same with what became of it."""
    return {
        **price_change(row.change),
        "state": row.state,
        "reason": row.reason,
        "created_at": format_time(row.created_at),
        "ended_at": None if row.ended_at is None else format_time(row.ended_at),
    }


def price_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """The same as a table's row."""
    name = row["model"] + (f" >{row['above_input']}" if row["above_input"] else "")
    return (name, row["class"], row["cost"], row["wholesale"], row["retail"], row["margin"])


def price_table(rows: list[dict[str, Any]]) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """Columns and rows of a table of prices; what a reseller's own upstream charges is there where any has one."""
    shown = [price_row(row) for row in rows]
    if not any(row["provider"] for row in rows):
        return PRICE_COLUMNS, shown
    with_provider = [(*cells[:3], row["provider"], *cells[3:]) for cells, row in zip(shown, rows, strict=True)]
    return (*PRICE_COLUMNS[:3], "PROVIDER>", *PRICE_COLUMNS[3:]), with_provider


def version_status(row: StoredVersion, now: int) -> str:
    """Where a version stands; one that another of the same moment overtook was never charged from."""
    if row.next_from == row.effective_from:
        return "superseded"
    if row.effective_from > now:
        return "scheduled"
    return "in force" if row.next_from is None or row.next_from > now else "past"


def price_version(row: StoredVersion, now: int) -> dict[str, Any]:
    """A version, with where it stands at `now` (µs)."""
    return {
        "id": row.id,
        "model": row.model,
        "level": row.level,
        "status": version_status(row, now),
        "origin": row.origin,
        "effective_from": format_time(row.effective_from),
        "created_at": format_time(row.created_at),
        "prices": shown_prices(row.price_list.prices),
        "tiers": [
            {"above_input": tier.above_input, "prices": shown_prices(tier.prices)} for tier in row.price_list.tiers
        ],
    }


def shown_prices(prices: dict[str, int]) -> dict[str, str]:
    """Prices by class as decimal strings."""
    return {name: _price(name, pico) for name, pico in prices.items()}


def brief(row: StoredVersion) -> str:
    """A version's prices in one cell."""
    return ", ".join(f"{name} {shown}" for name, shown in shown_prices(row.price_list.prices).items())


def _per(usage_class: str) -> str:
    return "million tokens" if usage_class in TOKEN_CLASSES else "unit"


def _price(usage_class: str, pico: int) -> str:
    """A price, or a difference of two, as USD per million tokens or per unit."""
    write = format_token_price if usage_class in TOKEN_CLASSES else format_unit_price
    return write(pico) if pico >= 0 else f"-{write(-pico)}"
