"""Webhooks to a reseller's own systems: which events there are, how they are signed, when tried again. Sends nothing.

Signatures are those of Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from .times import DAY_US, HOUR_US, SECOND_US

EVENTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "order.paid": ("An order was paid.", ("order", "customer", "amount", "credits")),
    "order.refunded": ("Money went back for an order; refunded is what did in all.", ("order", "customer", "refunded")),
    "order.disputed": ("A payment was charged back.", ("order", "customer", "amount")),
    "customer.created": ("A customer signed up or was made.", ("customer",)),
    "customer.suspended": ("A customer's calls are refused.", ("customer",)),
    "customer.resumed": ("A customer is served again.", ("customer",)),
    "key.created": ("A key was made.", ("key", "customer")),
    "key.revoked": ("A key was revoked.", ("key", "customer")),
    "subscription.started": ("A subscription's first period was paid.", ("subscription", "customer", "order")),
    "subscription.renewed": ("A further period was paid.", ("subscription", "customer", "order")),
    "subscription.past_due": ("A period was not paid in time.", ("subscription", "customer")),
    "subscription.cancelled": ("A subscription will end with its period.", ("subscription", "customer")),
    "subscription.ended": ("A subscription has ended.", ("subscription", "customer")),
    "usage.threshold_reached": (
        "A customer's credit fell below a threshold, or spending in a day or month reached one: value, by kind.",
        ("customer", "kind", "threshold", "value"),
    ),
    "wholesale.low": ("Your own balance fell below a threshold.", ("threshold", "balance")),
    "tenant.suspended": ("Your storefront was suspended.", ("storefront",)),
    "tenant.resumed": ("Your storefront is served again.", ("storefront",)),
}
"""Event → what it tells, and the members of its `data`."""
TEST_EVENT: Final = "test"
"""What "Send test event" sends; no endpoint has to choose it."""
EVERY_EVENT: Final = "*"

_DELAYS_US: Final = (
    5 * SECOND_US,
    300 * SECOND_US,
    1800 * SECOND_US,
    2 * HOUR_US,
    5 * HOUR_US,
    10 * HOUR_US,
    14 * HOUR_US,
    20 * HOUR_US,
    24 * HOUR_US,
)
MAX_ATTEMPTS: Final = len(_DELAYS_US) + 1
"""With the delays between them somewhat more than three days."""
_JITTER: Final = 0.1
GIVE_UP_US: Final = 5 * DAY_US
"""An endpoint that has answered nothing well for so long is switched off."""
OVERLAP_US: Final = DAY_US
"""How long a secret signs beside the one that took its place."""
_LONGEST_WAIT_US: Final = DAY_US
"""The most that an endpoint may ask to wait."""

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_GONE: Final = 410
_ASKS_TO_WAIT: Final = frozenset({429, 503})

Verdict = Literal["delivered", "again", "failed", "gone"]


class Outcome(Struct, frozen=True, kw_only=True):
    """How an attempt ended. `status` None: there was no answer, and `error` says why; `answer`: how it began.

    `retry_after` in seconds, where the receiver asked for it.
    """

    status: int | None
    duration_ms: int
    answer: str = ""
    error: str = ""
    retry_after: int | None = None

    @property
    def went_well(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


def subscribes(chosen: Iterable[str], event: str) -> bool:
    """Whether an endpoint that chose these events is told of this one."""
    names = set(chosen)
    return event in names or EVERY_EVENT in names


def new_secret() -> str:
    """A secret to sign with: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signatures(keys: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, parted by spaces. `timestamp` in seconds."""
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return " ".join(f"v1,{_signature(key, signed)}" for key in keys)


def judge(outcome: Outcome, attempts: int) -> Verdict:
    """What becomes of a delivery after so many attempts."""
    if outcome.went_well:
        return "delivered"
    if outcome.status == _GONE:
        return "gone"
    return "failed" if attempts >= MAX_ATTEMPTS else "again"


def wait_us(outcome: Outcome, attempts: int, chance: float) -> int:
    """How long to wait after so many attempts; `chance` from 0 to 1 spreads them by a tenth.

    Longer where the receiver asked for that, a day at most.
    """
    delay = _DELAYS_US[min(max(attempts, 1), len(_DELAYS_US)) - 1]
    spread = delay + int(delay * _JITTER * chance)
    if outcome.status in _ASKS_TO_WAIT and outcome.retry_after is not None:
        return max(spread, min(outcome.retry_after * SECOND_US, _LONGEST_WAIT_US))
    return spread


def _signature(key: str, signed: bytes) -> str:
    try:
        raw = base64.b64decode(key.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret is not base64") from None
    return base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
