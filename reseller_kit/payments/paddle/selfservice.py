"""What customers and resellers ask of Paddle beside paying: previews, invoices, their own page, the set-up's state."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from ...core.errors import ServiceUnavailable
from ...core.tenant import is_loopback_host
from ..base import Preview, Purchase
from .api import Api, Refused
from .catalogue import price_members
from .decode import amount
from .shapes import Link, Named, Totals

_DOMAIN_STATES: Final = {"approved": "approved", "rejected": "rejected"}


class _PreviewLine(Struct, frozen=True):
    totals: Totals
    tax_rate: str = ""


class _PreviewDetails(Struct, frozen=True):
    line_items: tuple[_PreviewLine, ...]


class _Preview(Struct, frozen=True):
    currency_code: str
    details: _PreviewDetails


class _TransactionDetails(Struct, frozen=True):
    totals: Totals
    line_items: tuple[_PreviewLine, ...] = ()


class _TransactionPreview(Struct, frozen=True):
    currency_code: str
    details: _TransactionDetails


class _GeneralUrl(Struct, frozen=True):
    overview: str


class _SubscriptionUrl(Struct, frozen=True):
    id: str
    view_subscription: str | None = None
    cancel_subscription: str | None = None


class _PortalUrls(Struct, frozen=True):
    general: _GeneralUrl
    subscriptions: tuple[_SubscriptionUrl, ...] = ()


class _Portal(Struct, frozen=True):
    urls: _PortalUrls


class _Domain(Struct, frozen=True):
    domain: str
    status: str


async def preview(api: Api, purchase: Purchase, country: str, tax_category: str) -> Preview:
    """What somebody in a country pays."""
    address = {"country_code": country}
    if purchase.item is not None and purchase.item.price_ref is not None:
        items: list[dict[str, Any]] = [{"price_id": purchase.item.price_ref, "quantity": 1}]
        priced = await api.post("/pricing-preview", {"items": items, "address": address}, _Preview)
        line = priced.details.line_items[0] if priced.details.line_items else None
        if line is None:
            raise _not_understood()
        return _preview(priced.currency_code, line.totals, line.tax_rate)
    items = [{"price": inline_price(purchase, tax_category), "quantity": 1}]
    asked = {"items": items, "address": address, "currency_code": "USD"}
    whole = await api.post("/transactions/preview", asked, _TransactionPreview)
    rates = [line.tax_rate for line in whole.details.line_items]
    return _preview(whole.currency_code, whole.details.totals, rates[0] if rates else "")


def inline_price(purchase: Purchase, tax_category: str) -> dict[str, Any]:
    """A price for one transaction alone: of the item's product where there is one, else with a product of its own."""
    members = price_members(purchase.title, purchase.price_nano, purchase.period)
    if purchase.item is not None:
        return {**members, "product_id": purchase.item.product_ref}
    return {**members, "product": {"name": purchase.title[:200], "tax_category": tax_category}}


def _preview(currency: str, totals: Totals, rate: str) -> Preview:
    return Preview(
        currency=currency[:3],
        subtotal=amount(totals.subtotal) - amount(totals.discount or "0"),
        tax=amount(totals.tax or "0"),
        total=amount(totals.total),
        tax_rate=rate[:20],
    )


async def invoice_url(api: Api, payment_ref: str) -> str | None:
    """A link to a transaction's invoice; None while there is none."""
    try:
        return safe_url((await api.get(f"/transactions/{payment_ref}/invoice", Link)).url)
    except Refused:
        return None


async def portal_url(api: Api, customer_ref: str, subscription_ref: str | None) -> str:
    """A signed-in link to the customer's page."""
    asked = {} if subscription_ref is None else {"subscription_ids": [subscription_ref]}
    urls = (await api.post(f"/customers/{customer_ref}/portal-sessions", asked, _Portal)).urls
    own = next((one for one in urls.subscriptions if one.id == subscription_ref), None)
    deep = None if own is None else own.view_subscription
    return safe_url(deep or urls.general.overview)


async def check(api: Api) -> None:
    """Something that needs the credentials, and the right to make transactions."""
    async for _ in api.each("/transactions", Named, {"per_page": "1"}):
        return


async def domains(api: Api) -> dict[str, str] | None:
    """Hosts that checkouts may open on; None where the account does not tell."""
    try:
        found = [one async for one in api.each("/checkout-domains", _Domain, {"per_page": "50"})]
    except Refused:
        return None
    return {one.domain.lower(): _DOMAIN_STATES.get(one.status, "pending") for one in found}


def safe_url(url: str) -> str:
    """A link that a browser may be sent to: https, or plain http on this machine. Raises ServiceUnavailable."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise _not_understood() from None
    usable = parts.scheme == "https" or (parts.scheme == "http" and is_loopback_host(host))
    if not host or not usable or not url.isprintable() or "\\" in url:
        raise _not_understood()
    return url


def _not_understood() -> ServiceUnavailable:
    return ServiceUnavailable("The payment provider's answer is not one that is understood.")
