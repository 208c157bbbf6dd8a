"""A made-up storefront that fills every page: for `theme check`, previews and tests. Never shown to customers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

from . import (
    guides,
    sample_abuse,
    sample_account,
    sample_billing,
    sample_brand_editor,
    sample_console,
    sample_desk,
    sample_domains,
    sample_groups,
    sample_identity,
    sample_mails,
    sample_models,
    sample_news,
    sample_payments,
    sample_platform,
    sample_selling,
    sample_statements,
    sample_support,
    sample_tokens,
    sample_webhooks,
)
from .brand import Brand, Legal
from .mail import Mail
from .page import BonusRow, ErrorInfo, Links, PackageRow, Page, StatusRow
from .sample_page import SamplePage

PAGES: Final = {
    "/": "storefront/home.html",
    "/pricing": "storefront/pricing.html",
    "/models": "storefront/models.html",
    "/docs": "storefront/docs.html",
    "/docs/quickstart": "storefront/docs/quickstart.html",
    **guides.PATHS,
    "/faq": "storefront/faq.html",
    "/status": "storefront/status.html",
}
"""Path → template of every page that a theme has beside the error page."""
KIT_TEMPLATE: Final = "kit.html"
"""Every component on one page. It is checked and looked at, never served."""
VIEWED: Final = (
    *sample_identity.PAGES,
    *sample_account.PAGES,
    *sample_billing.PAGES,
    *sample_statements.PAGES,
    *sample_support.PAGES,
    *sample_models.PAGES,
    *sample_console.PAGES,
    *sample_platform.PAGES,
    *sample_payments.PAGES,
    *sample_brand_editor.PAGES,
    *sample_domains.PAGES,
    *sample_desk.PAGES,
    *sample_news.PAGES,
    *sample_groups.PAGES,
    *sample_selling.PAGES,
    *sample_tokens.PAGES,
    *sample_webhooks.PAGES,
    *sample_abuse.PAGES,
)
"""Pages that show something of their own, each with a view; a page may be there several times."""
ERROR_TEMPLATE: Final = "storefront/error.html"
ERRORS: Final = (
    ErrorInfo(status=400, kind="invalid"),
    ErrorInfo(status=403, kind="account_suspended"),
    ErrorInfo(status=403, kind="forbidden"),
    ErrorInfo(status=403, kind="stale_form"),
    ErrorInfo(status=403, kind="view_only"),
    ErrorInfo(status=404, kind="not_found"),
    ErrorInfo(status=405, kind="method"),
    ErrorInfo(status=410, kind="archived"),
    ErrorInfo(status=429, kind="limited"),
    ErrorInfo(status=500, kind="fault", request_id="req_01jb2yk6c3f5"),
    ErrorInfo(status=503, kind="draft"),
    ErrorInfo(status=503, kind="suspended"),
)
_ORDER: Final = {"order": "ord_01JD0000000000000000000000", "title": "Starter", "price": "10.00", "credits": "12.00"}
_TOLD: Final = {"storefront": "Aurora AI", "customer": "ada@example.com"}
_UNASKED: Final = {
    "storefront": "Aurora AI",
    "provider": "paddle",
    "reason": "The payment provider refused the credentials.",
    "since": "2026-02-01T03:00:00Z",
}
MAILS: Final[Mapping[str, Mapping[str, Any]]] = {
    "price_change": {
        "from_date": "1 March 2026",
        "lines": [
            {"model": "gpt-5-mini", "class": "input", "above_input": 0, "old": "0.385", "new": "0.44"},
            {"model": "claude-sonnet-4-5", "class": "output", "above_input": 200000, "old": None, "new": "24.75"},
        ],
    },
    "price_withdrawn": {
        "from_date": "1 March 2026",
        "lines": [
            {"model": "gpt-5-mini", "class": "input", "above_input": 0, "old": "0.385", "new": "0.44"},
            {"model": "claude-sonnet-4-5", "class": "output", "above_input": 200000, "old": None, "new": "24.75"},
        ],
    },
    "order_requested": {**_ORDER},
    "order_rejected": {**_ORDER, "reason": "No payment arrived."},
    "order_refunded": {**_ORDER, "amount": "5.00"},
    **{
        kind: {**_ORDER, **_TOLD, "why": "the quantity is not 1", "tenant_origin": "https://aurora.example"}
        for kind in ("order_to_approve", "chargeback", "chargeback_ended", "chargeback_warning", "payment_review")
    },
    "topup_to_approve": {**_ORDER, **_TOLD, "slug": "aurora"},
    "receipt": {**_ORDER, "number": "2026-00042"},
    "own_key_parked": {
        "storefront": "Aurora AI",
        "upstream": "own",
        "fingerprint": "0c1f29ab",
        "reason": "401 invalid_api_key: Incorrect API key provided.",
        "since": "2026-02-01T12:30:00Z",
        "last": True,
    },
    "upstream_key_parked": {
        "upstream": "openai",
        "fingerprint": "0c1f29ab",
        "reason": "401 invalid_api_key: Incorrect API key provided.",
        "since": "2026-02-01T12:30:00Z",
    },
    "upstream_down": {
        "upstream": "openai",
        "fingerprint": "0c1f29ab",
        "reason": "429 insufficient_quota: You exceeded your current quota.",
        "since": "2026-02-01T12:30:00Z",
    },
    "domain_failing": {
        "storefront": "Aurora AI",
        "host": "chat.aurora.example",
        "wrong": "pointing",
        "date": "2026-03-03",
    },
    "domain_detached": {"storefront": "Aurora AI", "host": "chat.aurora.example", "wrong": "proof"},
    "webhook_disabled": {"storefront": "Aurora AI", "url": "https://crm.aurora.example/hook", "why": "failing"},
    "payments_unasked": _UNASKED,
    "payments_unasked_at": {**_UNASKED, "tenant": "aurora"},
    "launch_review": {"storefront": "Aurora AI", "slug": "aurora", "url": "https://desk.example/tenants/aurora"},
    "storefront_open": {"storefront": "Aurora AI", "url": "https://aurora.example"},
    "wholesale_low": {"storefront": "Aurora AI", "balance": "9.50", "threshold": "10.00"},
    **sample_identity.MAILS,
    **sample_mails.MAILS,
    **sample_support.MAILS,
    **sample_console.MAILS,
    "spend_alert": {"period": "month", "threshold": "50.00", "spent": "50.12"},
}
"""Kind → content of every mail that a theme has."""
_DOLLAR_NANO: Final = 10**9


def sample_brand() -> Brand:
    """A brand with everything given."""
    return Brand(
        name="Aurora AI",
        slug="aurora",
        tagline="Models for people who ship",
        support_email="help@aurora.example",
        legal=Legal(
            company="Aurora Compute Ltd",
            address="1 Example Street, Dublin",
            country="Ireland",
            registration="IE 000000",
            updated=dt.date(2026, 1, 31),
        ),
    )


def sample_page(
    path: str = "/", *, brand: Brand | None = None, error: ErrorInfo | None = None, viewed: SamplePage | None = None
) -> Page:
    """A page with models of every shape, each kind of offer and each state; `viewed`: one of VIEWED."""
    return Page(
        path=path,
        origin="https://aurora.example",
        base_url="https://aurora.example/v1",
        nonce="c2FtcGxlLW5vbmNl",
        now=dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC),
        brand=brand or sample_brand(),
        models=sample_models.MODELS,
        packages=_packages(),
        status=_states(),
        error=error,
        view=viewed.view if viewed else sample_models.VIEWS.get(path),
        visitor=viewed.visitor if viewed else None,
        desk=viewed.desk if viewed else None,
        csrf="sample",
        links=Links(login="/login", signup="/signup") if viewed else Links(),
    )


def sample_mail(kind: str, *, brand: Brand | None = None) -> Mail:
    """A mail of the kind, with everything given."""
    return Mail(brand=brand or sample_brand(), origin="https://aurora.example", content=MAILS[kind])


def _packages() -> tuple[PackageRow, ...]:
    return (
        PackageRow(
            id="topup",
            kind="topup",
            title="Any amount",
            min_nano=5 * _DOLLAR_NANO,
            max_nano=500 * _DOLLAR_NANO,
            bonus=(BonusRow(50 * _DOLLAR_NANO, "5%"),),
            models=("gpt-*",),
            refund_days=14,
        ),
        PackageRow(
            id="starter",
            kind="package",
            title="Starter",
            price_nano=10 * _DOLLAR_NANO,
            credits_nano=12 * _DOLLAR_NANO,
            valid_days=90,
        ),
        PackageRow(
            id="team",
            kind="subscription",
            title="Team",
            price_nano=49 * _DOLLAR_NANO,
            credits_nano=60 * _DOLLAR_NANO,
            period="month",
            roll_over=True,
        ),
    )


def _states() -> tuple[StatusRow, ...]:
    return (
        StatusRow(name="API", state="operational"),
        StatusRow(name="gpt-5-mini", state="operational"),
        StatusRow(name="claude-sonnet-4-5", state="degraded", note="Slower than usual"),
        StatusRow(name="image-studio-1", state="down"),
        StatusRow(name="deepseek-v3.1", state="unknown"),
    )
