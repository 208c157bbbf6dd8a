"""The schema, on SQLite and PostgreSQL alike. Holds no query.

Conventions: amounts are `*_nano` (nano-USD) and prices JSON integers (pico-USD); times are `*_at` in integer
microseconds since 1970 UTC; every table of tenant data has `tenant_id`; nothing with history is ever deleted, only
archived to files (`flows.archive`).
"""

from __future__ import annotations

from typing import Final

from .abuse import abuse_report
from .base import metadata
from .brand import brand_image, brand_revision
from .credit import clawback, overage, voucher, voucher_redemption
from .customers import api_key, credit_alert, customer, customer_link, customer_note, spend_alert
from .hooks import hook_attempt, hook_delivery, hook_endpoint
from .identity import (
    challenge,
    customer_login,
    customer_session,
    known_device,
    passkey,
    recovery_code,
    terms_acceptance,
    throttle,
)
from .ledger import account, entry, hold, key_window, lot, lot_day, operation, txn
from .members import member, member_link, member_passkey, member_session
from .orders import order_event, purchase_order, receipt, subscription
from .outbox import outbox
from .payments import inbox, payment_fact, payment_poll, payment_refund
from .platform import applied_manifest, audit_log, lease, platform, revision, revision_change, secret
from .prices import price_notice, price_version, scheduled_price
from .provider_prices import provider_price
from .responses import stored_response
from .routing import (
    endpoint_state,
    model,
    own_upstream,
    route,
    tenant_route,
    upstream,
    upstream_key,
    upstream_key_state,
)
from .support import announcement, legal_text, mail_opt_out, support_case, support_message
from .tenants import domain, domain_claim, package, tenant
from .tokens import api_token, token_answer
from .usage import (
    SUMMED,
    TOTALLED,
    archive,
    archived_usage,
    archived_window,
    model_day,
    rollup_mark,
    usage_record,
    usage_rollup,
    usage_total,
)
from .wholesale import balance_notice, payout

__all__ = [
    "APPEND_ONLY",
    "DELETABLE",
    "PLATFORM_ROWS",
    "REDACTABLE",
    "SUMMED",
    "TOTALLED",
    "UNSCOPED",
    "abuse_report",
    "account",
    "announcement",
    "api_key",
    "api_token",
    "applied_manifest",
    "archive",
    "archived_usage",
    "archived_window",
    "audit_log",
    "balance_notice",
    "brand_image",
    "brand_revision",
    "challenge",
    "clawback",
    "credit_alert",
    "customer",
    "customer_link",
    "customer_login",
    "customer_note",
    "customer_session",
    "domain",
    "domain_claim",
    "endpoint_state",
    "entry",
    "hold",
    "hook_attempt",
    "hook_delivery",
    "hook_endpoint",
    "inbox",
    "key_window",
    "known_device",
    "lease",
    "legal_text",
    "lot",
    "lot_day",
    "mail_opt_out",
    "member",
    "member_link",
    "member_passkey",
    "member_session",
    "metadata",
    "model",
    "model_day",
    "operation",
    "order_event",
    "outbox",
    "overage",
    "own_upstream",
    "package",
    "passkey",
    "payment_fact",
    "payment_poll",
    "payment_refund",
    "payout",
    "platform",
    "price_notice",
    "price_version",
    "provider_price",
    "purchase_order",
    "receipt",
    "recovery_code",
    "revision",
    "revision_change",
    "rollup_mark",
    "route",
    "scheduled_price",
    "secret",
    "spend_alert",
    "stored_response",
    "subscription",
    "support_case",
    "support_message",
    "tenant",
    "tenant_route",
    "terms_acceptance",
    "throttle",
    "token_answer",
    "txn",
    "upstream",
    "upstream_key",
    "upstream_key_state",
    "usage_record",
    "usage_rollup",
    "usage_total",
    "voucher",
    "voucher_redemption",
]

UNSCOPED: Final = frozenset(
    {
        "platform",
        "applied_manifest",
        "secret",
        "revision",
        "revision_change",
        "lease",
        "rollup_mark",
        "archive",
        "upstream",
        "upstream_key",
        "upstream_key_state",
        "endpoint_state",
        "model",
        "route",
        "tenant",
    }
)
"""Tables without tenant data: every other one has `tenant_id`, and every query of it names its tenant."""

PLATFORM_ROWS: Final = frozenset({"price_version"})
"""Tables of tenant data whose rows without a tenant are read by every tenant's queries: what upstreams charge."""

APPEND_ONLY: Final = frozenset(
    {
        "applied_manifest",
        "audit_log",
        "entry",
        "legal_text",
        "operation",
        "order_event",
        "overage",
        "price_version",
        "receipt",
        "revision_change",
        "terms_acceptance",
        "txn",
        "usage_record",
        "voucher_redemption",
    }
)
"""Tables whose rows are never updated; on PostgreSQL the application may not, but for `REDACTABLE` columns."""

REDACTABLE: Final = {"audit_log": ("before", "after"), "order_event": ("facts",), "receipt": ("content",)}
"""Columns of append-only tables that may hold a person's data, and alone may be updated: to take it out."""

DELETABLE: Final = frozenset(
    {
        "brand_image",
        "brand_revision",
        "challenge",
        "credit_alert",
        "customer_link",
        "customer_note",
        "customer_login",
        "customer_session",
        "domain_claim",
        "hook_attempt",
        "hook_delivery",
        "hook_endpoint",
        "known_device",
        "lease",
        "mail_opt_out",
        "member_link",
        "member_passkey",
        "member_session",
        "passkey",
        "recovery_code",
        "secret",
        "spend_alert",
        "stored_response",
        "support_message",
        "throttle",
        "token_answer",
        "upstream_key",
        "upstream_key_state",
    }
)
"""The only tables that rows are deleted from; on PostgreSQL the application may not elsewhere."""
