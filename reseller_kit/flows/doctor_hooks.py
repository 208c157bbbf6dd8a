"""What `doctor` has to say of a reseller's webhook endpoints, by what deliveries came to. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ..core.hook import MAX_ATTEMPTS
from ..core.times import format_time
from ..db.hook_endpoints import HookEndpoint
from .complaint import Complaint, complaint

_WHY: Final = {"failing": "because nothing sent to it arrived", "gone": "because it answered that it is gone (410)"}
"""Endpoints that were switched off by hand are as somebody wants them."""


def about_hooks(slug: str, endpoints: Iterable[HookEndpoint]) -> Iterator[Complaint]:
    """Endpoints that fail, or were switched off for that."""
    for endpoint in endpoints:
        where = f"{slug}/{endpoint.id}"
        if endpoint.disabled_at is not None:
            if endpoint.disabled_why in _WHY:
                message = f"The webhook endpoint was switched off at {format_time(endpoint.disabled_at)}, "
                fix = "Have its team mend the receiver, then switch it on again at /console/webhooks."
                yield complaint("DR251", where, f"{message}{_WHY[endpoint.disabled_why]}.", fix, level="warning")
        elif endpoint.failing_since is not None:
            message = f"Deliveries to the webhook endpoint fail since {format_time(endpoint.failing_since)}."
            shown = f"reseller-kit webhook deliveries {endpoint.id} --tenant {slug}"
            fix = f"Each is tried {MAX_ATTEMPTS} times. See: {shown}"
            yield complaint("DR251", where, message, fix, level="warning")
