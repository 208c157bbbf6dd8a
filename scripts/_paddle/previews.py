"""Prices as a visitor of a country would pay them. Makes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts._paddle import catalogue, fields, money, totals
from scripts._paddle.account import Account, Entity
from scripts._paddle.api import Call, Reply
from scripts._paddle.errors import invalid


def preview_prices(call: Call) -> Reply:
    """POST /pricing-preview."""
    account, body = call.account, call.body
    country = _country(account, body)
    lines, currency = _lines(account, body, country)
    return Reply(
        {
            "customer_id": body.get("customer_id"),
            "address_id": body.get("address_id"),
            "business_id": None,
            "discount_id": None,
            "currency_code": currency,
            "address": {"country_code": country, "postal_code": None} if country else None,
            "customer_ip_address": body.get("customer_ip_address"),
            "details": {"line_items": [_shown(line, currency) for line in lines]},
            "available_payment_methods": ["card"],
        }
    )


def preview_transaction(call: Call) -> Reply:
    """POST /transactions/preview."""
    account, body = call.account, call.body
    country = _country(account, body)
    lines, currency = _lines(account, body, country)
    items = [
        {"price": line.price, "quantity": line.quantity, "proration": None, "include_in_totals": True} for line in lines
    ]
    return Reply(
        {
            "customer_id": body.get("customer_id"),
            "address_id": body.get("address_id"),
            "business_id": None,
            "discount_id": None,
            "currency_code": currency,
            "address": {"country_code": country, "postal_code": None} if country else None,
            "customer_ip_address": body.get("customer_ip_address"),
            "ignore_trials": False,
            "items": items,
            "details": totals.details(account, lines, currency),
            "available_payment_methods": ["card"],
        }
    )


def _lines(account: Account, body: Mapping[str, Any], country: str | None) -> tuple[list[totals.Line], str]:
    found, currency = [], body.get("currency_code")
    for place, item in enumerate(fields.objects(body, "items")):
        where = f"items[{place}]."
        price, product = _price(account, item, where)
        currency = fields.currency(currency) if currency else totals.usual_currency(price, country)
        found.append(
            totals.Line(
                price,
                product,
                fields.count(item.get("quantity"), f"{where}quantity"),
                totals.unit_amount(price, currency, country),
                money.tax_rate(country),
                totals.is_inclusive(account, price),
            )
        )
    return found, str(currency)


def _price(account: Account, item: Mapping[str, Any], where: str) -> tuple[Entity, Entity]:
    """A price of the catalogue, or one that nothing is kept of."""
    inline = item.get("price")
    if inline is None:
        price = account.get("prices", fields.text(item, "price_id", where=where))
        return price, account.get("products", price["product_id"])
    if not isinstance(inline, dict):
        raise invalid(f"{where}price", "must be an object")
    if isinstance(inline.get("product"), dict):
        product = catalogue.product_of(account, inline["product"], "custom")
    else:
        product = account.get("products", fields.text(inline, "product_id", where=f"{where}price."))
    return catalogue.price_of(account, inline, product["id"], "custom", f"{where}price."), product


def _country(account: Account, body: Mapping[str, Any]) -> str | None:
    address = body.get("address")
    if address is not None:
        if not isinstance(address, dict):
            raise invalid("address", "must be an object")
        return fields.text(address, "country_code", where="address.").upper()
    identifier = fields.optional_text(body, "address_id")
    return None if identifier is None else str(account.get("addresses", identifier)["country_code"])


def _shown(line: totals.Line, currency: str) -> Entity:
    found = totals.line_item(line)
    return {
        "price": line.price,
        "quantity": line.quantity,
        "tax_rate": line.rate,
        "unit_totals": found["unit_totals"],
        "formatted_unit_totals": _formatted(found["unit_totals"], currency),
        "totals": found["totals"],
        "formatted_totals": _formatted(found["totals"], currency),
        "product": line.product,
        "discounts": [],
    }


def _formatted(amounts: Mapping[str, str], currency: str) -> dict[str, str]:
    return {part: money.formatted(int(found), currency) for part, found in amounts.items()}
