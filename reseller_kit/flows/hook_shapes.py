"""Webhook endpoints and deliveries as JSON documents, of the command line and the management API alike."""

from __future__ import annotations

import msgspec

from ..core.times import format_time
from ..db.hook_deliveries import HookAttempt
from ..db.hook_endpoints import HookEndpoint
from . import documents as doc
from .hooks import Logged
from .shapes import optional_time


def endpoint(row: HookEndpoint, secret: str | None = None) -> doc.Webhook:
    """An endpoint; `secret` only when it was just made."""
    shown: doc.Webhook = {
        "id": row.id,
        "url": row.url,
        "description": row.description,
        "events": list(row.events),
        "status": "enabled" if row.disabled_at is None else "disabled",
        "disabled_reason": row.disabled_why or None,
        "disabled_at": optional_time(row.disabled_at),
        "failing_since": optional_time(row.failing_since),
        "created_at": format_time(row.created_at),
    }
    return shown if secret is None else {**shown, "secret": secret}


def delivery(one: Logged) -> doc.Delivery:
    """A delivery with its attempts, latest first."""
    row = one.delivery
    return {
        "id": row.id,
        "endpoint": row.endpoint_id,
        "event": row.event_id,
        "type": row.type,
        "status": row.state,
        "next_attempt_at": format_time(row.due_at) if row.state == "waiting" else None,
        "created_at": format_time(row.created_at),
        "payload": msgspec.json.decode(row.body),
        "attempts": [_attempt(tried) for tried in one.attempts],
    }


def _attempt(row: HookAttempt) -> doc.Attempt:
    return {
        "created_at": format_time(row.created_at),
        "status": row.status,
        "duration_ms": row.duration_ms,
        "answer": row.answer,
        "error": row.error or None,
    }
