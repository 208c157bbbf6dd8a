"""The part of an order's page where a customer asks for its money back. Refunds nothing."""

from __future__ import annotations

from ...core.currency import format_minor
from ...core.errors import InvalidForm
from ...core.offers import whole_cents
from ...db.orders import Order
from ...flows.orders import ask_back, own_order, refund_offer
from ...theming.billing import RefundView
from ...theming.render import find_theme, texts_of
from ..forms import Form
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import language_of, runtime_of
from ..sessions import required_session
from .portal import moment, timezone_of

_MAX_BODY = 5_001


async def refund_view(request: Handler, order: Order) -> RefundView:
    """What the customer may expect of a refund now."""
    offer = await refund_offer(runtime_of(request).db, order)
    terms, timezone = offer.terms, timezone_of(request, required_session(request))
    return RefundView(
        standing=terms.standing,
        until=None if terms.until is None else moment(terms.until, timezone),
        back=whole_cents(terms.back),
        takes=terms.takes,
        debt=terms.debt,
        pending=tuple(f"{format_minor(one.minor, one.currency)} {one.currency}" for one in offer.pending),
        case_url=f"/account/support/{offer.case}" if offer.case else "",
    )


async def begin_case(pages: Pages, request: Handler, order_id: str, form: Form) -> str:
    """The address of the case that asks for it. Raises InvalidForm, NotFound for another's order."""
    session, storefront, db = required_session(request), storefront_of(request), runtime_of(request).db
    detail = await own_order(db, storefront, session.customer_id, order_id)
    texts = texts_of(find_theme(pages.library, storefront.theme), language_of(request))
    subject = texts["refund.subject"].replace("{title}", detail.order.title)[:150]
    try:
        case = await ask_back(db, storefront, detail.order, subject=subject, body=form.raw("body")[:_MAX_BODY])
    except InvalidForm as error:
        shown = {name if name == "body" else "": why for name, why in error.problems.items()}
        raise InvalidForm(shown) from None
    return f"/account/support/{case.id}"
