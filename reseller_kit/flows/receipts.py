"""What a receipt says of a payment that a provider took: tax as it was reported, total and currency. Works out nothing.

Such a provider is the merchant of record: it owes the tax and sends the invoice for it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..core.currency import format_minor
from ..core.offers import whole_cents
from ..core.payment import Payment, TaxLine
from ..db import payment_facts
from ..db.engine import Connection
from ..db.orders import Order

_CURRENCY = "USD"


async def paid_with(connection: Connection, order: Order) -> Payment | None:
    """The completed payment of an order, the first that there was; None where none is known."""
    for row in await payment_facts.of_order(connection, order.tenant_id, order.id):
        if row.kind == "payment" and row.status == "completed":
            return msgspec.convert(row.state, Payment)
    return None


def taxed(paid: Payment) -> dict[str, Any]:
    """The members of a receipt that a provider's payment decides.

    In the platform's currency the total is what was paid, tax included. In another one the lines stay as they were
    ordered, and `charged` says what was paid.
    """
    lines = [{"title": _percent(one), "amount": format_minor(one.minor, paid.currency)} for one in paid.tax_lines]
    if paid.tax and not lines:
        lines = [{"title": "", "amount": format_minor(paid.tax, paid.currency)}]
    if paid.currency != _CURRENCY:
        charged = {"currency": paid.currency, "total": paid.total, "tax": paid.tax}
        return {"charged": charged, "merchant": True}
    return {
        "total": format_minor(paid.total, paid.currency),
        "tax": lines,
        "tax_total": format_minor(paid.tax, paid.currency),
        "currency": paid.currency,
        "merchant": True,
    }


def gross_share(nano: int, price: int, total: int) -> int:
    """The share of what was paid in all that belongs to a part of the price, in cents (nano-USD): a refund with tax."""
    return nano if total == price or not price else whole_cents(total * nano // price)


def _percent(line: TaxLine) -> str:
    """A rate such as "0.19" as "19%"; what is spelled otherwise stays as it is."""
    whole, _, decimals = line.rate.partition(".")
    if not (whole + decimals).isdecimal():
        return line.rate
    digits = whole + decimals.ljust(2, "0")
    number, rest = digits[: len(whole) + 2].lstrip("0") or "0", digits[len(whole) + 2 :].rstrip("0")
    return f"{number}.{rest}%" if rest else f"{number}%"
