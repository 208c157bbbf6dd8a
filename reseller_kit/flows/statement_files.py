"""Statements as CSV for bookkeeping and as JSON documents. Reads nothing; amounts are decimal strings in USD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from ..core.csv_text import csv_rows
from ..core.days import local
from ..core.money import format_amount
from ..core.statement import KINDS, parts
from ..core.times import format_time
from ..db.statements import Moved
from .statements import CustomerStatement, ResellerStatement, movement_of


def customer_csv(found: CustomerStatement) -> bytes:
    """For bookkeeping: one line a movement, calls by model; amounts are decimal strings in USD."""
    zone = ZoneInfo(found.tenant.timezone)
    rows: list[Sequence[Any]] = [
        ("date", "kind", "description", "reference", "receipt", "credit", "paid", "tax", "currency"),
        (_day(found.since, zone), "opening", "", "", "", format_amount(found.opening), "", "", "USD"),
    ]
    for moved in found.movements:
        paid, tax, currency = _paid(moved)
        for number, (kind, amount) in enumerate(parts(movement_of(moved))):
            first = number == 0
            rows.append(
                (
                    _day(moved.created_at, zone),
                    kind,
                    moved.title or moved.ref,
                    moved.order_id or moved.id,
                    moved.receipt_number,
                    format_amount(amount),
                    paid if first else "",
                    tax if first else "",
                    currency,
                )
            )
    last = _day(found.until - 1, zone)
    rows += [
        (last, "usage", use.model, f"{use.calls} calls", "", format_amount(use.amount), "", "", "USD")
        for use in found.models
    ]
    rows.append((last, "closing", "", "", "", format_amount(found.closing), "", "", "USD"))
    return csv_rows(rows)


def reseller_csv(found: ResellerStatement) -> bytes:
    """One line a model, then what was sold and how the account with the operator moved."""
    rows: list[Sequence[Any]] = [("kind", "name", "count", "retail", "wholesale", "margin")]
    rows += [
        (
            "model",
            one.model,
            one.calls,
            format_amount(one.retail),
            format_amount(one.wholesale),
            format_amount(one.margin),
        )
        for one in found.models
    ]
    total = (format_amount(found.retail), format_amount(found.wholesale), format_amount(found.margin))
    rows.append(("total", "", sum(one.calls for one in found.models), *total))
    sold = found.sales
    rows += [
        ("sold", "orders", sold.orders, format_amount(sold.price), "", ""),
        ("sold", "credited", sold.orders, format_amount(sold.credits), "", ""),
        ("sold", "refunded", "", format_amount(-sold.refunded), "", ""),
    ]
    rows += [("credit", code, "", format_amount(amount), "", "") for code, amount in found.credited.items()]
    rows.append(("account", "opening", "", "", format_amount(found.opening), ""))
    rows += [("account", code, "", "", format_amount(amount), "") for code, amount in found.account.items()]
    rows.append(("account", "closing", "", "", format_amount(found.closing), ""))
    return csv_rows(rows)


def reseller_document(found: ResellerStatement) -> dict[str, Any]:
    """A reseller's month as JSON."""
    return {
        "tenant": found.tenant.slug,
        "month": str(found.month),
        "since": format_time(found.since),
        "until": format_time(found.until),
        "currency": "USD",
        "sales": {
            "orders": found.sales.orders,
            "price": format_amount(found.sales.price),
            "credits": format_amount(found.sales.credits),
            "refunded": format_amount(found.sales.refunded),
        },
        "models": [
            {
                "model": one.model,
                "calls": one.calls,
                "retail": format_amount(one.retail),
                "wholesale": format_amount(one.wholesale),
                "margin": format_amount(one.margin),
            }
            for one in found.models
        ],
        "retail": format_amount(found.retail),
        "wholesale": format_amount(found.wholesale),
        "margin": format_amount(found.margin),
        "credit": {code: format_amount(amount) for code, amount in found.credited.items()},
        "account": {
            "opening": format_amount(found.opening),
            "moved": {code: format_amount(amount) for code, amount in found.account.items()},
            "closing": format_amount(found.closing),
        },
    }


def customer_document(found: CustomerStatement) -> dict[str, Any]:
    """A customer's month as JSON."""
    return {
        "tenant": found.tenant.slug,
        "customer": found.customer.email,
        "customer_id": found.customer.id,
        "month": str(found.month),
        "since": format_time(found.since),
        "until": format_time(found.until),
        "currency": "USD",
        "opening": format_amount(found.opening),
        **{kind: format_amount(getattr(found.sums, kind)) for kind in KINDS},
        "closing": format_amount(found.closing),
        "models": [
            {"model": use.model, "calls": use.calls, "amount": format_amount(use.amount)} for use in found.models
        ],
    }


def _paid(moved: Moved) -> tuple[str, str, str]:
    """What stands on the receipt of a grant: paid in all, tax of that, and the currency."""
    if moved.code != "grant" or moved.receipt is None:
        return "", "", "USD"
    content = moved.receipt
    return str(content["total"]), str(content.get("tax_total", "0.00")), str(content["currency"])


def _day(at: int, zone: ZoneInfo) -> str:
    return local(at, zone).date().isoformat()
