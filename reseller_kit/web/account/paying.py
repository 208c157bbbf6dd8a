"""From an order to its payment page and back: `…/orders/{id}/pay`, `/pay` on an approved domain, invoice and portal.

`/pay` is what a provider's payment links lead to: it knows a transaction by the link and asks nobody to log in. Nothing
of a card is entered on any page of ours: the provider's checkout opens in a frame of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from ...core.errors import KitError, NotFound
from ...core.order import UNPAID
from ...core.tenant import is_loopback_host
from ...db.orders import Order
from ...flows.orders import invoice_url, order_by_reference, own_order, portal_url
from ...flows.providers import PaidThrough
from ...theming.billing import PayView
from ..guards import known, see_other, verified
from ..pages import Handler, Pages, storefront_of
from ..pages.answer import origin_of, runtime_of
from ..sessions import required_session

ORDERS: Final = "/account/billing/orders"
RETURNED: Final = "returned"
"""The query parameter of an order's page that says where the customer comes from. Nothing is believed for it."""
_SCRIPT: Final = "/paddle/v2/paddle.js"
_CDN: Final = "https://cdn.paddle.com https://sandbox-cdn.paddle.com"
_CHECKOUT: Final[Mapping[str, str]] = {
    # The provider's script is let in by the page's nonce; what it loads itself comes from these.
    "style-src": _CDN,
    "style-src-attr": "'unsafe-inline'",
    "img-src": f"{_CDN} https://paddle.s3.amazonaws.com",
    "font-src": _CDN,
    "frame-src": "https://buy.paddle.com https://sandbox-buy.paddle.com",
    "connect-src": "https://checkout-service.paddle.com https://sandbox-checkout-service.paddle.com",
}
_LOOPBACK: Final = "http://127.0.0.1:* http://localhost:*"
_LONGEST_REF: Final = 100


def paying_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """Where orders are paid, and what the provider has of them."""

    @get(f"{ORDERS}/{{order_id:str}}/pay", guards=[verified])
    async def pay(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        order = await _own(request, order_id)
        through = await paid_through(request)
        if order.state not in UNPAID or order.provider_ref is None or through is None or not through.client_token:
            return see_other(f"{ORDERS}/{order.id}")
        return _show(pages, request, through, order.provider_ref, order)

    @get("/pay")
    async def pay_link(request: Handler) -> Response[Any]:
        reference = request.query_params.get("_ptxn", "")
        through = await paid_through(request)
        if not reference or len(reference) > _LONGEST_REF or through is None or not through.client_token:
            raise NotFound("There is nothing to pay here.")
        db, tenant_id = runtime_of(request).db, storefront_of(request).tenant_id
        return _show(pages, request, through, reference, await order_by_reference(db, tenant_id, reference))

    @get(f"{ORDERS}/{{order_id:str}}/invoice", guards=[known])
    async def invoice(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        runtime = runtime_of(request)
        return see_other(await invoice_url(runtime.db, runtime.providers, await _own(request, order_id)))

    @get(f"{ORDERS}/{{order_id:str}}/manage", guards=[known])
    async def manage(request: Handler, order_id: FromPath[str]) -> Response[Any]:
        runtime = runtime_of(request)
        return see_other(await portal_url(runtime.db, runtime.providers, await _own(request, order_id)))

    return [pay, pay_link, invoice, manage]


async def paid_through(request: Handler) -> PaidThrough | None:
    """How the storefront is paid; None where that is not set up."""
    try:
        return await runtime_of(request).providers.of(storefront_of(request).tenant_id)
    except KitError:
        return None


async def _own(request: Handler, order_id: str) -> Order:
    customer_id = required_session(request).customer_id
    return (await own_order(runtime_of(request).db, storefront_of(request), customer_id, order_id)).order


def payment_url(order: Order, through: PaidThrough | None) -> str:
    """Where the customer pays an order that is open: over our own page, or on the provider's."""
    if through is not None and through.checkout == "overlay" and through.client_token and order.provider_ref:
        return f"{ORDERS}/{order.id}/pay"
    return str(order.provider_facts.get("url") or "")


def form_targets(through: PaidThrough | None) -> Mapping[str, str]:
    """Where a form of the checkout may lead: to the payment page, which is known only once the form was sent."""
    if through is None or not through.environment:
        return {}
    if "://" in through.environment:
        return {"form-action": f"{_LOOPBACK} {_origin(through.environment)}".strip()}
    return {"form-action": _origin(through.checkout_url) or "https:"}


def _show(pages: Pages, request: Handler, through: PaidThrough, reference: str, order: Order | None) -> Response[Any]:
    local = "://" in through.environment
    back = "" if order is None else f"{origin_of(request, pages.port)}{ORDERS}/{order.id}"
    url = "" if order is None else str(order.provider_facts.get("url") or "")
    here = urlsplit(url).path == request.url.path
    view = PayView(
        transaction=reference,
        token=through.client_token,
        script=(through.environment if local else "https://cdn.paddle.com") + _SCRIPT,
        sandbox=through.environment == "sandbox",
        success=f"{back}?{RETURNED}=1" if back else "",
        fallback="" if here else url,
        back=back,
    )
    sources = {**_CHECKOUT, "frame-src": f"{_LOOPBACK} {_origin(through.environment)}".strip()} if local else _CHECKOUT
    return pages.answer(request, "account/pay.html", view=view, noindex=True, sources=sources)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    usable = parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(parts.hostname or ""))
    return f"{parts.scheme}://{quote(parts.netloc, safe=':[]')}" if usable else ""
