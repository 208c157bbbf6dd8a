"""The days that the bench makes a long past in, without a database."""

from __future__ import annotations

from itertools import pairwise

import pytest

from scripts._bench.past import DAY_US, Timeline

NOON = 20_000 * DAY_US + DAY_US // 2


def timeline(total: int, *, step_us: int = 7_777_777, made: int = 0, start_us: int = NOON) -> Timeline:
    return Timeline(start_us=start_us, step_us=step_us, total=total, made=made)


@pytest.mark.parametrize("made", [0, 1, 5_000, 29_999])
def test_days_are_all_that_is_missing_and_end_where_days_do(made: int) -> None:
    line = timeline(30_000, made=made)
    days = list(line.days())
    assert [n for first, end in days for n in range(first, end)] == list(range(made, 30_000))
    day_of = [{(line.start_us + n * line.step_us) // DAY_US for n in (first, end - 1)} for first, end in days]
    assert all(len(one) == 1 for one in day_of)
    assert all(max(one) < min(other) for one, other in pairwise(day_of))


def test_a_call_at_midnight_is_of_the_day_that_begins() -> None:
    assert list(timeline(4, step_us=DAY_US // 2).days()) == [(0, 1), (1, 3), (3, 4)]


def test_days_without_calls_are_none() -> None:
    assert list(timeline(3, step_us=2 * DAY_US).days()) == [(0, 1), (1, 2), (2, 3)]


def test_what_is_made_is_not_made_again() -> None:
    assert list(timeline(100, made=100).days()) == []
