"""Every dialect's usage reports: each token in exactly one class, and what is shown reads back as what is charged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.catalog import TOKEN_CLASSES, PriceList
from reseller_kit.core.pricing import charge, complete
from reseller_kit.core.usage import Usage, clamp
from reseller_kit.wire import gemini_usage, media_usage
from reseller_kit.wire.anthropic_messages import usage as anthropic_usage
from reseller_kit.wire.openai_chat import usage as openai_usage
from reseller_kit.wire.openai_responses import usage as responses_usage

Read = Callable[[bytes], Usage | None]

READERS: Final[dict[str, Read]] = {
    "openai": openai_usage.read_usage,
    "responses": responses_usage.read_usage,
    "anthropic": anthropic_usage.read_usage,
    "gemini": gemini_usage.read_usage,
}
WRITERS: Final[dict[str, Callable[[Usage], bytes]]] = {
    "openai": openai_usage.usage_body,
    "responses": lambda usage: msgspec.json.encode(responses_usage.usage_object(usage)),
    "anthropic": lambda usage: msgspec.json.encode(anthropic_usage.usage_object(usage)),
    "gemini": lambda usage: msgspec.json.encode(gemini_usage.usage_object(usage)),
}
TOKEN_PRICES: Final = dict.fromkeys(TOKEN_CLASSES, 1)
PRICES: Final = {**TOKEN_PRICES, "images": 1, "seconds": 1, "characters": 1, "request": 1}
MEDIA: Final[dict[str, Read]] = {
    "images": lambda raw: media_usage.images_usage(raw, images=1, prices=TOKEN_PRICES),
    "images by both": lambda raw: media_usage.images_usage(raw, images=2, prices=PRICES),
    "transcription": lambda raw: media_usage.transcription_usage(raw, prices=TOKEN_PRICES),
    "seconds": lambda raw: media_usage.transcription_usage(raw, prices={"seconds": 1}),
    "embeddings": lambda raw: media_usage.embeddings_usage(raw, prices=TOKEN_PRICES),
    "rerank": lambda raw: media_usage.rerank_usage(raw, prices=TOKEN_PRICES),
    "search units": lambda raw: media_usage.rerank_usage(raw, prices={"request": 1}),
}

_figure = st.integers(0, 1000)


@st.composite
def token_usages(draw: st.DrawFn) -> Usage:
    fields = [name for name in Usage.__struct_fields__ if name.endswith("_tokens") and name != "reasoning_tokens"]
    sizes: dict[str, Any] = {name: draw(_figure) for name in fields}
    return Usage(**sizes, reasoning_tokens=draw(st.integers(0, sizes["output_tokens"])))


@pytest.mark.parametrize("dialect", READERS)
@given(usage=token_usages())
def test_what_is_shown_reads_back_as_what_is_charged(dialect: str, usage: Usage) -> None:
    total = usage.total_input_tokens + usage.total_output_tokens
    assert READERS[dialect](WRITERS[dialect](usage)) == (usage if total else None)


@given(usage=token_usages(), early=token_usages(), calls=st.integers(0, 3))
def test_a_stream_of_messages_reads_back_too(usage: Usage, early: Usage, calls: int) -> None:
    usage = msgspec.structs.replace(usage, tool_calls=calls)
    start = msgspec.structs.replace(usage, output_tokens=early.output_tokens, reasoning_tokens=0, tool_calls=0)
    known = anthropic_usage.NOTHING_REPORTED
    for report in (anthropic_usage.usage_object(start), anthropic_usage.delta_usage_object(usage)):
        known = anthropic_usage.add_report(known, msgspec.json.encode(report))
    found = anthropic_usage.usage_of(known)
    if usage.total_input_tokens + usage.total_output_tokens:
        assert found == usage


# Well-formed reports, with the totals that they are to come to.


@st.composite
def anthropic_reports(draw: st.DrawFn) -> tuple[dict[str, Any], int, int]:
    entries = draw(
        st.lists(st.tuples(st.sampled_from(["message", "compaction", "advisor_message"]), _anthropic_part()))
    )
    inside = [part for kind, part in entries if kind == "message"]
    top = _sum(inside) if inside else draw(_anthropic_part())
    outside = [part for kind, part in entries if kind != "message"]
    report = {**top, "iterations": [{**part, "type": kind} for kind, part in entries]}
    parts = [top, *outside]
    return report, sum(map(_anthropic_input, parts)), sum(part["output_tokens"] for part in parts)


def _anthropic_part() -> st.SearchStrategy[dict[str, Any]]:
    names = ("input_tokens", "cache_read_input_tokens", "short", "long", "output_tokens")
    return st.tuples(*[_figure] * len(names)).map(lambda figures: _with_split(dict(zip(names, figures, strict=True))))


def _with_split(figures: dict[str, int]) -> dict[str, Any]:
    short, long = figures.pop("short"), figures.pop("long")
    split = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}
    return {**figures, "cache_creation_input_tokens": short + long, "cache_creation": split}


def _sum(parts: list[dict[str, Any]]) -> dict[str, Any]:
    sums = {name: sum(part[name] for part in parts) for name in parts[0] if name != "cache_creation"}
    split = {name: sum(part["cache_creation"][name] for part in parts) for name in parts[0]["cache_creation"]}
    return {**sums, "cache_creation": split}


def _anthropic_input(part: dict[str, Any]) -> int:
    return int(part["input_tokens"] + part["cache_read_input_tokens"] + part["cache_creation_input_tokens"])


@st.composite
def gemini_reports(draw: st.DrawFn) -> tuple[dict[str, Any], int, int]:
    prompt, tools, made = draw(_modalities()), draw(_modalities()), draw(_modalities())
    given_total, tools_total, made_total = (sum(part.values()) for part in (prompt, tools, made))
    thoughts, cached = draw(_figure), draw(st.integers(0, given_total))
    report: dict[str, Any] = {
        "promptTokenCount": given_total,
        "promptTokensDetails": _as_list(prompt),
        "toolUsePromptTokenCount": tools_total,
        "toolUsePromptTokensDetails": _as_list(tools),
        "candidatesTokenCount": made_total,
        "candidatesTokensDetails": _as_list(made),
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": cached,
    }
    total = given_total + tools_total + made_total + thoughts
    report.update(draw(st.sampled_from([{}, {"totalTokenCount": total}])))
    return report, given_total + tools_total, made_total + thoughts


def _modalities() -> st.SearchStrategy[dict[str, int]]:
    return st.dictionaries(st.sampled_from(["TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT"]), _figure)


def _as_list(part: dict[str, int]) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": figure} for name, figure in part.items()]


@st.composite
def responses_reports(draw: st.DrawFn) -> tuple[dict[str, Any], int, int]:
    made, given_total = draw(_figure), draw(_figure)
    cached = draw(st.integers(0, given_total))
    written = draw(st.integers(0, given_total - cached))
    report = {
        "input_tokens": given_total,
        "input_tokens_details": {
            "cached_tokens": cached,
            "cache_write_tokens": written,
            "cache_write_tokens_details": {"ttl_12h_tokens": draw(st.integers(0, written)), "ttl_30m_tokens": 0},
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": draw(st.integers(0, made))},
        "total_tokens": given_total + made,
    }
    return report, given_total, made


def _check_sums(read: Read, case: tuple[dict[str, Any], int, int]) -> None:
    report, total_input, total_output = case
    found = read(json.dumps(report).encode())
    if not total_input + total_output:
        assert found is None
        return
    assert found is not None
    assert not found.irregular
    assert (found.total_input_tokens, found.total_output_tokens) == (total_input, total_output)
    # At one price for all, every token is paid for once: the charge is the number of tokens.
    flat = complete(PriceList(prices={"input": 1000, "output": 1000}))
    assert charge(flat, found.quantities()) == total_input + total_output


@given(anthropic_reports())
def test_anthropics_tokens_land_in_exactly_one_class(case: tuple[dict[str, Any], int, int]) -> None:
    _check_sums(anthropic_usage.read_usage, case)


@given(gemini_reports())
def test_geminis_tokens_land_in_exactly_one_class(case: tuple[dict[str, Any], int, int]) -> None:
    _check_sums(gemini_usage.read_usage, case)


@given(responses_reports())
def test_tokens_of_responses_land_in_exactly_one_class(case: tuple[dict[str, Any], int, int]) -> None:
    _check_sums(responses_usage.read_usage, case)


# Anything at all.

_NAMES: Final = [
    *("input_tokens", "output_tokens", "total_tokens", "prompt_tokens", "completion_tokens"),
    *("cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation", "iterations", "server_tool_use"),
    *("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "web_search_requests", "type", "message", "compaction"),
    *("input_tokens_details", "output_tokens_details", "input_token_details", "cached_tokens", "reasoning_tokens"),
    *("cache_write_tokens", "cache_write_tokens_details", "ttl_12h_tokens", "audio_tokens", "image_tokens"),
    *("text_tokens", "thinking_tokens", "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"),
    *("toolUsePromptTokenCount", "totalTokenCount", "cachedContentTokenCount", "promptTokensDetails", "modality"),
    *("candidatesTokensDetails", "cacheTokensDetails", "tokenCount", "AUDIO", "IMAGE", "seconds", "duration"),
    *("billed_units", "search_units", "usage"),
]
_leaf = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 50), st.integers(-(2**80), 2**80), st.floats(), st.sampled_from(_NAMES)
)
_anything = st.recursive(
    _leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=8),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(_NAMES), _anything, max_size=10))
def test_any_report_gives_sound_figures_or_none(document: dict[str, Any]) -> None:
    raw = json.dumps(document).encode()
    for read in (*READERS.values(), *MEDIA.values()):
        found = read(raw)
        if found is not None:
            _check_sound(found)


def _check_sound(usage: Usage) -> None:
    figures = [getattr(usage, field) for field in Usage.__struct_fields__ if field != "irregular"]
    assert all(type(figure) is int and figure >= 0 for figure in figures)
    assert usage.reasoning_tokens <= usage.output_tokens
    believed, _ = clamp(usage, context=1000, output_limit=100, max_output=1000)
    assert believed.total_input_tokens <= 1000


@given(st.binary(max_size=40))
def test_no_bytes_raise(noise: bytes) -> None:
    for read in (*READERS.values(), *MEDIA.values()):
        for raw in (noise, b'{"input_tokens":' + noise):
            found = read(raw)
            if found is not None:
                _check_sound(found)
