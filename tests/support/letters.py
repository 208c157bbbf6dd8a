"""A letter to send in tests of mail."""

from __future__ import annotations

import datetime as dt
from typing import Any

from reseller_kit.mail import Letter, Mailbox

AT = dt.datetime(2026, 2, 1, 12, 30, tzinfo=dt.UTC)


def letter(**changes: Any) -> Letter:
    fields: dict[str, Any] = {
        "reference": "mail_01",
        "sender": Mailbox("Aurora AI", "hi@aurora.example"),
        "recipient": "jane@example.com",
        "subject": "Prices change",
        "text": "Hello\n",
        "html": "<p>Hello</p>",
        "written_at": AT,
    }
    return Letter(**{**fields, **changes})
