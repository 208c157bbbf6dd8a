"""The promise of `docs/plugins.md`: what plugins of interface 1 were written against stays as it was.

A line may be added here when something is added with a default. Nothing may be changed or taken away without a new
`API_VERSION`, which old plugins are refused by.
"""

from __future__ import annotations

import inspect
import typing
from typing import Final

import msgspec
import pytest

from reseller_kit import plugins

NAMES: Final = frozenset(
    {
        "API_VERSION",
        "DIRECT",
        "Adjustment",
        "Catalogue",
        "CatalogueItem",
        "CatalogueRef",
        "Ceilings",
        "Check",
        "Checked",
        "Checkout",
        "Delivery",
        "Endpoint",
        "Fact",
        "Headers",
        "InvalidRequest",
        "KeyCheck",
        "KeyRing",
        "KeyedUpstream",
        "NotFound",
        "PaidItem",
        "Passage",
        "Payment",
        "PaymentPlugin",
        "PaymentSetup",
        "Pin",
        "Preview",
        "Previews",
        "Provider",
        "Purchase",
        "RefundWanted",
        "Renewing",
        "Response",
        "SelfService",
        "ServiceUnavailable",
        "Subscription",
        "TaxLine",
        "TransportFailed",
        "Upstream",
        "UpstreamFailed",
        "UpstreamKey",
        "UpstreamPlugin",
        "UpstreamSetup",
        "order_of",
        "signed_order",
        "to_minor",
    }
)
FIELDS: Final = {
    # What the product makes and plugins read: every field stays.
    "UpstreamSetup": "endpoint api_keys ceilings dialect provider options",
    "PaymentSetup": "name api_key webhook_secret reference_key environment options shared",
    "UpstreamKey": "secret fingerprint",
    "Purchase": "reference title price_nano email package version period return_url customer_id item",
    "RefundWanted": "reference payment_ref reason minor paid currency",
    "CatalogueItem": "key title price_nano period",
    # What plugins make: every field stays, and no other one may be required.
    "UpstreamPlugin": "make! options required api",
    "PaymentPlugin": "make! options required secrets renews api",
    "Check": "upstream! keys!",
    "KeyCheck": "fingerprint! status! latency_ms! fault!",
    "CatalogueRef": "product_ref! price_ref!",
    "Checkout": "lapses_seconds! url provider_ref pin facts",
    "Delivery": "event_id! kind! occurred_at! fact!",
    "Preview": "currency! subtotal! tax! total! tax_rate",
    "Pin": "price_ref! currency! subtotal!",
    "PaidItem": "price_ref! quantity!",
    "TaxLine": "rate! minor!",
    "Payment": "ref! status! origin! occurred_at! items! currency! subtotal! discount tax fee total tax_lines order_id"
    " claimed customer_ref subscription_ref period_starts_at period_ends_at billed_at invoice_ref",
    "Adjustment": "ref! payment_ref! kind! status! occurred_at! currency! total! created_at reason",
    "Subscription": "ref! status! occurred_at! price_ref! quantity! order_id payment_ref customer_ref"
    " period_starts_at period_ends_at cancel_at",
}
METHODS: Final = {
    # What the product calls: no method more and no parameter else, or plugins would lack it.
    "Upstream": {
        "endpoint": "",
        "keys": "",
        "open": "path body stream request_id headers affinity passage",
        "usable": "",
        "soonest": "",
        "check": "fingerprint",
        "close": "",
    },
    "Provider": {
        "name": "",
        "pin": "purchase",
        "open_checkout": "purchase",
        "verify": "body headers now",
        "is_sure": "fact",
        "facts": "since",
        "fact": "payment_ref",
        "refund": "wanted",
    },
    "Catalogue": {"synchronise": "items", "withdraw": "ref"},
    "Previews": {"preview": "purchase country"},
    "SelfService": {"invoice_url": "payment_ref", "portal_url": "customer_ref subscription_ref"},
    "Checked": {"check": "", "domains": ""},
    "Renewing": {
        "cancel_subscription": "subscription_ref",
        "resume_subscription": "subscription_ref",
        "change_subscription": "subscription_ref purchase at_once",
    },
}
CALLED: Final = {
    # What plugins call: these parameters by these names.
    "signed_order": "key order_id",
    "order_of": "key text",
    "to_minor": "nano currency",
    "KeyedUpstream": "endpoint api_keys ceilings key_headers check_path judge merge",
}


def test_every_name_is_there() -> None:
    assert plugins.API_VERSION == 1
    assert set(plugins.__all__) >= NAMES
    assert all(hasattr(plugins, name) for name in NAMES)


@pytest.mark.parametrize("name", FIELDS)
def test_shapes_keep_their_fields(name: str) -> None:
    promised = {field.rstrip("!"): field.endswith("!") for field in FIELDS[name].split()}
    found = {field.name: field.required for field in msgspec.structs.fields(getattr(plugins, name))}
    assert promised.keys() <= found.keys()
    if any(promised.values()):
        assert {field for field, required in found.items() if required} == {
            f for f, needed in promised.items() if needed
        }


@pytest.mark.parametrize("name", METHODS)
def test_protocols_ask_for_nothing_new(name: str) -> None:
    protocol = getattr(plugins, name)
    members = typing.get_protocol_members(protocol) if hasattr(typing, "get_protocol_members") else _members(protocol)
    assert set(members) == METHODS[name].keys()
    for member, parameters in METHODS[name].items():
        found = getattr(protocol, member)
        if not isinstance(found, property):
            assert " ".join(list(inspect.signature(found).parameters)[1:]) == parameters, member


@pytest.mark.parametrize("name", CALLED)
def test_what_plugins_call_takes_what_it_took(name: str) -> None:
    parameters = inspect.signature(getattr(plugins, name)).parameters
    promised = CALLED[name].split()
    assert [one for one in parameters if one in promised] == promised
    assert all(parameters[one].default is not inspect.Parameter.empty for one in parameters if one not in promised)


def _members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}
