"""Days of zones: where they begin, and how their offsets change."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from reseller_kit.core.days import QUARTER_US, day_of, offsets, start_of
from reseller_kit.core.ids import IdSource, lowest_id, made_at
from reseller_kit.core.times import HOUR_US, parse_time

ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia")


@pytest.mark.parametrize("name", ZONES)
def test_every_quarter_of_a_year_has_the_offset_that_its_clocks_show(name: str) -> None:
    zone = ZoneInfo(name)
    since, until = start_of(date(2026, 1, 1), zone), start_of(date(2027, 1, 1), zone)
    found = offsets(zone, since, until)
    assert found[0][0] == since
    for at in range(since, until, 13 * QUARTER_US):
        offset = next(value for start, value in reversed(found) if start <= at)
        assert date(1970, 1, 1).toordinal() + (at + offset) // (24 * HOUR_US) == day_of(at, zone).toordinal()


def test_a_day_that_begins_at_one_o_clock() -> None:
    zone = ZoneInfo("America/Santiago")
    assert start_of(date(2026, 9, 6), zone) == parse_time("2026-09-06T04:00:00Z")
    assert day_of(parse_time("2026-09-06T03:59:59Z"), zone) == date(2026, 9, 5)
    assert len(offsets(zone, start_of(date(2026, 9, 1), zone), start_of(date(2026, 9, 30), zone))) == 2


def test_an_id_tells_when_it_was_made() -> None:
    at = parse_time("2026-03-01T12:34:56.789Z")
    assert made_at(f"req_{IdSource().next(at * 1000)}") == at
    assert made_at(lowest_id("req", at) + "0" * 16) == at
