"""Orders as JSON documents. Pure."""

from __future__ import annotations

from typing import Any

from ..core.currency import format_minor
from ..core.money import format_amount, parse_amount
from ..core.offers import whole_cents
from ..core.times import format_time
from ..db.orders import Order
from . import documents as doc
from .orders import OrderDetail
from .shapes import optional_time


def order(row: Order, tenant_slug: str) -> doc.Order:
    """An order."""
    return {
        "id": row.id,
        "tenant": tenant_slug,
        "customer": row.email,
        "customer_id": row.customer_id,
        "package": row.package,
        "version": row.version,
        "kind": row.kind,
        "title": row.title,
        "price": format_amount(row.price_nano),
        "credits": format_amount(row.credits_nano),
        "refunded": format_amount(row.refunded_nano),
        "currency": "USD",
        "status": row.state,
        "provider": row.provider,
        "provider_ref": row.provider_ref,
        "lot": row.lot_id,
        "terms_hash": row.terms_hash,
        "note": row.note,
        "created_at": format_time(row.created_at),
        "paid_at": optional_time(row.paid_at),
        "lapses_at": format_time(row.lapses_at),
    }


def order_detail(detail: OrderDetail) -> doc.OrderDetail:
    """An order with its timeline and the number of its receipt."""
    return {
        **order(detail.order, detail.tenant),
        "receipt": None if detail.receipt is None else detail.receipt.label,
        "payments": [
            {
                "id": row.ref,
                "provider": row.provider,
                "status": row.status,
                "total": format_minor(row.state["total"], row.state["currency"]),
                "currency": row.state["currency"],
                "problem": row.problem,
                "decision": row.decision,
            }
            for row in detail.payments
        ],
        "refunds": [
            {
                "id": one.id,
                "payment": one.payment_ref,
                "amount": format_minor(one.minor, one.currency),
                "currency": one.currency,
                "status": one.state,
                "reason": one.reason,
                "error": one.error,
                "created_at": format_time(one.created_at),
            }
            for one in detail.refunds
        ],
        "timeline": [
            {
                "event": line.event,
                "before": line.before,
                "after": line.after,
                "actor": line.actor,
                "facts": line.facts,
                "note": ", ".join(f"{name} {shown_fact(name, value)}" for name, value in line.facts.items() if value),
                "created_at": format_time(line.created_at),
            }
            for line in detail.timeline
        ],
    }


def shown_fact(name: str, value: Any) -> str:
    """A fact of a timeline as people read it: what went back is in cents and before tax, as the order's price is."""
    if name == "amount":
        return f"{format_amount(whole_cents(parse_amount(value)))} USD before tax"
    return f"{value} USD" if name == "credits" else str(value)
