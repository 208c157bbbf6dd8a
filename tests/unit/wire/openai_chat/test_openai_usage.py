"""Usage reports of many shapes: each token in one class, once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reseller_kit.core.usage import Usage
from reseller_kit.wire.openai_chat.usage import read_any_usage, read_usage, usage_body


def read(report: Any) -> Usage | None:
    return read_usage(json.dumps(report).encode())


_GOLDEN: list[tuple[str, dict[str, Any], Usage]] = [
    (
        "plain",
        {"prompt_tokens": 25, "completion_tokens": 44, "total_tokens": 69},
        Usage(input_tokens=25, output_tokens=44),
    ),
    (
        "openai",
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 128,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        Usage(input_tokens=86, cached_input_tokens=1920, output_tokens=300, reasoning_tokens=128),
    ),
    (
        "openai audio",
        {
            "prompt_tokens": 100,
            "completion_tokens": 80,
            "total_tokens": 180,
            "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 50},
            "completion_tokens_details": {"audio_tokens": 60},
        },
        Usage(input_tokens=30, cached_input_tokens=20, input_audio_tokens=50, output_tokens=20, output_audio_tokens=60),
    ),
    (
        "null details",
        {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11, "prompt_tokens_details": None},
        Usage(input_tokens=5, output_tokens=6),
    ),
    (
        "deepseek",
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        Usage(input_tokens=36, cached_input_tokens=64, output_tokens=20),
    ),
    (
        "deepseek with both names",
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 64},
            "prompt_cache_hit_tokens": 64,
            "prompt_cache_miss_tokens": 36,
        },
        Usage(input_tokens=36, cached_input_tokens=64, output_tokens=20),
    ),
    (
        "openrouter",
        {
            "prompt_tokens": 1000,
            "completion_tokens": 50,
            "total_tokens": 1050,
            "cost": 0.95,
            "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 300, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 10, "image_tokens": 0},
        },
        Usage(
            input_tokens=100,
            cached_input_tokens=600,
            cache_write_tokens=300,
            output_tokens=50,
            reasoning_tokens=10,
        ),
    ),
    (
        "openrouter image",
        {
            "prompt_tokens": 10,
            "completion_tokens": 1300,
            "total_tokens": 1310,
            "completion_tokens_details": {"image_tokens": 1290},
        },
        Usage(input_tokens=10, output_tokens=10, output_image_tokens=1290),
    ),
    (
        "xai",
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "prompt_tokens_details": {"text_tokens": 32, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 6},
            "completion_tokens_details": {"reasoning_tokens": 94, "audio_tokens": 0},
        },
        Usage(input_tokens=26, cached_input_tokens=6, output_tokens=103, reasoning_tokens=94),
    ),
    (
        "gemini's thinking",
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 215},
        Usage(input_tokens=10, output_tokens=205, reasoning_tokens=200),
    ),
    (
        "moonshot",
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cached_tokens": 80},
        Usage(input_tokens=20, cached_input_tokens=80, output_tokens=20),
    ),
    (
        "litellm, prompt includes cache",
        {
            "prompt_tokens": 1000,
            "completion_tokens": 5,
            "total_tokens": 1005,
            "cache_read_input_tokens": 700,
            "cache_creation_input_tokens": 200,
            "prompt_tokens_details": {"cached_tokens": 700},
        },
        Usage(input_tokens=100, cached_input_tokens=700, cache_write_tokens=200, output_tokens=5),
    ),
    (
        "anthropic's names, prompt excludes cache",
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "total_tokens": 1005,
            "cache_read_input_tokens": 700,
            "cache_creation_input_tokens": 200,
        },
        Usage(input_tokens=100, cached_input_tokens=700, cache_write_tokens=200, output_tokens=5),
    ),
    (
        "anthropic's own shape",
        {
            "input_tokens": 100,
            "output_tokens": 5,
            "cache_read_input_tokens": 70,
            "cache_creation_input_tokens": 50,
            "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 20},
        },
        Usage(
            input_tokens=100,
            cached_input_tokens=70,
            cache_write_tokens=30,
            cache_write_1h_tokens=20,
            output_tokens=5,
        ),
    ),
    (
        "responses' names",
        {
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "input_tokens_details": {"cached_tokens": 70},
            "output_tokens_details": {"reasoning_tokens": 40},
        },
        Usage(input_tokens=30, cached_input_tokens=70, output_tokens=50, reasoning_tokens=40),
    ),
    (
        "writes by how long they are kept",
        {
            "input_tokens": 100,
            "input_tokens_details": {
                "cached_tokens": 20,
                "cache_write_tokens": 50,
                "cache_write_tokens_details": {"ttl_30m_tokens": 40, "ttl_12h_tokens": 10},
            },
            "output_tokens": 5,
            "total_tokens": 105,
        },
        Usage(
            input_tokens=30,
            cached_input_tokens=20,
            cache_write_tokens=40,
            cache_write_1h_tokens=10,
            output_tokens=5,
        ),
    ),
    (
        "reasoning larger than an output without total",
        {"prompt_tokens": 1, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 50}},
        Usage(input_tokens=1, output_tokens=55, reasoning_tokens=50),
    ),
    ("no completion", {"prompt_tokens": 7, "total_tokens": 9}, Usage(input_tokens=7, output_tokens=2)),
]


@pytest.mark.parametrize(("report", "usage"), [case[1:] for case in _GOLDEN], ids=[case[0] for case in _GOLDEN])
def test_known_shapes(report: dict[str, Any], usage: Usage) -> None:
    assert read(report) == usage


@pytest.mark.parametrize(
    ("report", "usage"),
    [
        ({"prompt_tokens": -5, "completion_tokens": 6}, Usage(output_tokens=6)),
        ({"prompt_tokens": 5.2, "completion_tokens": 6}, Usage(input_tokens=6, output_tokens=6)),
        ({"prompt_tokens": "5", "completion_tokens": 6}, Usage(output_tokens=6)),
        ({"prompt_tokens": True, "completion_tokens": 6}, Usage(output_tokens=6)),
        ({"prompt_tokens": 5, "completion_tokens": 2**80}, Usage(input_tokens=5, output_tokens=2**40)),
        (
            {"prompt_tokens": 5, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(cached_input_tokens=5, output_tokens=6),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 6,
                "total_tokens": 11,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            Usage(input_tokens=5, output_tokens=6, reasoning_tokens=6),
        ),
    ],
)
def test_unsound_figures_are_replaced_and_marked(report: dict[str, Any], usage: Usage) -> None:
    found = read(report)
    assert found is not None
    assert found.irregular
    assert {**_figures(found)} == _figures(usage)


@pytest.mark.parametrize(
    "raw",
    [
        b"null",
        b"[]",
        b"7",
        b"{}",
        b"{broken",
        b'{"prompt_tokens":1e999}',
        b'{"\xff":1}',
        b"[" * 100_000,
        b'{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}',
        b'{"completion_tokens":5}',
        b'{"prompt_tokens":null,"completion_tokens":null}',
    ],
)
def test_what_is_no_report_is_none(raw: bytes) -> None:
    assert read_usage(raw) is None


def _figures(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in Usage.__struct_fields__ if name != "irregular"}


_count = st.integers(0, 1000)
_odd = st.one_of(_count, st.none(), st.integers(-5, 2**70), st.floats(), st.text(max_size=2), st.booleans())
_details = st.dictionaries(
    st.sampled_from(
        ["cached_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "cache_write_tokens", "text_tokens"]
    ),
    _odd,
)
_report = st.dictionaries(
    st.sampled_from(
        [
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "input_tokens",
            "prompt_cache_hit_tokens",
            "cached_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
        ]
    ),
    _odd,
)


@given(_report, _details | st.none(), _details | st.none())
def test_any_report_gives_sound_figures_or_none(report: dict[str, Any], prompt: Any, completion: Any) -> None:
    found = read({**report, "prompt_tokens_details": prompt, "completion_tokens_details": completion})
    if found is not None:
        assert all(type(figure) is int and figure >= 0 for figure in _figures(found).values())
        assert found.reasoning_tokens <= found.output_tokens


@given(
    st.fixed_dictionaries({"prompt_tokens": _count, "completion_tokens": _count}),
    st.dictionaries(st.sampled_from(["cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"]), _count),
    st.dictionaries(st.sampled_from(["reasoning_tokens", "audio_tokens", "image_tokens"]), _count),
)
def test_each_token_lands_in_exactly_one_class(
    report: dict[str, int], prompt: dict[str, int], completion: dict[str, int]
) -> None:
    total = report["prompt_tokens"] + report["completion_tokens"]
    assume(total > 0)
    document = {**report, "prompt_tokens_details": prompt, "completion_tokens_details": completion}
    found = read({**document, "total_tokens": total})
    assert found is not None
    if prompt.get("cached_tokens", 0) + prompt.get("cache_write_tokens", 0) == 0:
        assert found.cached_input_tokens == found.cache_write_tokens == 0
    assert found.total_input_tokens == report["prompt_tokens"]
    assert found.total_output_tokens == report["completion_tokens"]
    assert found.cached_input_tokens <= prompt.get("cached_tokens", 0)
    assert sum(found.quantities().values()) == total


@given(_count, _count, _count, _count, _odd)
def test_the_short_cut_gives_what_the_long_way_gives(
    prompt: int, completion: int, cached: int, reasoning: int, total: Any
) -> None:
    for figure in (total, prompt + completion, prompt + completion + reasoning):
        raw = json.dumps(
            {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": figure,
                "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": reasoning},
            }
        ).encode()
        assert read_usage(raw) == read_any_usage(raw)


@given(st.lists(_count, min_size=10, max_size=10))
def test_what_is_shown_reads_back_as_what_is_charged(figures: list[int]) -> None:
    fields = [name for name in Usage.__struct_fields__ if name.endswith("_tokens")]
    assert len(fields) == 10
    sizes: dict[str, Any] = dict(zip(fields, figures, strict=True))
    sizes["reasoning_tokens"] = min(sizes["reasoning_tokens"], sizes["output_tokens"])
    usage = Usage(**sizes)
    shown = json.loads(usage_body(usage))
    assert shown["total_tokens"] == usage.total_input_tokens + usage.total_output_tokens
    assert read(shown) == (usage if shown["total_tokens"] else None)
