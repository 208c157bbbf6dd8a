"""The limits of a caller as the vendors' headers tell them. Counts nothing.

Sources: OpenAI API reference, "Rate limits in headers"; Anthropic API reference, "Rate limits", "Response headers".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from ..core.rates import Rate, Rates
from ..core.times import format_time

_MINUTE_MS = 60_000
_SECOND_MS = 1000
_REQUESTS: Final = (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests")
_TOKENS: Final = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")


def rate_headers(rates: Rates, dialect: str, now: int) -> list[tuple[bytes, bytes]]:
    """The headers of an answer in a dialect; none where there is no limit. `now` in µs of the wall clock."""
    headers: list[tuple[bytes, bytes]] = []
    if dialect == "anthropic":
        for what, rate in ((b"requests", rates.requests), (b"tokens", rates.tokens)):
            if rate is not None:
                headers += _anthropic(what, rate, now)
        return headers
    if rates.requests is not None:
        headers += _openai(_REQUESTS, rates.requests)
    if rates.tokens is not None:
        headers += _openai(_TOKENS, rates.tokens)
    return headers


def _openai(names: tuple[bytes, bytes, bytes], rate: Rate) -> Sequence[tuple[bytes, bytes]]:
    limit, remaining, reset = names
    return (limit, b"%d" % rate.most), (remaining, b"%d" % rate.remains), (reset, duration(rate.full_in).encode())


def _anthropic(what: bytes, rate: Rate, now: int) -> Iterator[tuple[bytes, bytes]]:
    yield b"anthropic-ratelimit-" + what + b"-limit", b"%d" % rate.most
    yield b"anthropic-ratelimit-" + what + b"-remaining", b"%d" % rate.remains
    second = -(-(now + rate.full_in) // 1_000_000) * 1_000_000
    yield b"anthropic-ratelimit-" + what + b"-reset", format_time(second).partition(".")[0].encode() + b"Z"


def duration(us: int) -> str:
    """As OpenAI writes it: `120ms`, `1.5s`, `6m0s`."""
    return _of_ms(-(-us // 1000))


@lru_cache(maxsize=4_096)
def _of_ms(ms: int) -> str:
    """A window that was just used is empty again in one of the same few hundred milliseconds."""
    if ms < _SECOND_MS:
        return f"{ms}ms"
    minutes, rest = divmod(ms, _MINUTE_MS)
    seconds = f"{rest / 1000:g}s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"
