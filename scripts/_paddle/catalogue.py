"""Products and prices: made, changed, archived, listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from scripts._paddle import fields
from scripts._paddle.account import Account, Entity
from scripts._paddle.api import Call, Reply, listed
from scripts._paddle.errors import invalid
from scripts._paddle.listing import Listing, by_name

TAX_CATEGORIES: Final = frozenset(
    {
        "digital-goods",
        "ebooks",
        "implementation-services",
        "professional-services",
        "saas",
        "software-programming-services",
        "standard",
        "training-services",
        "website-hosting",
    }
)
TAX_MODES: Final = frozenset({"account_setting", "external", "internal", "location"})
_STATUSES: Final = frozenset({"active", "archived"})
_PRODUCTS: Final = Listing(
    words=by_name("id", "status", "tax_category", "type"),
    orders=("id", "name", "created_at", "updated_at", "status"),
)
_PRICES: Final = Listing(
    words=by_name("id", "status", "product_id", "type")
    | {"recurring": lambda entity: "true" if entity["billing_cycle"] else "false"},
    orders=("id", "product_id", "created_at", "updated_at", "status"),
)


def create_product(call: Call) -> Reply:
    """POST /products."""
    return Reply(new_product(call.account, call.body), 201)


def new_product(account: Account, body: Mapping[str, Any], *, kind: str | None = None) -> Entity:
    """A product by the body of a request, kept. Raises Refused."""
    product = product_of(account, body, kind) | {"id": account.clock.new_id("pro")}
    account.put("products", product)
    account.emit("product.created", product)
    return product


def product_of(account: Account, body: Mapping[str, Any], kind: str | None = None) -> Entity:
    """A product by the body of a request, without an id. Raises Refused."""
    now = account.clock.text()
    return {
        "id": None,
        "name": fields.text(body, "name"),
        "description": fields.optional_text(body, "description"),
        "type": kind or fields.choice(body, "type", {"standard", "custom"}, "standard"),
        "tax_category": fields.choice(body, "tax_category", TAX_CATEGORIES),
        "image_url": fields.optional_text(body, "image_url"),
        "custom_data": fields.custom_data(body),
        "status": "active",
        "import_meta": None,
        "created_at": now,
        "updated_at": now,
    }


def list_products(call: Call) -> Reply:
    """GET /products."""
    return listed(call, "products", _PRODUCTS, _product)


def get_product(call: Call, identifier: str) -> Reply:
    """GET /products/{id}."""
    return Reply(_product(call, call.account.get("products", identifier)))


def update_product(call: Call, identifier: str) -> Reply:
    """PATCH /products/{id}."""
    product = call.account.get("products", identifier)
    changed: dict[str, Any] = {}
    if "name" in call.body:
        changed["name"] = fields.text(call.body, "name")
    for name in ("description", "image_url"):
        if name in call.body:
            changed[name] = fields.optional_text(call.body, name)
    if "tax_category" in call.body:
        changed["tax_category"] = fields.choice(call.body, "tax_category", TAX_CATEGORIES)
    changed |= _common(call.body)
    return _changed(call.account, product, changed, "product.updated")


def create_price(call: Call) -> Reply:
    """POST /prices."""
    product = call.account.get("products", fields.text(call.body, "product_id"))
    return Reply(new_price(call.account, call.body, product), 201)


def new_price(
    account: Account, body: Mapping[str, Any], product: Entity, *, kind: str | None = None, where: str = ""
) -> Entity:
    """A price by the body of a request, kept. Raises Refused."""
    price = price_of(account, body, product["id"], kind, where) | {"id": account.clock.new_id("pri")}
    account.put("prices", price)
    account.emit("price.created", price)
    return price


def price_of(account: Account, body: Mapping[str, Any], product_id: str | None, kind: str | None, where: str) -> Entity:
    """A price by the body of a request, without an id. Raises Refused."""
    now = account.clock.text()
    return {
        "id": None,
        "product_id": product_id,
        "description": fields.text(body, "description", where=where),
        "type": kind or fields.choice(body, "type", {"standard", "custom"}, "standard"),
        "name": fields.optional_text(body, "name"),
        "billing_cycle": fields.duration(body, "billing_cycle"),
        "trial_period": fields.duration(body, "trial_period"),
        "tax_mode": fields.choice(body, "tax_mode", TAX_MODES, "account_setting"),
        "unit_price": fields.money(body, "unit_price", where),
        "unit_price_overrides": _overrides(body),
        "quantity": _quantity(body),
        "status": "active",
        "custom_data": fields.custom_data(body),
        "import_meta": None,
        "created_at": now,
        "updated_at": now,
    }


def list_prices(call: Call) -> Reply:
    """GET /prices."""
    return listed(call, "prices", _PRICES, _price)


def get_price(call: Call, identifier: str) -> Reply:
    """GET /prices/{id}."""
    return Reply(_price(call, call.account.get("prices", identifier)))


def update_price(call: Call, identifier: str) -> Reply:
    """PATCH /prices/{id}."""
    price = call.account.get("prices", identifier)
    changed: dict[str, Any] = {}
    if "description" in call.body:
        changed["description"] = fields.text(call.body, "description")
    if "name" in call.body:
        changed["name"] = fields.optional_text(call.body, "name")
    if "unit_price" in call.body:
        changed["unit_price"] = fields.money(call.body, "unit_price")
    if "unit_price_overrides" in call.body:
        changed["unit_price_overrides"] = _overrides(call.body)
    if "quantity" in call.body:
        changed["quantity"] = _quantity(call.body)
    if "tax_mode" in call.body:
        changed["tax_mode"] = fields.choice(call.body, "tax_mode", TAX_MODES)
    changed |= _common(call.body)
    return _changed(call.account, price, changed, "price.updated")


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    if "status" in body:
        changed["status"] = fields.choice(body, "status", _STATUSES)
    if "custom_data" in body:
        changed["custom_data"] = fields.custom_data(body)
    return changed


def _changed(account: Account, entity: Entity, changed: Mapping[str, Any], event: str) -> Reply:
    entity.update(changed)
    account.touch(entity)
    account.emit(event, entity)
    return Reply(entity)


def _product(call: Call, product: Entity) -> Entity:
    if "prices" not in call.includes:
        return product
    prices = [price for price in call.account.tables["prices"].values() if price["product_id"] == product["id"]]
    return product | {"prices": prices}


def _price(call: Call, price: Entity) -> Entity:
    if "product" not in call.includes:
        return price
    return price | {"product": call.account.get("products", price["product_id"])}


def _quantity(body: Mapping[str, Any]) -> dict[str, int]:
    found = body.get("quantity")
    if found is None:
        return {"minimum": 1, "maximum": 100}
    if not isinstance(found, dict):
        raise invalid("quantity", "must be an object")
    low = fields.count(found.get("minimum"), "quantity.minimum")
    return {"minimum": low, "maximum": fields.count(found.get("maximum"), "quantity.maximum", low=low)}


def _overrides(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not body.get("unit_price_overrides"):
        return []
    found = []
    for place, override in enumerate(fields.objects(body, "unit_price_overrides", most=250)):
        where = f"unit_price_overrides[{place}]."
        codes = override.get("country_codes")
        if not isinstance(codes, list) or not codes:
            raise invalid(f"{where}country_codes", "must be a list of country codes")
        found.append({"country_codes": codes, "unit_price": fields.money(override, "unit_price", where)})
    return found
