"""Subscriptions: where periods begin, what is to be done when, and what an upgrade adds."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import Conflict
from reseller_kit.core.subscription import (
    GRACE_US,
    REQUEST_US,
    Period,
    Step,
    boundary,
    expiry,
    step,
    transition,
    upgrade_part,
)
from reseller_kit.core.times import DAY_US

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def us(*parts: int, zone: ZoneInfo = UTC_ZONE) -> int:
    return int(datetime(*parts, tzinfo=zone).astimezone(UTC).timestamp()) * 1_000_000  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("period", "number", "day"),
    [
        ("month", 1, (2026, 2, 28)),
        ("month", 2, (2026, 3, 31)),
        ("month", 25, (2028, 2, 29)),
        ("week", 3, (2026, 2, 21)),
        ("year", 2, (2028, 1, 31)),
    ],
)
def test_a_period_keeps_its_day_and_months_that_lack_it_have_it_on_their_last(
    period: Period, number: int, day: tuple[int, int, int]
) -> None:
    assert boundary(us(2026, 1, 31, 9, 30), period, number, UTC_ZONE) == us(*day, 9, 30)


def test_a_leap_day_s_year_ends_on_the_28th() -> None:
    assert boundary(us(2028, 2, 29), "year", 1, UTC_ZONE) == us(2029, 2, 28)


def test_the_hour_is_that_of_the_zone_s_clocks() -> None:
    start = us(2026, 3, 15, 10, zone=BERLIN)
    assert boundary(start, "month", 1, BERLIN) == us(2026, 4, 15, 10, zone=BERLIN) == us(2026, 4, 15, 8)


@given(st.integers(0, 40_000), st.sampled_from(["week", "month", "year"]), st.integers(0, 60))
def test_periods_follow_one_another(day: int, period: Period, number: int) -> None:
    anchor = day * DAY_US
    assert boundary(anchor, period, number, BERLIN) < boundary(anchor, period, number + 1, BERLIN)


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        (-REQUEST_US - 1, "nothing"),
        (-REQUEST_US, "request"),
        (0, "miss"),
        (GRACE_US - 1, "miss"),
        (GRACE_US, "end"),
    ],
)
def test_the_next_period_is_asked_for_missed_and_given_up(now: int, wanted: Step) -> None:
    ends = us(2026, 2, 1)
    assert step("active", period_ends_at=ends, cancel_at=None, requested=False, now=ends + now) == wanted


def test_what_is_asked_for_is_not_asked_for_again_and_what_is_cancelled_ends_on_its_day() -> None:
    ends = us(2026, 2, 1)
    assert step("active", period_ends_at=ends, cancel_at=None, requested=True, now=ends - 1) == "nothing"
    assert step("past_due", period_ends_at=ends, cancel_at=None, requested=True, now=ends + 1) == "nothing"
    assert step("active", period_ends_at=ends, cancel_at=ends, requested=False, now=ends - 1) == "nothing"
    assert step("active", period_ends_at=ends, cancel_at=ends, requested=False, now=ends) == "end"
    assert step("ended", period_ends_at=ends, cancel_at=None, requested=False, now=ends * 2) == "nothing"


def test_credit_lasts_as_many_periods_longer_as_it_rolls_over() -> None:
    ends = us(2026, 2, 28)
    assert expiry("month", ends, UTC_ZONE, roll_over=0) == ends
    assert expiry("month", ends, UTC_ZONE, roll_over=2) == us(2026, 4, 28)


def test_an_upgrade_adds_the_difference_for_the_rest_of_the_period() -> None:
    whole = {"starts_at": 0, "ends_at": 100}
    assert upgrade_part(10, 30, at=0, **whole) == 20
    assert upgrade_part(10, 30, at=75, **whole) == 5
    assert upgrade_part(10, 30, at=100, **whole) == 0
    assert upgrade_part(30, 10, at=0, **whole) == 0
    assert upgrade_part(10, 30, at=-5, **whole) == 20
    assert upgrade_part(10, 30, starts_at=5, ends_at=5, at=5) == 0


def test_an_ended_subscription_is_not_renewed() -> None:
    assert transition("past_due", "renew") == "active"
    with pytest.raises(Conflict):
        transition("ended", "renew")
