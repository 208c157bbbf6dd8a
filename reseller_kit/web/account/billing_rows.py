"""Orders, lots, movements and receipts as the billing pages show them. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...core.ledger import Lot, left_today
from ...core.money import format_amount, parse_amount
from ...core.offers import whole_cents
from ...core.order import UNPAID
from ...db.credits import HistoryLine
from ...db.engine import now_us
from ...db.orders import Order, Receipt
from ...db.packages import Offer
from ...flows.orders import OrderDetail
from ...flows.receipts import gross_share
from ...flows.subscriptions import OwnSubscription
from ...theming import billing as views
from ...theming.forms import FormView
from ..pages.views import package_row
from .portal import moment

_MANAGE: Final = "/account/billing/orders/{}/manage"
_AGAIN_SECONDS: Final = 4
_MOVES: Final = frozenset({"call", "grant", "expiry", "adjustment", "reversal", "clawback", "restoration", "order"})
_ABOUT: Final = {"req_": "/account/usage/", "ord_": "/account/billing/orders/"}
_LEGAL: Final = ("address", "country", "registration", "vat_id")


def offer_row(offer: Offer) -> views.OfferRow:
    """An offer with its terms."""
    terms = offer.terms
    package = package_row({**terms, "id": offer.code})
    return views.OfferRow(package=package, models=package.models, lasts_days=package.valid_days)


def lot_row(lot: Lot, timezone: str) -> views.LotRow:
    """A lot."""
    return views.LotRow(
        kind=lot.kind,
        amount=lot.amount,
        left=lot.remaining,
        at=moment(lot.created_at, timezone),
        expires=None if lot.expires_at is None else moment(lot.expires_at, timezone),
        models=lot.models,
        daily=lot.daily or 0,
        left_today=0 if lot.daily is None else min(left_today(lot, now_us()), lot.remaining - lot.reserved),
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


def subscription_row(own: OwnSubscription, timezone: str) -> views.SubscriptionRow:
    """A subscription."""
    found = own.subscription
    ended = found.state == "ended"
    return views.SubscriptionRow(
        id=found.id,
        title=found.title,
        state=found.state,
        price=parse_amount(found.terms["price"]),
        credits=parse_amount(found.terms["credits"]),
        period=found.period,
        until=moment(found.period_ends_at, timezone),
        ends=None if found.cancel_at is None or ended else moment(found.cancel_at, timezone),
        next_title="" if own.next_offer is None else str(own.next_offer.terms["title"]),
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


def order_view(
    detail: OrderDetail,
    settings: Mapping[str, Any],
    timezone: str,
    form: FormView,
    *,
    pay_url: str = "",
    returning: bool = False,
    manages: bool = False,
    refund: views.RefundView | None = None,
) -> views.OrderView:
    """The page of an order; what a team notes for itself is not on it. `pay_url`: where it is paid, while it waits.

    `manages`: customers have a page of their own at the provider. `returning`: the customer says to have paid; while
    no confirmation has come, or the credit follows a payment, the page asks again by itself.
    """
    order = detail.order
    waits = order.state in UNPAID
    steps = tuple(
        views.StepRow(
            state="ordered" if line.event == "create" else line.after,
            at=moment(line.created_at, timezone),
            amount=_in_cents(line.facts.get("amount")) if line.event in {"refund", "refund_part"} else "",
        )
        for line in detail.timeline
        # What moves the order nowhere is for those who look after it.
        if line.event != "open" and line.before != line.after
    )
    manual = order.provider == "manual"
    return views.OrderView(
        order=order_row(order, timezone),
        offer=offer_row(Offer(order.package_id, order.package, order.version, order.terms)),
        manual=manual,
        refunded=whole_cents(order.refunded_nano),
        steps=steps,
        lapses=moment(order.lapses_at, timezone) if waits else None,
        waits=waits,
        form=form,
        instructions=settings.get("payments", {}).get("instructions") or "" if waits and manual else "",
        pay_url=pay_url if waits else "",
        may_open=order.state == "draft" and not manual,
        returning=returning and waits,
        again_seconds=_AGAIN_SECONDS if order.state == "paid" or (returning and waits) else 0,
        manage_url=_MANAGE.format(order.id) if not manual and order.paid_at is not None and manages else "",
        invoice_url="" if manual or order.paid_at is None else f"/account/billing/orders/{order.id}/invoice",
        note=order.note,
        receipt=detail.receipt.label if detail.receipt else "",
        refund=refund or views.RefundView(),
    )


def receipt_view(detail: OrderDetail, receipt: Receipt, timezone: str) -> views.ReceiptView:
    """A receipt: what was frozen when it was issued, and the refunds since then."""
    content, order = receipt.content, detail.order
    seller, buyer = content["seller"], content["buyer"]
    refunds = tuple(
        views.RefundLine(moment(line.created_at, timezone), _gross(str(line.facts["amount"]), order, content))
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
        lines=tuple(
            views.ReceiptLine(line["title"], line["credits"], line["amount"], line.get("daily", ""))
            for line in content["lines"]
        ),
        total=content["total"],
        currency=content["currency"],
        taxes=tuple(views.TaxLine(str(line["title"]), str(line["amount"])) for line in content["tax"]),
        refunds=refunds,
        kept=format_amount(parse_amount(content["total"]) - _share(order.refunded_nano, order, content))
        if refunds
        else "",
        merchant=bool(content.get("merchant")),
        charged=views.Charged(**content["charged"]) if "charged" in content else None,
    )


def _in_cents(amount: Any) -> str:
    return format_amount(whole_cents(parse_amount(amount))) if amount else ""


def _gross(amount: str, order: Order, content: Mapping[str, Any]) -> str:
    """A refund of the price as it went back, with its share of the tax."""
    return format_amount(_share(parse_amount(amount), order, content))


def _share(nano: int, order: Order, content: Mapping[str, Any]) -> int:
    return gross_share(nano, order.price_nano, parse_amount(content["total"]))
