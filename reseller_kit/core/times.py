"""Times as integers and their texts: microseconds since 1970 UTC, and ISO 8601. Knows no clock and no time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .errors import InvalidRequest

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
DAY_US: Final = 24 * HOUR_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:Z|[+-]\d{2}:?\d{2})?)?", re.ASCII
)


def format_time(at_us: int) -> str:
    """Microseconds to the text of every JSON document, such as 2026-01-31T23:59:59.123456Z."""
    return (_EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> int:
    """An ISO 8601 date or time to microseconds; without an offset it is UTC, without a time the day's start.

    Raises InvalidRequest for anything else, such as more than six decimals or a day that no month has.
    """
    try:
        if not _ISO.fullmatch(text):
            raise ValueError(text)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{text[:80]!r} is not a time.", fix="Write it like 2026-01-31T23:59:59Z or 2026-01-31."
        ) from None
