"""Sample contents of mails on a customer's credit, keys and subscriptions. Never sent to anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_UNTIL: Final = {"at": 1_772_323_200_000_000, "zone": "UTC"}
_ORDER: Final = "ord_01JD0000000000000000000000"
_REPORTED: Final = {
    "storefront": "Aurora AI",
    "customer": "jane@example.com",
    "category": "fraud",
    "tenant_origin": "https://aurora.example",
    "path": "/console/abuse/rep_01JD0000000000000000000000",
}
MAILS: Final[Mapping[str, Mapping[str, Any]]] = {
    "key_created": {"name": "laptop", "prefix": "sk_Ab3dE"},
    "account_suspended": {},
    "account_resumed": {},
    "abuse_reported": {**_REPORTED, "body": "Calls that ask for phishing pages, on three days."},
    "abuse_appealed": {**_REPORTED, "body": "That was a test of our own filter."},
    "access_restricted": {"body": "A report says that the account was used for fraud.", "until": _UNTIL},
    "access_restored": {"body": ""},
    "appeal_upheld": {"body": "We looked at the calls again.\nThe restriction stays."},
    "credit_low": {"available": "4.87", "threshold": "5.00", "unsubscribe_url": "https://aurora.example/unsubscribe"},
    "credit_expiring": {"left": "7.50", "until": _UNTIL, "unsubscribe_url": "https://aurora.example/unsubscribe"},
    "wholesale_topped_up": {"storefront": "Aurora AI", "amount": "500.00", "balance": "509.50", "order": _ORDER},
    "subscription_due": {"title": "Team", "order": _ORDER, "price": "49.00", "until": _UNTIL},
    "subscription_renewed": {
        "title": "Team",
        "order": _ORDER,
        "number": "2026-00043",
        "price": "49.00",
        "credits": "60.00",
        "until": _UNTIL,
    },
    "subscription_failed": {"title": "Team", "until": _UNTIL},
    "subscription_cancelled": {"title": "Team", "until": _UNTIL},
    "subscription_ended": {"title": "Team"},
}
