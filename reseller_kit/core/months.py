"""Calendar months in UTC, by which ids and archives are cut. Knows no time zone and no clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from .errors import InvalidRequest
from .ids import lowest_id

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 9998


class Month(Struct, frozen=True, order=True):
    """One month; they sort by time."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def start_us(self) -> int:
        """Its first moment, in µs."""
        return (datetime(self.year, self.number, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)

    def later(self, months: int = 1) -> Month:
        """The month so many months later, or earlier if negative."""
        year, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, number + 1)

    def first_id(self, prefix: str) -> str:
        """What every id of this prefix from the month on sorts behind."""
        return lowest_id(prefix, self.start_us)


def month_of(at_us: int) -> Month:
    """The month that a moment (µs) lies in."""
    moment = _EPOCH + timedelta(microseconds=at_us)
    return Month(moment.year, moment.month)


def months(first: Month, last: Month) -> list[Month]:
    """Every month from `first` to `last`, both included."""
    count = (last.year - first.year) * 12 + last.number - first.number + 1
    return [first.later(number) for number in range(count)]


def parse_month(text: str) -> Month:
    """A month such as 2026-08. Raises InvalidRequest for anything else."""
    found = _TEXT.fullmatch(text)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        raise InvalidRequest(f"{text[:80]!r} is not a month.", fix="Write it like 2026-08.")
    return Month(int(found[1]), int(found[2]))
