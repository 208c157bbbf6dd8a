"""Sample views of the console's page of payments. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Final

from .console_payments import Domain, PaymentsView
from .forms import FormProblem, FormView
from .sample_console import page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_PATH: Final = "/console/payments"
_HOOK: Final = "https://aurora.example/webhooks/paddle"
_PAY: Final = "https://aurora.example/pay"
_NOTHING: Final = {"instructions": "", "checkout_url": "", "client_token": ""}
_SET: Final = {**_NOTHING, "client_token": "live_0123456789abcdef"}
_MARKS: Final = {"api_key": "1f0c22ab", "webhook_secret": "77ad0e19"}

PAGES: Final = (
    page(_PATH, PaymentsView(provider="manual", fields={**_NOTHING, "instructions": "Transfer to **DE00 0000**."})),
    page(
        _PATH,
        PaymentsView(
            provider="paddle",
            fields=_NOTHING,
            missing="api_key of the payment provider are not stored.",
            webhook_url=_HOOK,
            form=FormView(
                values={"provider": "paddle", "checkout_url": "x"},
                problems=(FormProblem(field="checkout_url", key="{text}", values={"text": "This is not a URL."}),),
            ),
        ),
    ),
    page(
        _PATH,
        PaymentsView(
            provider="paddle",
            fields=_SET,
            fingerprints=_MARKS,
            tried_at=_AT,
            problem="The payment provider refuses: the key has no such permission.",
            webhook_url=_HOOK,
            keeps_catalogue=True,
            offered=7,
            known=3,
            syncing=True,
            done="tried",
        ),
    ),
    page(
        _PATH,
        PaymentsView(
            provider="paddle",
            environment="live",
            fields=_SET,
            fingerprints=_MARKS,
            tried_at=_AT,
            domains=(
                Domain("aurora.example", "approved"),
                Domain("www.aurora.example", "pending"),
                Domain("aurora.stores.example", "unknown"),
            ),
            webhook_url=_HOOK,
            pay_url=_PAY,
            seen_at=_AT,
            waiting=2,
            keeps_catalogue=True,
            offered=7,
            known=7,
            done="saved",
        ),
    ),
    page(
        _PATH,
        PaymentsView(
            provider="paylink",
            plugin=True,
            environment="live",
            fields=_NOTHING,
            fingerprints=_MARKS,
            tried_at=_AT,
            webhook_url=_HOOK,
            offered=7,
        ),
    ),
    page(_PATH, PaymentsView(provider="paddle", shared=True, fields=_NOTHING, webhook_url=_HOOK, may_edit=False)),
)
