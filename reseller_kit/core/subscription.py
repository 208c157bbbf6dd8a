"""A subscription's states, its periods and what a change of it is worth. Knows no provider and moves no money.

A period is an order of its own: paid, credited and refunded as any other. This says when there is to be one.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from .days import local
from .errors import Conflict
from .payment import SubscriptionStatus
from .times import DAY_US

SubscriptionState = Literal["active", "past_due", "paused", "ended"]
SubscriptionEvent = Literal["renew", "miss", "end"]
Step = Literal["nothing", "request", "miss", "end"]
Period = Literal["week", "month", "year"]
LIVE: Final = frozenset({"active", "past_due", "paused"})
"""It may renew still."""
REQUEST_US: Final = 7 * DAY_US
"""How long before a period ends the next one is asked to be paid, where nobody takes the money by itself."""
GRACE_US: Final = 7 * DAY_US
"""How long after its end that payment is waited for."""
STATE_OF: Final[Mapping[SubscriptionStatus, SubscriptionState]] = {
    "active": "active",
    "trialing": "active",
    "past_due": "past_due",
    "paused": "paused",
    "cancelled": "ended",
}
"""What a provider tells of one → its state."""

_CHANGES: Final[Mapping[str, Mapping[str, SubscriptionState]]] = {
    "active": {"renew": "active", "miss": "past_due", "end": "ended"},
    "past_due": {"renew": "active", "end": "ended"},
    "paused": {"renew": "active", "end": "ended"},
    "ended": {},
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def transition(state: SubscriptionState, event: SubscriptionEvent) -> SubscriptionState:
    """What the event makes of a subscription in this state. Raises Conflict where it makes no sense."""
    after = _CHANGES[state].get(event)
    if after is None:
        raise Conflict(f"The subscription is {state.replace('_', ' ')}.", fix="Look at it first.")
    return after


def boundary(anchor: int, period: Period, number: int, zone: ZoneInfo) -> int:
    """Where period `number` (0 is the first) begins, in µs: the anchor's time of day on the clocks of the zone.

    Months that lack the anchor's day have it on their last one; later months have their own again.
    """
    start = local(anchor, zone)
    if period == "week":
        moved = start + timedelta(weeks=number)
    else:
        year, month = divmod(start.year * 12 + start.month - 1 + number * (12 if period == "year" else 1), 12)
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        moved = start.replace(year=year, month=month + 1, day=day)
    return (moved.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def step(state: SubscriptionState, *, period_ends_at: int, cancel_at: int | None, requested: bool, now: int) -> Step:
    """What is to be done with a subscription that nobody renews by itself. `requested`: the next period is ordered."""
    if state == "ended":
        return "nothing"
    if cancel_at is not None:
        return "end" if cancel_at <= now else "nothing"
    if now >= period_ends_at + GRACE_US:
        return "end"
    if now >= period_ends_at and state == "active":
        return "miss"
    return "request" if not requested and now >= period_ends_at - REQUEST_US else "nothing"


def expiry(period: Period, ends_at: int, zone: ZoneInfo, *, roll_over: int) -> int:
    """When a period's credit runs out: with the period, or `roll_over` periods behind it."""
    return boundary(ends_at, period, roll_over, zone) if roll_over else ends_at


def upgrade_part(before: int, after: int, *, starts_at: int, ends_at: int, at: int) -> int:
    """What a change to a larger plan at `at` adds for the rest of the period, in nano-USD; 0 for a smaller one.

    The difference of the two plans' credits, or prices, by the share of the period that is left, cut.
    """
    left = min(max(ends_at - at, 0), ends_at - starts_at)
    return max(after - before, 0) * left // (ends_at - starts_at) if ends_at > starts_at else 0
