"""Gemini's usage metadata: who includes whom, modalities, and what a stream says last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reseller_kit.core.usage import ABSURD, Usage
from reseller_kit.wire.gemini_usage import read_usage, usage_object


def read(**members: Any) -> Usage | None:
    return read_usage(json.dumps(members).encode())


def details(**figures: int) -> list[dict[str, Any]]:
    return [{"modality": name.upper(), "tokenCount": figure} for name, figure in figures.items()]


_GOLDEN: list[tuple[str, dict[str, Any], Usage]] = [
    (
        "plain",
        {"promptTokenCount": 8, "candidatesTokenCount": 5, "totalTokenCount": 13},
        Usage(input_tokens=8, output_tokens=5),
    ),
    (
        "the prompt includes what was cached",
        {
            "promptTokenCount": 1000,
            "cachedContentTokenCount": 900,
            "candidatesTokenCount": 5,
            "totalTokenCount": 1005,
            "promptTokensDetails": details(text=1000),
            "cacheTokensDetails": details(text=900),
        },
        Usage(input_tokens=100, cached_input_tokens=900, output_tokens=5),
    ),
    (
        "candidates exclude thoughts",
        {"promptTokenCount": 8, "candidatesTokenCount": 5, "thoughtsTokenCount": 200, "totalTokenCount": 213},
        Usage(input_tokens=8, output_tokens=205, reasoning_tokens=200),
    ),
    (
        "candidates that include thoughts, as the total tells",
        {"promptTokenCount": 8, "candidatesTokenCount": 205, "thoughtsTokenCount": 200, "totalTokenCount": 213},
        Usage(input_tokens=8, output_tokens=205, reasoning_tokens=200),
    ),
    (
        "thoughts alone",
        {"promptTokenCount": 8, "thoughtsTokenCount": 200, "totalTokenCount": 208},
        Usage(input_tokens=8, output_tokens=200, reasoning_tokens=200),
    ),
    (
        "tool-use prompts add",
        {
            "promptTokenCount": 10,
            "toolUsePromptTokenCount": 500,
            "candidatesTokenCount": 20,
            "totalTokenCount": 530,
            "toolUsePromptTokensDetails": details(text=480, image=20),
        },
        Usage(input_tokens=490, input_image_tokens=20, output_tokens=20),
    ),
    (
        "a total above its parts",
        {"promptTokenCount": 10, "candidatesTokenCount": 20, "totalTokenCount": 130},
        Usage(input_tokens=110, output_tokens=20),
    ),
    (
        "no candidates but a total",
        {"promptTokenCount": 10, "totalTokenCount": 30},
        Usage(input_tokens=10, output_tokens=20),
    ),
    (
        "modalities",
        {
            "promptTokenCount": 100,
            "candidatesTokenCount": 60,
            "totalTokenCount": 160,
            "promptTokensDetails": details(text=10, audio=30, image=40, video=15, document=5),
            "candidatesTokensDetails": details(image=50, audio=4, text=6),
        },
        Usage(
            input_tokens=30,
            input_audio_tokens=30,
            input_image_tokens=40,
            output_tokens=6,
            output_audio_tokens=4,
            output_image_tokens=50,
        ),
    ),
    (
        "cached audio is cached input",
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 50,
            "promptTokensDetails": details(text=40, audio=60),
            "cacheTokensDetails": details(audio=50),
            "candidatesTokenCount": 1,
        },
        Usage(input_tokens=40, cached_input_tokens=50, input_audio_tokens=10, output_tokens=1),
    ),
    (
        "live",
        {"promptTokenCount": 10, "responseTokenCount": 20, "totalTokenCount": 30},
        Usage(input_tokens=10, output_tokens=20),
    ),
    (
        "more cached than there was",
        {"promptTokenCount": 10, "cachedContentTokenCount": 20, "candidatesTokenCount": 1},
        Usage(cached_input_tokens=10, output_tokens=1, irregular=True),
    ),
    (
        "absurd",
        {"promptTokenCount": -1, "candidatesTokenCount": 2**90, "promptTokensDetails": [7, {}, {"modality": []}]},
        Usage(output_tokens=ABSURD, irregular=True),
    ),
]


@pytest.mark.parametrize(("report", "usage"), [case[1:] for case in _GOLDEN], ids=[case[0] for case in _GOLDEN])
def test_known_shapes(report: dict[str, Any], usage: Usage) -> None:
    assert read(**report) == usage


@pytest.mark.parametrize(
    "raw", [b"null", b"[]", b"{}", b"{broken", b'{"trafficType":"ON_DEMAND"}', b'{"promptTokenCount":0}', b"[" * 99_999]
)
def test_what_is_no_report_is_none(raw: bytes) -> None:
    assert read_usage(raw) is None


def test_what_is_shown_is_the_shape_that_clients_know() -> None:
    assert usage_object(Usage(input_tokens=3, output_tokens=4)) == {
        "promptTokenCount": 3,
        "candidatesTokenCount": 4,
        "totalTokenCount": 7,
        "promptTokensDetails": details(text=3),
        "candidatesTokensDetails": details(text=4),
    }
    shown = usage_object(Usage(input_tokens=3, cached_input_tokens=2, output_tokens=4, reasoning_tokens=1))
    assert (shown["promptTokenCount"], shown["cachedContentTokenCount"]) == (5, 2)
    assert (shown["candidatesTokenCount"], shown["thoughtsTokenCount"], shown["totalTokenCount"]) == (3, 1, 9)
