"""When a provider says that it may be asked again: headers and error bodies to seconds. Waits for nothing.

Sources: RFC 9110, section 10.2.3 (`retry-after`); "Rate limits" of OpenAI's, Anthropic's, Azure's and OpenRouter's API
documentation; google.rpc.RetryInfo.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_DURATION: Final = re.compile(
    r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?"
)
_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_TRY_AGAIN: Final = re.compile(r"try again in ([0-9dhms.]{2,30})", re.IGNORECASE)
_RESET: Final = re.compile(rb"(?:x-ratelimit-reset(.*)|(anthropic-ratelimit-.+)-reset)")
_EPOCH_SECONDS: Final = 1_000_000_000
_EPOCH_MILLISECONDS: Final = 1_000_000_000_000
_LONGEST_SECONDS: Final = 31 * 86_400.0


def retry_after(headers: Mapping[bytes, bytes], error: Mapping[str, Any], now: float) -> float | None:
    """Seconds from `now` (seconds since 1970) until the next request is welcome; None where nothing tells.

    `headers`: lower-case names; `error`: the answer's error object. The plainest word goes first: `retry-after`, then
    what the body says, then the resets of the limits that are used up. Raises nothing, whatever is written there.
    """
    for found in (_told(headers, now), _in_body(error, now), _resets(headers, now)):
        if found is not None:
            return min(max(found, 0.0), _LONGEST_SECONDS)
    return None


def _told(headers: Mapping[bytes, bytes], now: float) -> float | None:
    milliseconds = _number(_text(headers.get(b"retry-after-ms")))
    if milliseconds is not None:
        return milliseconds / 1000
    return _moment_or_span(_text(headers.get(b"retry-after")), now)


def _in_body(error: Mapping[str, Any], now: float) -> float | None:
    """Google's RetryInfo, OpenRouter's copy of its headers, and OpenAI's and its kin's sentence."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and (seconds := _duration(delay)) is not None:
            return seconds
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("headers"), dict):
        inner = {str(name).lower(): str(value) for name, value in metadata["headers"].items()}
        for name in ("retry-after", "x-ratelimit-reset"):
            if (seconds := _moment_or_span(inner.get(name, ""), now)) is not None:
                return seconds
    message = error.get("message")
    match = _TRY_AGAIN.search(message[:2000]) if isinstance(message, str) else None
    return _duration(match[1].rstrip(".")) if match else None


def _resets(headers: Mapping[bytes, bytes], now: float) -> float | None:
    """The latest reset among the limits of which nothing remains."""
    return max(_used_up(headers, now), default=None)


def _used_up(headers: Mapping[bytes, bytes], now: float) -> Iterator[float]:
    for name, value in headers.items():
        match = _RESET.fullmatch(name)
        if match is None:
            continue
        remaining = match[2] + b"-remaining" if match[2] else b"x-ratelimit-remaining" + match[1]
        left = _number(_text(headers.get(remaining)))
        seconds = _moment_or_span(_text(value), now)
        if seconds is not None and left is not None and left <= 0:
            yield seconds


def _moment_or_span(text: str, now: float) -> float | None:
    """Seconds until a moment or of a span: `20`, `1.5`, `6m0s`, a Unix time, an RFC 3339 or HTTP date."""
    number = _number(text)
    if number is not None:
        if number >= _EPOCH_MILLISECONDS:
            return number / 1000 - now
        return number - now if number >= _EPOCH_SECONDS else number
    seconds = _duration(text)
    if seconds is not None:
        return seconds
    moment = _date(text)
    return None if moment is None else moment - now


def _date(text: str) -> float | None:
    try:
        found = dt.datetime.fromisoformat(text) if "T" in text[:20] and "," not in text else None
        found = found or email.utils.parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _duration(text: str) -> float | None:
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    days, hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return days * 86_400 + hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("latin-1").strip()
