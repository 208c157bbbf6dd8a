"""Charts: bars on a round scale, within their field, and never so low that a call is not seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.theming.charts import HEIGHT, WIDTH, Point, bars

AMOUNTS = st.lists(st.integers(0, 10**18), min_size=1, max_size=120)


def points(values: list[int]) -> list[Point]:
    return [Point(str(index), f"step {index}", value, "/x") for index, value in enumerate(values)]


@given(AMOUNTS)
def test_bars_lie_within_the_field_and_in_order(values: list[int]) -> None:
    chart = bars(points(values))
    assert len(chart.bars) == len(values)
    assert chart.empty is not any(values)
    end = 0.0
    for bar, value in zip(chart.bars, values, strict=True):
        assert bar.x >= end
        end = bar.x + bar.width
        assert (bar.height > 0) is (value > 0)
        assert 0 <= bar.y <= chart.base
        assert bar.y + bar.height <= chart.base + 1
        assert bar.value == value
    assert end <= chart.right + 0.1
    assert chart.right < WIDTH
    assert all(0 <= mark.y <= HEIGHT for mark in chart.marks)
    assert chart.marks[0].value == 0
    assert chart.marks[-1].value >= max(values)


@given(AMOUNTS)
def test_the_scale_is_round_and_no_larger_than_it_must_be(values: list[int]) -> None:
    chart = bars(points(values))
    step = chart.marks[1].value
    assert str(step).rstrip("0") in {"1", "2", "25", "4", "5"}
    if max(values) > 4:
        assert chart.marks[-1].value < max(values) * 2 + 4


def test_labels_are_left_out_where_there_is_no_room() -> None:
    assert [bar.label for bar in bars(points([1, 2, 3])).bars] == ["0", "1", "2"]
    assert sum(bool(bar.label) for bar in bars(points([1] * 90)).bars) <= 8
    assert bars([]).empty


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=1, max_size=60))
def test_counts_have_whole_marks_and_parts_within_their_bars(pairs: list[tuple[int, int]]) -> None:
    given_points = [Point("", "", max(pair), part=min(pair)) for pair in pairs]
    chart = bars(given_points, counts=True)
    assert chart.marks[1].value >= 1
    for bar in chart.bars:
        assert bar.part_height <= bar.height
        assert bar.part_y >= bar.y
        assert (bar.part_height > 0) is (bar.part > 0)
