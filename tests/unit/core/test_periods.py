"""Limit periods of keys: by the calendar of the tenant's zone, over clock changes, month ends and changes of zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.periods import FOR_EVER, period_of, resets_at
from reseller_kit.core.times import DAY_US, parse_time

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # clocks changed at midnight
    "America/Havana",  # midnight comes twice
    "Asia/Beirut",  # midnight is skipped
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",  # 2011-12-30 did not exist
    "Pacific/Kiritimati",
)
RESETS = ("daily", "weekly", "monthly")
zones, resets = st.sampled_from(ZONES), st.sampled_from(RESETS)
moments = st.integers(parse_time("1995-01-01"), parse_time("2040-01-01"))


def first_day(period: int) -> datetime:
    return datetime.fromtimestamp(period // 1_000_000, UTC)


@given(reset=resets, zone=zones, now=moments)
def test_a_moment_lies_in_the_period_of_its_local_date(reset: str, zone: str, now: int) -> None:
    local = datetime.fromtimestamp(now / 1_000_000, ZoneInfo(zone)).date()
    day = first_day(period_of(reset, zone, now)).date()
    assert day <= local
    if reset == "daily":
        assert day == local
    elif reset == "weekly":
        assert day.weekday() == 0
        assert (local - day).days < 7
    else:
        assert (day.year, day.month, day.day) == (local.year, local.month, 1)


@given(reset=resets, zone=zones, now=moments)
def test_a_period_ends_where_another_begins(reset: str, zone: str, now: int) -> None:
    period, end = period_of(reset, zone, now), resets_at(reset, zone, now)
    assert end is not None
    assert end > now
    assert period_of(reset, zone, end - 1) == period
    assert period_of(reset, zone, end) > period
    assert resets_at(reset, zone, end - 1) == end


@given(reset=resets, zone=zones, times=st.lists(moments, min_size=2, max_size=20))
def test_periods_never_go_back(reset: str, zone: str, times: list[int]) -> None:
    periods = [period_of(reset, zone, now) for now in sorted(times)]
    assert all(earlier <= later for earlier, later in pairwise(periods))
    assert all(period % DAY_US == 0 for period in periods)


@given(reset=resets, zone=zones, now=moments, other=zones)
def test_a_change_of_zone_stays_within_a_day_of_the_old_period(reset: str, zone: str, now: int, other: str) -> None:
    before, after = period_of(reset, zone, now), period_of(reset, other, now)
    same_date = (
        datetime.fromtimestamp(now // 1_000_000, ZoneInfo(zone)).date()
        == datetime.fromtimestamp(now // 1_000_000, ZoneInfo(other)).date()
    )
    assert not same_date or before == after


@pytest.mark.parametrize(
    ("reset", "zone", "now", "period", "end"),
    [
        ("daily", "UTC", "2026-03-31T23:59:59.999999Z", "2026-03-31", "2026-04-01T00:00:00Z"),
        ("daily", "Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-29", "2026-03-29T22:00:00Z"),
        ("daily", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25", "2026-10-25T23:00:00Z"),
        ("daily", "Asia/Beirut", "2026-03-28T20:00:00Z", "2026-03-28", "2026-03-28T22:00:00Z"),
        ("weekly", "UTC", "2026-01-01T00:00:00Z", "2025-12-29", "2026-01-05T00:00:00Z"),
        ("weekly", "Asia/Tokyo", "2026-01-04T15:00:00Z", "2026-01-05", "2026-01-11T15:00:00Z"),
        ("monthly", "UTC", "2024-02-29T23:00:00Z", "2024-02-01", "2024-03-01T00:00:00Z"),
        ("monthly", "America/New_York", "2026-04-01T03:59:59Z", "2026-03-01", "2026-04-01T04:00:00Z"),
        ("monthly", "America/New_York", "2026-12-31T20:00:00-05:00", "2026-12-01", "2027-01-01T05:00:00Z"),
        ("daily", "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29", "2011-12-30T10:00:00Z"),
    ],
)
def test_by_example(reset: str, zone: str, now: str, period: str, end: str) -> None:
    at = parse_time(now)
    assert period_of(reset, zone, at) == parse_time(period)
    assert resets_at(reset, zone, at) == parse_time(end)


def test_a_limit_without_reset_has_one_period() -> None:
    now = parse_time("2026-05-05")
    assert period_of(None, "UTC", now) == period_of(None, "Asia/Tokyo", now + 400 * DAY_US) == FOR_EVER
    assert resets_at(None, "UTC", now) is None


def test_a_day_with_a_clock_change_is_one_day() -> None:
    for start, hours in (("2026-03-29T00:00:00+01:00", 23), ("2026-10-25T00:00:00+02:00", 25)):
        begin = parse_time(start)
        assert resets_at("daily", "Europe/Berlin", begin) == begin + int(timedelta(hours=hours).total_seconds()) * 10**6
