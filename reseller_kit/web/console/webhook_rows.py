"""Webhook endpoints and deliveries as lines of the console's pages. Reads nothing."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from ...core.days import local
from ...core.times import SECOND_US
from ...db.hook_endpoints import HookEndpoint
from ...flows.hooks import Logged
from ...theming.console_webhooks import AttemptLine, DeliveryLine, WebhookLine


def webhook_line(row: HookEndpoint, zone: ZoneInfo) -> WebhookLine:
    """An endpoint."""
    return WebhookLine(
        id=row.id,
        url=row.url,
        description=row.description,
        events=row.events,
        status="enabled" if row.disabled_at is None else "disabled",
        why=row.disabled_why,
        created=_moment(row.created_at, zone),
        failing=None if row.failing_since is None else _moment(row.failing_since, zone),
    )


def delivery_line(one: Logged, zone: ZoneInfo) -> DeliveryLine:
    """A delivery with its attempts."""
    row = one.delivery
    return DeliveryLine(
        id=row.id,
        event=row.event_id,
        type=row.type,
        status=row.state,
        at=_moment(row.created_at, zone),
        body=row.body,
        next_at=_moment(row.due_at, zone) if row.state == "waiting" else None,
        attempts=tuple(
            AttemptLine(
                at=_moment(tried.created_at, zone),
                status=tried.status,
                duration_ms=tried.duration_ms,
                answer=tried.answer,
                error=tried.error,
            )
            for tried in one.attempts
        ),
    )


def _moment(at: int, zone: ZoneInfo) -> dt.datetime:
    return local(at - at % SECOND_US, zone)
