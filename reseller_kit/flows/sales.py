"""A reseller's sales of a month for its bookkeeping: each sale and refund with its tax. Moves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..core.csv_text import csv_rows
from ..core.currency import format_minor
from ..core.days import local
from ..core.money import format_amount, parse_amount
from ..core.months import Month, parse_month
from ..core.offers import whole_cents
from ..db import sales
from ..db.engine import NO_TENANT, Database
from ..db.sales import Sold
from .receipts import gross_share
from .statements import span_of
from .tenants import require_tenant

_KINDS: Final = {"refund_part": "refund", "charge_back": "chargeback", "reinstate": "chargeback_reversed"}
COLUMNS: Final = (
    "date",
    "kind",
    "description",
    "order",
    "receipt",
    "customer",
    "net",
    "tax",
    "gross",
    "currency",
    "tax_lines",
    "charged",
    "charged_tax",
    "charged_currency",
    "paid_by",
    "payment",
)


class MonthOfSales(Struct, frozen=True, kw_only=True):
    """The lines of a month, oldest first, each a document by `COLUMNS`."""

    month: Month
    lines: tuple[dict[str, str], ...]


async def month_of_sales(db: Database, tenant_slug: str, month: str) -> MonthOfSales:
    """A reseller's sales, refunds and chargebacks of a month. Raises NotFound, InvalidRequest for what is no month."""
    wanted = parse_month(month)
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        since, until = span_of(wanted, tenant)
    async with db.read(tenant.id) as connection:
        found = await sales.sold(connection, tenant.id, since, until)
    zone = ZoneInfo(tenant.timezone)
    return MonthOfSales(month=wanted, lines=tuple(_line(one, zone) for one in found))


def sales_csv(found: MonthOfSales) -> bytes:
    """One line a sale, refund or chargeback; what went back is below zero."""
    rows: list[Sequence[Any]] = [COLUMNS]
    rows += [[line[name] for name in COLUMNS] for line in found.lines]
    return csv_rows(rows)


def _line(one: Sold, zone: ZoneInfo) -> dict[str, str]:
    content = one.content
    net, gross = _amounts(one)
    charged = content.get("charged") if one.event == "sale" else None
    return {
        "date": local(one.at, zone).date().isoformat(),
        "kind": _KINDS.get(one.event, one.event),
        "description": str(content["lines"][0]["title"]),
        "order": one.order_id,
        "receipt": one.receipt,
        "customer": str(content["buyer"]["email"]),
        "net": format_amount(net),
        "tax": format_amount(gross - net),
        "gross": format_amount(gross),
        "currency": str(content["currency"]),
        "tax_lines": _tax_lines(content) if one.event == "sale" else "",
        **_charged(charged),
        "paid_by": one.provider,
        "payment": one.reference,
    }


def _amounts(one: Sold) -> tuple[int, int]:
    """Before tax, in whole cents, and with it, in nano-USD; below zero where money went back."""
    total = parse_amount(str(one.content["total"]))
    if one.event == "sale":
        return total - parse_amount(str(one.content.get("tax_total", "0.00"))), total
    back = parse_amount(one.amount)
    gross = gross_share(back, one.price, total)
    net = whole_cents(back)
    return (net, gross) if one.event == "reinstate" else (-net, -gross)


def _tax_lines(content: Mapping[str, Any]) -> str:
    """Each tax as the provider reported it."""
    return "; ".join(f"{line['title']} {line['amount']}".strip() for line in content["tax"])


def _charged(charged: Mapping[str, Any] | None) -> dict[str, str]:
    """What was paid where that was in another currency."""
    if charged is None:
        return {"charged": "", "charged_tax": "", "charged_currency": ""}
    currency = str(charged["currency"])
    return {
        "charged": format_minor(int(charged["total"]), currency),
        "charged_tax": format_minor(int(charged["tax"]), currency),
        "charged_currency": currency,
    }
