"""Which function answers which request of the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from scripts._paddle import (
    adjustments,
    alterations,
    catalogue,
    customers,
    notifications,
    previews,
    subscriptions,
    transactions,
)
from scripts._paddle.api import Call, Reply
from scripts._paddle.deliveries import Courier
from scripts._paddle.errors import Refused

_ROUTES: Final[tuple[tuple[str, str, Callable[..., Reply]], ...]] = (
    ("POST", "/products", catalogue.create_product),
    ("GET", "/products", catalogue.list_products),
    ("GET", "/products/{}", catalogue.get_product),
    ("PATCH", "/products/{}", catalogue.update_product),
    ("POST", "/prices", catalogue.create_price),
    ("GET", "/prices", catalogue.list_prices),
    ("GET", "/prices/{}", catalogue.get_price),
    ("PATCH", "/prices/{}", catalogue.update_price),
    ("POST", "/pricing-preview", previews.preview_prices),
    ("POST", "/customers", customers.create_customer),
    ("GET", "/customers", customers.list_customers),
    ("GET", "/customers/{}", customers.get_customer),
    ("PATCH", "/customers/{}", customers.update_customer),
    ("POST", "/customers/{}/addresses", customers.create_address),
    ("GET", "/customers/{}/addresses", customers.list_addresses),
    ("GET", "/customers/{}/addresses/{}", customers.get_address),
    ("POST", "/customers/{}/businesses", customers.create_business),
    ("GET", "/customers/{}/businesses", customers.list_businesses),
    ("POST", "/customers/{}/portal-sessions", customers.create_portal_session),
    ("POST", "/transactions", transactions.create),
    ("GET", "/transactions", transactions.list_all),
    ("POST", "/transactions/preview", previews.preview_transaction),
    ("GET", "/transactions/{}", transactions.get),
    ("PATCH", "/transactions/{}", transactions.update),
    ("GET", "/transactions/{}/invoice", transactions.get_invoice),
    ("GET", "/subscriptions", subscriptions.list_all),
    ("GET", "/subscriptions/{}", subscriptions.get),
    ("PATCH", "/subscriptions/{}", alterations.update),
    ("PATCH", "/subscriptions/{}/preview", alterations.preview),
    ("POST", "/subscriptions/{}/cancel", alterations.cancel),
    ("POST", "/subscriptions/{}/pause", alterations.pause),
    ("POST", "/subscriptions/{}/resume", alterations.resume),
    ("POST", "/subscriptions/{}/charge", alterations.charge),
    ("GET", "/subscriptions/{}/update-payment-method-transaction", alterations.payment_method_transaction),
    ("POST", "/adjustments", adjustments.create),
    ("GET", "/adjustments", adjustments.list_all),
    ("GET", "/adjustments/{}/credit-note", adjustments.get_credit_note),
    ("GET", "/events", notifications.list_events),
    ("GET", "/event-types", notifications.list_event_types),
    ("POST", "/notification-settings", notifications.create_setting),
    ("GET", "/notification-settings", notifications.list_settings),
    ("GET", "/notification-settings/{}", notifications.get_setting),
    ("PATCH", "/notification-settings/{}", notifications.update_setting),
    ("DELETE", "/notification-settings/{}", notifications.delete_setting),
    ("GET", "/checkout-domains", notifications.list_checkout_domains),
    ("GET", "/notifications", notifications.list_notifications),
    ("POST", "/notifications/{}/replay", notifications.replay),
)
_PATTERNS: Final = tuple(
    (method, re.compile(path.replace("{}", "([A-Za-z0-9_]+)")), handler) for method, path, handler in _ROUTES
)
_OF_THE_COURIER: Final = frozenset({notifications.list_notifications, notifications.replay})


def answer(method: str, path: str, call: Call, courier: Courier) -> Reply:
    """What the API answers. Raises Refused."""
    methods = set()
    for known, pattern, handler in _PATTERNS:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if known == method:
            with_courier = (courier,) if handler in _OF_THE_COURIER else ()
            return handler(call, *with_courier, *found.groups())
        methods.add(known)
    if methods:
        raise Refused(405, "method_not_allowed", f"This path knows {', '.join(sorted(methods))}.")
    raise Refused(404, "invalid_url", "The requested URL is not valid.")
