"""What packages of others may build upon: upstreams and payment providers of their own, found by entry points.

Everything that is named in `__all__` stays: see `docs/plugins.md` for what that promises. Nothing else of
`reseller_kit` is for others to import.

    [project.entry-points."reseller_kit.upstreams"]
    deployments = "deployments_upstream:plugin"        # an UpstreamPlugin

    [project.entry-points."reseller_kit.payments"]
    paylink = "paylink_payments:plugin"                # a PaymentPlugin
"""

from __future__ import annotations

from ..core.currency import to_minor
from ..core.errors import InvalidRequest, NotFound, ServiceUnavailable, UpstreamFailed
from ..core.payment import Adjustment, Fact, PaidItem, Payment, Pin, Subscription, TaxLine
from ..core.storefront import UpstreamKey
from ..payments.base import (
    Catalogue,
    CatalogueItem,
    CatalogueRef,
    Checked,
    Checkout,
    Delivery,
    Preview,
    Previews,
    Provider,
    Purchase,
    RefundWanted,
    Renewing,
    SelfService,
)
from ..payments.references import order_of, signed_order
from ..upstream.base import Check, KeyCheck, Upstream
from ..upstream.credentials import Ceilings, Headers, KeyRing
from ..upstream.endpoint import Endpoint
from ..upstream.faults import TransportFailed
from ..upstream.keyed import KeyedUpstream
from ..upstream.passage import DIRECT, Passage
from ..upstream.response import Response
from .shapes import API_VERSION, PaymentPlugin, PaymentSetup, UpstreamPlugin, UpstreamSetup

__all__ = [
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
]
