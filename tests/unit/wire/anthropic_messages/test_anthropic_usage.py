"""Anthropic's usage objects: plain, in streams, over iterations; on which terms; written back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reseller_kit.core.usage import ABSURD, Usage
from reseller_kit.wire.anthropic_messages.usage import (
    NOTHING_REPORTED,
    Terms,
    add_report,
    delta_usage_object,
    read_usage,
    terms_of,
    usage_object,
    usage_of,
)


def stream(*reports: Any) -> Usage | None:
    known = NOTHING_REPORTED
    for report in reports:
        known = add_report(known, json.dumps(report).encode())
    return usage_of(known)


def plain(**members: Any) -> Usage | None:
    return read_usage(json.dumps(members).encode())


_START = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 70,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 1,
    "service_tier": "standard",
}


def test_input_excludes_what_the_cache_gave_and_took() -> None:
    assert plain(**_START) == Usage(
        input_tokens=25, cached_input_tokens=70, cache_write_tokens=100, cache_write_1h_tokens=200, output_tokens=1
    )


def test_thinking_is_a_part_of_the_output() -> None:
    found = plain(input_tokens=1, output_tokens=50, output_tokens_details={"thinking_tokens": 30})
    assert found == Usage(input_tokens=1, output_tokens=50, reasoning_tokens=30)


def test_writes_without_a_split_are_of_the_shorter_kind() -> None:
    assert plain(input_tokens=1, cache_creation_input_tokens=9, output_tokens=1) == Usage(
        input_tokens=1, cache_write_tokens=9, output_tokens=1
    )


@pytest.mark.parametrize(
    ("delta", "figures"),
    [
        ({"output_tokens": 40}, (25, 70, 100, 200, 40)),
        # Cumulative: it replaces, and is not added.
        ({"input_tokens": 30, "output_tokens": 40}, (30, 70, 100, 200, 40)),
        ({"cache_read_input_tokens": 90, "output_tokens": 40}, (25, 90, 100, 200, 40)),
        # The split of the start is kept where the delta has the total alone.
        ({"cache_creation_input_tokens": 300, "output_tokens": 40}, (25, 70, 100, 200, 40)),
        ({"cache_creation_input_tokens": 350, "output_tokens": 40}, (25, 70, 150, 200, 40)),
        ({"cache_creation_input_tokens": 150, "output_tokens": 40}, (25, 70, 0, 150, 40)),
        (
            {"cache_creation_input_tokens": 8, "cache_creation": {"ephemeral_1h_input_tokens": 3}, "output_tokens": 40},
            (25, 70, 0, 8, 40),
        ),
        # An input does not shrink to nothing.
        ({"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 40}, (25, 70, 100, 200, 40)),
        ({"input_tokens": None, "output_tokens": 40}, (25, 70, 100, 200, 40)),
        ({"input_tokens": 26, "cache_read_input_tokens": None, "output_tokens": 40}, (26, 70, 100, 200, 40)),
    ],
)
def test_a_delta_replaces_what_it_names(delta: dict[str, Any], figures: tuple[int, ...]) -> None:
    found = stream(_START, delta)
    assert found is not None
    assert figures == (
        found.input_tokens,
        found.cached_input_tokens,
        found.cache_write_tokens,
        found.cache_write_1h_tokens,
        found.output_tokens,
    )
    assert not found.irregular


def test_writes_that_grow_stay_of_the_one_kind_that_is_known() -> None:
    start = {"input_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 20, "ephemeral_5m_input_tokens": 0}}
    assert stream(start, {"cache_creation_input_tokens": 30, "output_tokens": 2}) == Usage(
        input_tokens=5, cache_write_1h_tokens=30, output_tokens=2
    )


def test_a_start_without_figures_is_made_good_by_the_delta() -> None:
    start = {"input_tokens": 0, "output_tokens": 0}
    assert stream(start) is None
    assert stream(start, {"input_tokens": 7, "output_tokens": 3}) == Usage(input_tokens=7, output_tokens=3)


def _iteration(kind: str, given: int, made: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "input_tokens": given, "output_tokens": made, **more}


def test_compaction_and_advice_are_charged_on_top_of_the_top_level() -> None:
    iterations = [
        _iteration("compaction", 180_000, 3500, cache_creation={"ephemeral_1h_input_tokens": 11}),
        _iteration("message", 23_000, 1000),
        _iteration("advisor_message", 800, 500, model="claude-opus-5", cache_read_input_tokens=40),
        _iteration("something_new", 1, 2),
    ]
    found = plain(input_tokens=23_000, output_tokens=1000, iterations=iterations)
    assert found == Usage(input_tokens=203_801, cached_input_tokens=40, cache_write_1h_tokens=11, output_tokens=5002)


def test_a_top_level_that_holds_every_iteration_is_charged_once() -> None:
    iterations = [_iteration("compaction", 100, 10), _iteration("message", 20, 5)]
    assert plain(input_tokens=120, output_tokens=15, iterations=iterations) == Usage(input_tokens=120, output_tokens=15)


def test_turns_of_a_tool_loop_are_in_the_top_level() -> None:
    iterations = [_iteration("message", 20, 5), _iteration("message", 30, 5), _iteration("fallback_message", 9, 9)]
    found = plain(input_tokens=50, output_tokens=10, iterations=iterations)
    assert found == Usage(input_tokens=50, output_tokens=10)


def test_searches_are_tool_calls_and_fetches_are_free() -> None:
    used = {"web_search_requests": 3, "web_fetch_requests": 5, "brand_new_requests": 1, "other": 9}
    assert plain(input_tokens=1, output_tokens=1, server_tool_use=used) == Usage(
        input_tokens=1, output_tokens=1, tool_calls=4
    )


@pytest.mark.parametrize(
    ("members", "usage"),
    [
        ({"input_tokens": -5, "output_tokens": 6}, Usage(output_tokens=6, irregular=True)),
        ({"input_tokens": 5.2, "output_tokens": 6}, Usage(input_tokens=6, output_tokens=6, irregular=True)),
        ({"input_tokens": "5", "output_tokens": True, "cache_read_input_tokens": 1}, Usage(cached_input_tokens=1)),
        ({"input_tokens": 1, "output_tokens": 2**80}, Usage(input_tokens=1, output_tokens=ABSURD, irregular=True)),
        (
            {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 9}},
            Usage(input_tokens=1, output_tokens=2, reasoning_tokens=2, irregular=True),
        ),
        ({"input_tokens": 1, "output_tokens": 2, "iterations": ["x", 5, {}]}, Usage(input_tokens=1, output_tokens=2)),
        (
            {"input_tokens": 1, "output_tokens": 2, "iterations": [{"type": ["message"]}]},
            Usage(input_tokens=1, output_tokens=2),
        ),
        ({"input_tokens": 1, "output_tokens": 2, "iterations": 7, "server_tool_use": []}, None),
    ],
)
def test_unsound_figures_are_replaced(members: dict[str, Any], usage: Usage | None) -> None:
    found = plain(**members)
    assert found is not None
    expected = usage or Usage(input_tokens=1, output_tokens=2)
    assert {**_figures(found)} == _figures(expected)
    if expected.irregular:
        assert found.irregular


def _figures(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in Usage.__struct_fields__ if name != "irregular"}


@pytest.mark.parametrize("raw", [b"null", b"[]", b"7", b"{}", b"{broken", b'{"\xff":1}', b"[" * 100_000])
def test_what_is_no_report_is_none_and_takes_nothing_back(raw: bytes) -> None:
    assert read_usage(raw) is None
    known = add_report(NOTHING_REPORTED, json.dumps(_START).encode())
    assert usage_of(add_report(known, raw)) == usage_of(known)


@pytest.mark.parametrize(
    ("members", "terms", "standard"),
    [
        ({}, Terms(), True),
        ({"service_tier": "standard", "speed": "standard", "inference_geo": "global"}, None, True),
        ({"inference_geo": "not_available"}, Terms(inference_geo="not_available"), True),
        ({"speed": "fast"}, Terms(speed="fast"), False),
        ({"service_tier": "priority"}, Terms(service_tier="priority"), False),
        ({"inference_geo": "us"}, Terms(inference_geo="us"), False),
        ({"speed": 7, "iterations": [{"model": "a"}, {"model": "a"}, {"model": None}]}, Terms(models=("a",)), True),
    ],
)
def test_the_terms_are_told(members: dict[str, Any], terms: Terms | None, standard: bool) -> None:  # noqa: FBT001
    found = terms_of(add_report(NOTHING_REPORTED, json.dumps(members).encode()))
    assert terms is None or found == terms
    assert found.standard == standard


def test_what_is_shown_is_the_shape_that_clients_know() -> None:
    usage = Usage(
        input_tokens=25,
        cached_input_tokens=70,
        cache_write_tokens=100,
        cache_write_1h_tokens=200,
        output_tokens=40,
        reasoning_tokens=30,
        tool_calls=2,
    )
    assert usage_object(usage) == {
        "input_tokens": 25,
        "cache_creation_input_tokens": 300,
        "cache_read_input_tokens": 70,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 40,
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
        "service_tier": "standard",
    }
    assert set(usage_object(Usage(input_tokens=1))) - set(delta_usage_object(Usage(input_tokens=1))) == {
        "cache_creation",
        "service_tier",
    }
