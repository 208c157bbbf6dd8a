from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.times import format_time, parse_time

AT = 1_769_903_999_123_456


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T23:59:59.123456Z", AT),
        ("2026-01-31T23:59:59.123456", AT),
        ("2026-02-01T00:59:59.123456+01:00", AT),
        ("2026-01-31 23:59:59.123456Z", AT),
        ("2026-01-31", AT - 86_399_123_456),
        ("2026-01-31T23:59", AT - 59_123_456),
        ("1970-01-01", 0),
        ("1969-12-31T23:59:59Z", -1_000_000),
    ],
)
def test_a_time_is_read_and_without_offset_it_is_utc(text: str, expected: int) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "1769903999",
        "2026-02-30",
        "2026-13-01",
        "2026-01-31T24:30:00Z",
        "2026-01-31T23:59:60Z",
        "2026-01-31T23:59:59.1234567Z",
        "2026-W05-1",
        "20260131",
        "2026-01-31T10:00:00+25:00",
        "0000-01-01",
        "٢٠٢٦-01-31",
        "2026-01-31\n",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_time(text)
    assert "2026-01-31" in caught.value.fix


def test_a_time_is_written_with_six_decimals() -> None:
    assert format_time(AT) == "2026-01-31T23:59:59.123456Z"
    assert format_time(0) == "1970-01-01T00:00:00.000000Z"


@given(st.integers(-(10**15), 10**16))
def test_what_is_written_is_read_back(at: int) -> None:
    assert parse_time(format_time(at)) == at
