"""Sample views of the console's pages of webhooks. Never shown to anybody."""

from __future__ import annotations

import datetime as dt
from typing import Final

from .console_webhooks import AttemptLine, DeliveryLine, EventChoice, WebhookLine, WebhooksView, WebhookView
from .forms import FormProblem, FormView
from .sample_console import page

_AT: Final = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)
_CHOICES: Final = (
    EventChoice("order.paid", "An order was paid."),
    EventChoice("customer.created", "A customer signed up or was made."),
)
_ID: Final = "whe_01JD0000000000000000000000"


def _line(**changes: object) -> WebhookLine:
    given = {
        "id": _ID,
        "url": "https://crm.aurora.example/hooks/shop?source=storefront",
        "description": "CRM",
        "events": ("order.paid", "customer.created"),
        "status": "enabled",
        "created": _AT,
    }
    return WebhookLine(**{**given, **changes})  # type: ignore[arg-type]


_OFF: Final = _line(status="disabled", why="failing", failing=_AT, events=("*",), description="")
_FAILED: Final = AttemptLine(at=_AT, status=500, duration_ms=412, answer="<h1>Internal error</h1>")
_SILENT: Final = AttemptLine(at=_AT, status=None, duration_ms=15000, error="No answer within 15 s.")
_BODY: Final = '{"type":"order.paid","timestamp":"2026-02-01T12:30:00.000000Z","data":{"order":"ord_1"}}'
_DELIVERIES: Final = (
    DeliveryLine(
        id="whd_3",
        event="evt_3",
        type="order.paid",
        status="waiting",
        at=_AT,
        body=_BODY,
        next_at=_AT,
        attempts=(_FAILED, _SILENT),
    ),
    DeliveryLine(
        id="whd_2",
        event="evt_2",
        type="test",
        status="delivered",
        at=_AT,
        body=_BODY,
        attempts=(AttemptLine(at=_AT, status=204, duration_ms=31),),
    ),
    DeliveryLine(id="whd_1", event="evt_1", type="key.created", status="failed", at=_AT, body=_BODY),
)
_WRONG: Final = FormView(
    values={"url": "http://crm", "description": "CRM"},
    problems=(FormProblem(field="url", key="{text}", values={"text": "Events go out over https alone."}),),
)

PAGES: Final = (
    page(
        "/console/webhooks",
        WebhooksView(lines=(_line(), _line(failing=_AT), _OFF), choices=_CHOICES, most=10, done="removed"),
        template="console/webhooks.html",
    ),
    page(
        "/console/webhooks",
        WebhooksView(lines=(), choices=_CHOICES, most=10, form=_WRONG, chosen=("order.paid",)),
        template="console/webhooks.html",
    ),
    page(
        f"/console/webhooks/{_ID}",
        WebhookView(
            line=_line(),
            choices=_CHOICES,
            chosen=("order.paid",),
            deliveries=_DELIVERIES,
            secret="whsec_" + "0" * 43 + "=",
            rotated=True,
            older_url=f"/console/webhooks/{_ID}?cursor=1",
        ),
        template="console/webhook.html",
    ),
    page(
        f"/console/webhooks/{_ID}",
        WebhookView(line=_OFF, choices=_CHOICES, chosen=("*",), deliveries=(), form=_WRONG, done="saved", newest=False),
        template="console/webhook.html",
    ),
)
