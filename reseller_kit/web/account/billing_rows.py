"""Orders, lots, movements and receipts as the billing pages show them. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...core.ledger import Lot
from ...core.money import format_amount, parse_amount
from ...core.order import UNPAID
from ...db.credits import HistoryLine
from ...db.orders import Order, Receipt
from ...db.packages import Offer
from ...flows.orders import OrderDetail
from ...theming import billing as views
from ...theming.forms import FormView
from ..pages.views import package_row
from .portal import moment

_PERIOD_DAYS: Final = {"week": 7, "month": 31, "year": 366}
_MOVES: Final = frozenset({"call", "grant", "expiry", "adjustment", "reversal", "clawback", "restoration", "order"})
_ABOUT: Final = {"req_": "/account/usage/", "ord_": "/account/billing/orders/"}
_LEGAL: Final = ("address", "country", "registration", "vat_id")


def offer_row(offer: Offer) -> views.OfferRow:
    """An offer with its terms."""
    terms = offer.terms
    days = terms.get("valid_days")
    if days is None and terms.get("kind") == "subscription" and not terms.get("roll_over", False):
        days = _PERIOD_DAYS.get(terms.get("period", ""))
    package = package_row({**terms, "id": offer.code})
    return views.OfferRow(package=package, models=tuple(terms.get("models", ())), lasts_days=days)


def lot_row(lot: Lot, timezone: str) -> views.LotRow:
    """A lot."""
    return views.LotRow(
        kind=lot.kind,
        amount=lot.amount,
        left=lot.remaining,
        at=moment(lot.created_at, timezone),
        expires=None if lot.expires_at is None else moment(lot.expires_at, timezone),
        models=lot.models,
    )


def order_row(order: Order, timezone: str) -> views.OrderRow:
    """An order in a list."""
    return views.OrderRow(
        id=order.id,
        title=order.title,
        state=order.state,
        price=order.price_nano,
        credits=order.credits_nano,
        at=moment(order.created_at, timezone),
    )


def move_row(line: HistoryLine, timezone: str) -> views.MoveRow:
    """A movement of the credit; of a call or an order with the way to it."""
    url = next((path + line.ref for prefix, path in _ABOUT.items() if line.ref.startswith(prefix)), "")
    kind = "order" if line.code == "grant" and line.ref.startswith("ord_") else line.code
    return views.MoveRow(
        kind=kind if kind in _MOVES else "other",
        amount=line.amount,
        after=line.balance_after,
        at=moment(line.created_at, timezone),
        url=url,
    )


def order_view(detail: OrderDetail, settings: Mapping[str, Any], timezone: str, form: FormView) -> views.OrderView:
    """The page of an order; what a team notes for itself is not on it."""
    order = detail.order
    waits = order.state in UNPAID
    steps = tuple(
        views.StepRow(
            state="ordered" if line.event == "create" else line.after,
            at=moment(line.created_at, timezone),
            amount=str(line.facts.get("amount", "")) if line.event in {"refund", "refund_part"} else "",
        )
        for line in detail.timeline
        if line.event != "open"
    )
    manual = order.provider == "manual"
    return views.OrderView(
        order=order_row(order, timezone),
        offer=offer_row(Offer(order.package_id, order.package, order.version, order.terms)),
        refunded=order.refunded_nano,
        steps=steps,
        lapses=moment(order.lapses_at, timezone) if waits else None,
        waits=waits,
        form=form,
        instructions=settings.get("payments", {}).get("instructions") or "" if waits and manual else "",
        pay_url=str(order.provider_facts.get("url") or "") if waits else "",
        note=order.note,
        receipt=detail.receipt.label if detail.receipt else "",
    )


def receipt_view(detail: OrderDetail, receipt: Receipt, timezone: str) -> views.ReceiptView:
    """A receipt: what was frozen when it was issued, and the refunds since then."""
    content, order = receipt.content, detail.order
    seller, buyer = content["seller"], content["buyer"]
    refunds = tuple(
        views.RefundLine(moment(line.created_at, timezone), str(line.facts["amount"]))
        for line in detail.timeline
        if line.event in {"refund", "refund_part"} and line.facts.get("amount")
    )
    legal = [str(seller[name]) for name in _LEGAL if seller.get(name)]
    trade_name = [seller["name"]] if seller.get("company") and seller["company"] != seller["name"] else []
    return views.ReceiptView(
        number=receipt.label,
        order=order.id,
        issued=moment(receipt.issued_at, timezone),
        paid=moment(order.paid_at or receipt.issued_at, timezone),
        seller=seller.get("company") or seller["name"],
        seller_lines=(*trade_name, *legal),
        buyer_lines=tuple(text for text in (buyer["name"], buyer["email"]) if text),
        lines=tuple(views.ReceiptLine(line["title"], line["credits"], line["amount"]) for line in content["lines"]),
        total=content["total"],
        currency=content["currency"],
        taxes=tuple(views.TaxLine(str(line["title"]), str(line["amount"])) for line in content["tax"]),
        refunds=refunds,
        kept=format_amount(parse_amount(content["total"]) - order.refunded_nano) if refunds else "",
    )
