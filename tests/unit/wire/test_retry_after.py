"""When a provider may be asked again, in the forms that providers write it."""

from __future__ import annotations

import email.utils
from typing import Any

import pytest

from reseller_kit.wire.retry_after import retry_after

NOW = 1_800_000_000.25


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 29.75),
        ({"retry-after": email.utils.formatdate(NOW - 3600, usegmt=True)}, 0),
        ({"retry-after": "2027-01-15T08:00:30Z"}, 29.75),
        ({"retry-after": str(int(NOW) + 12)}, 11.75),
        ({"retry-after": "99999999999999"}, 31 * 86_400),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": ""}, None),
        # OpenAI and Azure: spans; what has something left says nothing of this refusal
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, 360),
        ({"x-ratelimit-reset-tokens": "120ms", "x-ratelimit-remaining-tokens": "0"}, 0.12),
        (
            {
                "x-ratelimit-reset-requests": "1h2m3.5s",
                "x-ratelimit-remaining-requests": "4",
                "x-ratelimit-reset-tokens": "2s",
                "x-ratelimit-remaining-tokens": "0",
            },
            2,
        ),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "29"}, None),
        ({"x-ratelimit-reset-requests": "6m0s"}, None),
        # Anthropic writes moments.
        (
            {
                "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:45Z",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-input-tokens-reset": "2027-01-15T08:01:00Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2027-01-15T09:00:00Z",
                "anthropic-ratelimit-output-tokens-remaining": "800",
            },
            59.75,
        ),
        # OpenRouter: Unix time in milliseconds
        ({"x-ratelimit-reset": str(int((NOW + 15) * 1000)), "x-ratelimit-remaining": "0"}, 15),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    found = retry_after(encoded, {}, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds, abs=0.01))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        ({"details": [{"@type": "x"}, {"@type": "…RetryInfo", "retryDelay": "7s"}]}, 7),
        ({"details": [{"retryDelay": "36.5s"}]}, 36.5),
        ({"details": [{"retryDelay": 7}, 3, None]}, None),
        ({"metadata": {"headers": {"X-RateLimit-Reset": str(int((NOW + 40) * 1000))}}}, 40),
        ({"message": "Rate limit reached … Limit 500, Used 500. Please try again in 120ms. Visit …"}, 0.12),
        ({"message": "Please try again in 7m12s."}, 432),
        ({"message": "Please try again in 1.398s."}, 1.398),
        ({"message": "Please try again in a moment."}, None),
        ({"message": 7, "details": {}, "metadata": []}, None),
    ],
)
def test_bodies(error: dict[str, Any], seconds: float | None) -> None:
    found = retry_after({}, error, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds, abs=0.01))


def test_the_header_goes_before_the_body() -> None:
    assert retry_after({b"retry-after": b"3"}, {"message": "try again in 9s"}, NOW) == 3
