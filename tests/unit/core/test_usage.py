"""Usage by price class, and how far a report is believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.catalog import USAGE_CLASSES
from reseller_kit.core.usage import ABSURD, PRICE_CLASSES, UNSOUND, Usage, clamp, figures_in, later, with_output

_FIELDS = [name for name in Usage.__struct_fields__ if name != "irregular"]
_CLASS_FIELDS = _FIELDS[: len(PRICE_CLASSES)]
_any_figure = st.one_of(st.integers(-10, 500), st.integers(-(2**70), 2**70))
_any_usage = st.builds(Usage, irregular=st.booleans(), **dict.fromkeys(_FIELDS, _any_figure))


def test_the_classes_are_the_catalogues_in_the_order_of_the_fields() -> None:
    assert PRICE_CLASSES == USAGE_CLASSES
    figures: dict[str, Any] = {name: number for number, name in enumerate(_CLASS_FIELDS, 1)}
    each = Usage(**figures, reasoning_tokens=99)
    assert each.quantities() == {name: number for number, name in enumerate(USAGE_CLASSES, 1)}
    for name, field in zip(USAGE_CLASSES, _CLASS_FIELDS, strict=True):
        assert field in {name, f"{name}_tokens", f"{name}s"}


def test_quantities_leave_out_what_is_not_there() -> None:
    assert Usage().quantities() == {}
    usage = Usage(input_tokens=3, output_tokens=5, reasoning_tokens=4)
    assert usage.quantities() == {"input": 3, "output": 5}
    assert (usage.total_input_tokens, usage.total_output_tokens) == (3, 5)


def test_totals_hold_every_class_once() -> None:
    ones: dict[str, Any] = dict.fromkeys(_FIELDS, 1)
    usage = Usage(**ones)
    assert usage.total_input_tokens == 6
    assert usage.total_output_tokens == 3


def test_usage_within_bounds_is_believed_as_it_is() -> None:
    usage = Usage(input_tokens=60, cached_input_tokens=40, output_tokens=10, reasoning_tokens=10)
    assert clamp(usage, context=100, output_limit=10, max_output=10) == (usage, False)


def test_input_beyond_the_context_is_cut_from_the_plain_tokens_first() -> None:
    usage = Usage(input_tokens=10, cached_input_tokens=100, output_tokens=1)
    clamped, capped = clamp(usage, context=50, output_limit=10, max_output=10)
    assert capped
    assert clamped == Usage(cached_input_tokens=50, output_tokens=1)


def test_reasoning_is_believed_beyond_the_limit_up_to_the_models_own() -> None:
    usage = Usage(output_tokens=310, reasoning_tokens=300)
    assert clamp(usage, context=100, output_limit=10, max_output=1000) == (usage, False)
    clamped, capped = clamp(usage, context=100, output_limit=10, max_output=200)
    assert capped
    assert (clamped.output_tokens, clamped.reasoning_tokens) == (210, 210)


def test_an_irregular_report_is_flagged_even_within_bounds() -> None:
    usage = Usage(input_tokens=1, irregular=True)
    assert clamp(usage, context=100, output_limit=10, max_output=10) == (usage, True)


@pytest.mark.parametrize("field", [*_CLASS_FIELDS, "reasoning_tokens"])
@pytest.mark.parametrize("figure", [-1, 1.5, 0.0, True, "7", "", None, float("nan")])
def test_what_is_no_whole_number_counts_as_nothing(field: str, figure: Any) -> None:
    figures: dict[str, Any] = {"input_tokens": 1, "output_tokens": 5}
    usage, without = Usage(**{**figures, field: figure}), Usage(**{**figures, field: 0})
    clamped, capped = clamp(usage, context=100, output_limit=10, max_output=10)
    assert clamped == without
    assert [type(getattr(clamped, name)) for name in _FIELDS] == [int] * len(_FIELDS)
    assert capped == (usage != without)


@given(_any_usage, st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_is_believed_is_sound_bounded_and_stable(
    usage: Usage, context: int, output_limit: int, max_output: int
) -> None:
    clamped, capped = clamp(usage, context=context, output_limit=output_limit, max_output=max_output)
    figures = [getattr(clamped, name) for name in _FIELDS]
    assert all(type(figure) is int and 0 <= figure <= ABSURD for figure in figures)
    assert clamped.total_input_tokens <= context
    assert clamped.total_output_tokens <= output_limit + max_output
    assert clamped.reasoning_tokens <= clamped.output_tokens
    assert capped == (clamped != usage or usage.irregular)
    again, _ = clamp(clamped, context=context, output_limit=output_limit, max_output=max_output)
    assert again.total_input_tokens == clamped.total_input_tokens


@given(_any_usage)
def test_nothing_grows_by_being_doubted(usage: Usage) -> None:
    clamped, _ = clamp(usage, context=1000, output_limit=1000, max_output=1000)
    assert all(getattr(clamped, name) <= max(0, getattr(usage, name)) for name in _FIELDS)


def test_other_units_are_believed_up_to_what_the_request_could_come_to() -> None:
    usage = Usage(input_tokens=5, tool_calls=7, seconds=3, requests=2)
    bounds: dict[str, Any] = {"context": 100, "output_limit": 10, "max_output": 10}
    clamped, capped = clamp(usage, **bounds)
    assert (clamped, capped) == (Usage(input_tokens=5, requests=1), True)
    asked: dict[str, int] = {"tool_call": 5, "seconds": 3, "request": 2}
    assert clamp(usage, **bounds, units=asked) == (Usage(input_tokens=5, tool_calls=5, seconds=3, requests=2), True)
    enough = {**asked, "tool_call": 7}
    assert clamp(usage, **bounds, units=enough) == (usage, False)


def test_output_far_beyond_a_report_is_added_to_the_plain_class() -> None:
    usage = Usage(input_tokens=5, output_tokens=2, output_audio_tokens=3, reasoning_tokens=1)
    assert with_output(usage, 5) is usage
    assert with_output(usage, 10) is usage
    assert with_output(usage, 11) == Usage(input_tokens=5, output_tokens=8, output_audio_tokens=3, reasoning_tokens=1)


def test_a_later_report_counts_where_there_is_a_figure_in_it() -> None:
    first, second = Usage(input_tokens=9), Usage(input_tokens=9, output_tokens=4)
    assert later(None, None) is None
    assert later(None, UNSOUND) is UNSOUND
    assert later(first, None) is first
    assert later(first, second) is second
    assert later(UNSOUND, second) is second
    assert later(second, UNSOUND) == Usage(input_tokens=9, output_tokens=4, irregular=True)


def test_a_report_without_a_figure_is_nothing_to_go_by() -> None:
    assert figures_in(None) is None
    assert figures_in(UNSOUND) is None
    assert figures_in(Usage(reasoning_tokens=3)) is None
    one = Usage(output_tokens=1)
    assert figures_in(one) is one
