"""Products and prices at Paddle, one of each for each version of what is sold. Stores nothing.

Each bears its item's key in `custom_data`, by which it is found again: a run that died half-way makes nothing twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from ...core.errors import InvalidRequest
from ..base import CatalogueItem, CatalogueRef
from .api import Api, Refused
from .decode import usable_ref
from .shapes import Named, Price

KEY_MEMBER: Final = "item"
_CENT_NANO: Final = 10_000_000
_PER_PAGE: Final = "200"
_MAX_NAME: Final = 200


async def synchronise(
    api: Api, items: Sequence[CatalogueItem], tax_category: str
) -> AsyncIterator[tuple[CatalogueItem, CatalogueRef]]:
    """Make what is missing, and yield each item with its names there."""
    products = await _known(api, "/products")
    prices = await _known(api, "/prices")
    for item in items:
        product = products.get(item.key)
        product_ref = product if product is not None else await _make_product(api, item, tax_category)
        price = prices.get(item.key)
        if item.price_nano is None:
            price_ref = None
        else:
            price_ref = price if price is not None else await _make_price(api, item, product_ref)
        yield item, CatalogueRef(product_ref=product_ref, price_ref=price_ref)


async def withdraw(api: Api, ref: CatalogueRef) -> None:
    """Archive price and product; what is not there any more is as good as archived."""
    for path in (f"/prices/{ref.price_ref}" if ref.price_ref else "", f"/products/{ref.product_ref}"):
        if path:
            try:
                await api.patch(path, {"status": "archived"}, Named)
            except Refused as refused:
                if refused.provider_status != 404:
                    raise


def price_members(title: str, price_nano: int, period: str, key: str = "") -> dict[str, Any]:
    """What a price says, in the catalogue or for one transaction: net, and never more than one of it."""
    members: dict[str, Any] = {
        "description": title[:_MAX_NAME],
        "name": title[:150],
        "unit_price": {"amount": str(cents(price_nano)), "currency_code": "USD"},
        "tax_mode": "external",
        "quantity": {"minimum": 1, "maximum": 1},
    }
    if period:
        members["billing_cycle"] = {"interval": period, "frequency": 1}
    if key:
        members["custom_data"] = {KEY_MEMBER: key}
    return members


def cents(price_nano: int) -> int:
    """Nano-USD to cents. Raises InvalidRequest for fractions of one and for nothing."""
    if price_nano <= 0 or price_nano % _CENT_NANO:
        raise InvalidRequest("A price has to be whole cents, and more than nothing.", param="price")
    return price_nano // _CENT_NANO


async def _known(api: Api, path: str) -> Mapping[str, str]:
    """The ids of what is there already and not archived, by its item's key; the oldest where there are several."""
    found: dict[str, str] = {}
    params = {"per_page": _PER_PAGE, "status": "active", "order_by": "id[ASC]"}
    async for one in api.each(path, Price, params, hurried=False):
        key = one.custom_data.get(KEY_MEMBER) if isinstance(one.custom_data, dict) else None
        if isinstance(key, str) and one.status == "active" and one.id and usable_ref(one.id):
            found.setdefault(key, one.id)
    return found


async def _make_product(api: Api, item: CatalogueItem, tax_category: str) -> str:
    members = {"name": item.title[:_MAX_NAME], "tax_category": tax_category, "custom_data": {KEY_MEMBER: item.key}}
    return (await api.post("/products", members, Named)).id


async def _make_price(api: Api, item: CatalogueItem, product_ref: str) -> str:
    members = price_members(item.title, item.price_nano or 0, item.period, item.key)
    return (await api.post("/prices", {**members, "product_id": product_ref}, Named)).id
