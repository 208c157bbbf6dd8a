"""Limits as OpenAI's headers tell them."""

from __future__ import annotations

import pytest

from reseller_kit.core.rates import NO_RATES, Rate, Rates
from reseller_kit.wire.rate_headers import duration, rate_headers


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "0ms"),
        (1, "1ms"),
        (120_000, "120ms"),
        (999_001, "1s"),
        (1_500_000, "1.5s"),
        (59_875_000, "59.875s"),
        (60_250_000, "1m0.25s"),
        (360_000_000, "6m0s"),
        (3_600_000_000, "1h0m0s"),
    ],
)
def test_a_duration_is_written_as_openai_does(us: int, text: str) -> None:
    assert [duration(us), duration(us)] == [text, text]


def test_each_limit_has_its_three_headers() -> None:
    requests, tokens = Rate(60, 59, 60_000_000), Rate(1000, 0, 250_000)
    assert rate_headers(NO_RATES, "openai", 0) == []
    of_requests = [
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-reset-requests", b"1m0s"),
    ]
    of_tokens = [
        (b"x-ratelimit-limit-tokens", b"1000"),
        (b"x-ratelimit-remaining-tokens", b"0"),
        (b"x-ratelimit-reset-tokens", b"250ms"),
    ]
    assert rate_headers(Rates(requests, None), "openai", 0) == of_requests
    assert rate_headers(Rates(None, tokens), "openai", 0) == of_tokens
    assert rate_headers(Rates(requests, tokens), "openai", 0) == [*of_requests, *of_tokens]
