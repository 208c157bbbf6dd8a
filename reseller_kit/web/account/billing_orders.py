"""The pages `/account/billing/orders/{id}`: one order, how it is paid, and its receipt as a page and as a file."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import Conflict, InvalidForm, InvalidRequest, NotFound, ServiceUnavailable
from ...db.orders import Receipt
from ...flows.orders import OrderDetail, ask_for, cancel_order, open_again, own_order
from ...payments import SelfService
from ...theming.forms import FormView
from ...theming.pdf import receipt_pdf
from ...theming.render import find_theme, texts_of
from ..forms import Form, read_form
from ..guards import known, see_other, signed_in
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import SECURITY_HEADERS, language_of, origin_of, runtime_of
from ..pages.views import brand_of
from ..sessions import required_session
from .asking_back import begin_case, refund_view
from .billing_rows import order_view, receipt_view
from .paying import RETURNED, form_targets, paid_through, payment_url
from .portal import timezone_of

_ORDER: Final = "/account/billing/orders/{order_id:str}"


def order_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """An order of the customer's own; anybody else's is not there."""

    @get(_ORDER, guards=[known], viewable=True)
    async def show(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        return await _show(pages, request, order_id)

    @post(_ORDER, guards=[signed_in])
    async def change(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        session = required_session(request)
        form = await read_form(request)
        if form.raw("action") == "open":
            return await _open(pages, request, order_id, form)
        if form.raw("action") == "ask_back":
            return await _ask_back(pages, request, order_id, form)
        if form.raw("action") != "cancel":
            return await _show(pages, request, order_id)
        try:
            await cancel_order(
                runtime_of(request).db,
                tenant_id=session.tenant_id,
                customer_id=session.customer_id,
                order_id=order_id,
                actor=f"customer:{session.customer_id}",
            )
        except Conflict:
            return await _show(pages, request, order_id, form.view(InvalidForm({"": ("billing.too_late", {})})))
        return see_other(f"/account/billing/orders/{order_id}")

    @get(f"{_ORDER}/receipt", guards=[known], viewable=True)
    async def receipt(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        detail, issued = await _issued(request, order_id)
        view = receipt_view(detail, issued, _timezone(request))
        return pages.answer(request, "account/receipt.html", view=view, noindex=True)

    @get(f"{_ORDER}/receipt.pdf", guards=[known])
    async def receipt_file(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        detail, issued = await _issued(request, order_id)
        view = receipt_view(detail, issued, _timezone(request))
        storefront, lang = storefront_of(request), language_of(request)
        texts = texts_of(find_theme(pages.library, storefront.theme), lang)
        body = await asyncio.to_thread(receipt_pdf, texts, brand_of(storefront), view, lang)
        headers = {
            **SECURITY_HEADERS,
            "cache-control": "private, no-store",
            "content-disposition": f'attachment; filename="receipt-{issued.label}.pdf"',
        }
        return Response(body, media_type="application/pdf", headers=headers)

    return [show, change, receipt, receipt_file]


async def _show(
    pages: Pages, request: Handler, order_id: str, form: FormView | None = None, status: int = 409
) -> Response[Any]:
    session, storefront = required_session(request), storefront_of(request)
    runtime = runtime_of(request)
    detail = await own_order(runtime.db, storefront, session.customer_id, order_id)
    if (await ask_for(runtime.db, runtime.ledger, runtime.providers, detail.order)).state != detail.order.state:
        detail = await own_order(runtime.db, storefront, session.customer_id, order_id)
    through = await paid_through(request)
    view = order_view(
        detail,
        storefront.settings,
        _timezone(request),
        form or FormView(),
        pay_url=payment_url(detail.order, through),
        returning=RETURNED in request.query_params,
        manages=through is not None and not through.shared and isinstance(through.provider, SelfService),
        refund=await refund_view(request, detail.order),
    )
    return pages.answer(
        request,
        "account/order.html",
        view=view,
        status=status if form else 200,
        noindex=True,
        sources=form_targets(through) if view.may_open else {},
    )


async def _ask_back(pages: Pages, request: Handler, order_id: str, form: Form) -> Response[Any]:
    """Support before dispute: the team decides, and the customer reads on in the case."""
    try:
        return see_other(await begin_case(pages, request, order_id, form))
    except InvalidForm as error:
        return await _show(pages, request, order_id, form.view(error), status=error.status)


async def _open(pages: Pages, request: Handler, order_id: str, form: Form) -> Response[Any]:
    """Open the payment page of an order whose provider did not answer before."""
    session, runtime = required_session(request), runtime_of(request)
    try:
        placed = await open_again(
            runtime.db,
            runtime.vault,
            runtime.providers,
            tenant_id=session.tenant_id,
            customer_id=session.customer_id,
            order_id=order_id,
            actor=f"customer:{session.customer_id}",
            origin=origin_of(request, pages.port),
        )
    except (InvalidRequest, ServiceUnavailable) as error:
        key = "billing.provider_away" if error.status == 503 else "billing.cannot_order"
        return await _show(pages, request, order_id, form.view(InvalidForm({"": (key, {})})))
    url = payment_url(placed.order, await paid_through(request)) if placed.url else ""
    return see_other(url or f"/account/billing/orders/{order_id}")


async def _issued(request: Handler, order_id: str) -> tuple[OrderDetail, Receipt]:
    """The customer's order with its receipt. Raises NotFound where there is none."""
    session = required_session(request)
    detail = await own_order(runtime_of(request).db, storefront_of(request), session.customer_id, order_id)
    if detail.receipt is None:
        raise NotFound("There is no receipt yet.")
    return detail, detail.receipt


def _timezone(request: Handler) -> str:
    return timezone_of(request, required_session(request))
