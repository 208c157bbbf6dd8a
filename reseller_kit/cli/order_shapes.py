"""Orders as JSON documents. Pure."""

from __future__ import annotations

from ..core.money import format_amount
from ..core.times import format_time
from ..db.orders import Order
from ..flows.orders import OrderDetail
from .shapes import Document, optional_time


def order(row: Order, tenant_slug: str) -> Document:
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


def order_detail(detail: OrderDetail) -> Document:
    """An order with its timeline and the number of its receipt."""
    return {
        **order(detail.order, detail.tenant),
        "receipt": None if detail.receipt is None else detail.receipt.label,
        "timeline": [
            {
                "event": line.event,
                "before": line.before,
                "after": line.after,
                "actor": line.actor,
                "facts": line.facts,
                "note": ", ".join(f"{name} {value}" for name, value in line.facts.items() if value),
                "created_at": format_time(line.created_at),
            }
            for line in detail.timeline
        ],
    }
