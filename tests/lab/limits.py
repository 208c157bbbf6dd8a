"""The headers with which providers say how long to wait.

Sources: OpenAI and Anthropic API references, "Rate limits"; RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.lab.behaviour import Limits


def headers(form: Limits, seconds: float) -> list[tuple[str, str]]:
    """Come back in so many seconds, said in one of the forms; dates are of whole seconds, rounded up."""
    then = (datetime.now(UTC) + timedelta(seconds=seconds + 1)).replace(microsecond=0)
    if form == "seconds":
        return [("retry-after", f"{seconds:g}")]
    if form == "date":
        return [("retry-after", format_datetime(then, usegmt=True))]
    if form == "ms":
        return [("retry-after-ms", f"{seconds * 1000:.0f}")]
    if form == "openai":
        return _openai(seconds)
    return _anthropic(then)


def _openai(seconds: float) -> list[tuple[str, str]]:
    return [
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", f"{seconds:g}s"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("x-ratelimit-reset-tokens", "6ms"),
        ("x-ratelimit-reset", f"{time.time() + seconds:.0f}"),
    ]


def _anthropic(then: datetime) -> list[tuple[str, str]]:
    at = then.strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = ("requests", "tokens", "input-tokens", "output-tokens")
    found = [
        (f"anthropic-ratelimit-{kind}-{name}", value)
        for kind in kinds
        for name, value in (("limit", "4000"), ("reset", at))
    ]
    return [*found, ("anthropic-ratelimit-requests-remaining", "0"), ("anthropic-ratelimit-unified-status", "rejected")]
