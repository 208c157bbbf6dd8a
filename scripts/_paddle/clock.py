"""The double's own time, which tests may move forward, and its ids, which sort by that time. Reads no file."""

from __future__ import annotations

import calendar
import itertools
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_COUNTER: Final = itertools.count()
MICROSECONDS: Final = 1_000_000


class Clock:
    """Strictly increasing microseconds since 1970, ahead of the machine's clock by what was advanced."""

    def __init__(self) -> None:
        self._offset = 0
        self._last = 0

    def now(self) -> int:
        """This moment, later than every one before it."""
        self._last = max(time.time_ns() // 1000 + self._offset, self._last + 1)
        return self._last

    def text(self) -> str:
        """This moment as the API writes it."""
        return written(self.now())

    def advance_to(self, moment: int) -> None:
        """Move on to `moment` (µs); never back."""
        self._offset += max(0, moment - (time.time_ns() // 1000 + self._offset))

    def new_id(self, prefix: str) -> str:
        """An id in the form of the service: the prefix and 26 characters that sort by time."""
        number = (self.now() // 1000) << 80 | (next(_COUNTER) & 0xFFFFFFFF) << 48 | secrets.randbits(48)
        return f"{prefix}_" + "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in reversed(range(26)))


def written(moment: int) -> str:
    """µs as RFC 3339 in UTC with six decimals."""
    return datetime.fromtimestamp(moment // MICROSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%S") + (
        f".{moment % MICROSECONDS:06d}Z"
    )


def read(text: str) -> int:
    """RFC 3339 as µs; without an offset it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def later(moment: int, interval: str, frequency: int) -> int:
    """`moment` and so many days, weeks, months or years; a day that a month does not have is its last."""
    start = datetime.fromtimestamp(moment // MICROSECONDS, UTC)
    rest = moment % MICROSECONDS
    if interval in {"day", "week"}:
        return moment + frequency * (7 if interval == "week" else 1) * 86_400 * MICROSECONDS
    months = start.year * 12 + start.month - 1 + frequency * (12 if interval == "year" else 1)
    year, month = divmod(months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp()) * MICROSECONDS + rest
