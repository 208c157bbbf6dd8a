"""Customers, their addresses and businesses, and sessions of the customer portal."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from scripts._paddle import fields
from scripts._paddle.account import Account, Entity
from scripts._paddle.api import Call, Reply, listed
from scripts._paddle.errors import Refused, invalid
from scripts._paddle.listing import Listing, by_name

_CUSTOMERS: Final = Listing(
    words=by_name("id", "status", "email"),
    orders=("id", "name", "email", "created_at", "updated_at"),
)
_PARTS: Final = Listing(words=by_name("id", "status"))
_NEW_ADDRESS: Final = ("description", "first_line", "second_line", "city", "postal_code", "region")


def create_customer(call: Call) -> Reply:
    """POST /customers: 409 with the id of the one that has this e-mail address."""
    account = call.account
    email = fields.text(call.body, "email")
    if "@" not in email:
        raise invalid("email", "must be a valid email address")
    for other in account.tables["customers"].values():
        if other["email"].lower() == email.lower():
            detail = f"customer email conflicts with customer of id {other['id']}"
            raise Refused(409, "customer_already_exists", detail, area="customers")
    return Reply(new_customer(account, email, call.body), 201)


def new_customer(account: Account, email: str, body: Mapping[str, Any]) -> Entity:
    """A customer by the body of a request."""
    now = account.clock.text()
    customer = {
        "id": account.clock.new_id("ctm"),
        "name": fields.optional_text(body, "name"),
        "email": email,
        "marketing_consent": False,
        "status": "active",
        "custom_data": fields.custom_data(body),
        "locale": fields.optional_text(body, "locale") or "en",
        "import_meta": None,
        "created_at": now,
        "updated_at": now,
    }
    account.put("customers", customer)
    account.emit("customer.created", customer)
    return customer


def list_customers(call: Call) -> Reply:
    """GET /customers, by `email` too."""
    return listed(call, "customers", _CUSTOMERS, lambda _, customer: customer)


def get_customer(call: Call, identifier: str) -> Reply:
    """GET /customers/{id}."""
    return Reply(call.account.get("customers", identifier))


def update_customer(call: Call, identifier: str) -> Reply:
    """PATCH /customers/{id}."""
    customer = call.account.get("customers", identifier)
    for name in ("name", "email", "locale"):
        if name in call.body:
            customer[name] = fields.optional_text(call.body, name)
    if "status" in call.body:
        customer["status"] = fields.choice(call.body, "status", {"active", "archived"})
    if "custom_data" in call.body:
        customer["custom_data"] = fields.custom_data(call.body)
    call.account.touch(customer)
    call.account.emit("customer.updated", customer)
    return Reply(customer)


def create_address(call: Call, customer_id: str) -> Reply:
    """POST /customers/{id}/addresses."""
    customer = call.account.get("customers", customer_id)
    return Reply(new_address(call.account, customer["id"], call.body), 201)


def new_address(account: Account, customer_id: str, body: Mapping[str, Any]) -> Entity:
    """An address by the body of a request; only the country is needed."""
    now = account.clock.text()
    address = {
        "id": account.clock.new_id("add"),
        "customer_id": customer_id,
        **{name: fields.optional_text(body, name) for name in _NEW_ADDRESS},
        "country_code": fields.text(body, "country_code").upper(),
        "custom_data": fields.custom_data(body),
        "status": "active",
        "import_meta": None,
        "created_at": now,
        "updated_at": now,
    }
    account.put("addresses", address)
    account.emit("address.created", address)
    return address


def list_addresses(call: Call, customer_id: str) -> Reply:
    """GET /customers/{id}/addresses."""
    return _parts(call, "addresses", customer_id)


def get_address(call: Call, customer_id: str, identifier: str) -> Reply:
    """GET /customers/{id}/addresses/{id}."""
    call.account.get("customers", customer_id)
    return Reply(call.account.get("addresses", identifier))


def create_business(call: Call, customer_id: str) -> Reply:
    """POST /customers/{id}/businesses."""
    account, now = call.account, call.account.clock.text()
    business = {
        "id": account.clock.new_id("biz"),
        "customer_id": account.get("customers", customer_id)["id"],
        "name": fields.text(call.body, "name"),
        "company_number": fields.optional_text(call.body, "company_number"),
        "tax_identifier": fields.optional_text(call.body, "tax_identifier"),
        "contacts": [],
        "custom_data": fields.custom_data(call.body),
        "status": "active",
        "import_meta": None,
        "created_at": now,
        "updated_at": now,
    }
    account.put("businesses", business)
    account.emit("business.created", business)
    return Reply(business, 201)


def list_businesses(call: Call, customer_id: str) -> Reply:
    """GET /customers/{id}/businesses."""
    return _parts(call, "businesses", customer_id)


def create_portal_session(call: Call, customer_id: str) -> Reply:
    """POST /customers/{id}/portal-sessions: links that log the customer in at the portal."""
    account = call.account
    customer = account.get("customers", customer_id)
    wanted = call.body.get("subscription_ids") or []
    if not isinstance(wanted, list):
        raise invalid("subscription_ids", "must be a list")
    session = {"id": account.clock.new_id("cpls"), "customer_id": customer["id"], "created_at": account.clock.text()}
    account.put("portal_sessions", session | {"token": secrets.token_urlsafe(24)})
    base = f"{account.root}/portal/{session['id']}?token={account.tables['portal_sessions'][session['id']]['token']}"
    subscriptions = [
        {
            "id": identifier,
            "cancel_subscription": f"{base}&action=cancel_subscription&subscription_id={identifier}",
            "update_subscription_payment_method": (
                f"{base}&action=update_subscription_payment_method&subscription_id={identifier}"
            ),
            "view_subscription": f"{base}&action=view_subscription&subscription_id={identifier}",
        }
        for identifier in wanted
        if account.get("subscriptions", identifier)["customer_id"] == customer["id"]
    ]
    return Reply(session | {"urls": {"general": {"overview": base}, "subscriptions": subscriptions}}, 201)


def _parts(call: Call, kind: str, customer_id: str) -> Reply:
    call.account.get("customers", customer_id)
    own = [entity for entity in call.account.tables[kind].values() if entity["customer_id"] == customer_id]
    shown, pagination = _PARTS.page(own, call.query, call.url)
    return Reply(shown, pagination=pagination)
