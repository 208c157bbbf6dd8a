"""Images, speech, transcriptions, embeddings, rankings and moderations: what has a price is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reseller_kit.core.usage import Usage
from reseller_kit.wire.media_usage import (
    counted_by,
    embeddings_usage,
    embeddings_usage_object,
    images_usage,
    images_usage_object,
    moderation_usage,
    rerank_meta_object,
    rerank_usage,
    speech_usage,
    transcription_usage,
    transcription_usage_object,
)

TOKENS = {"input": 5, "output": 9}


def raw(**members: Any) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    ("kind", "prices", "unit", "tokens"),
    [
        ("images", {"images": 1}, True, False),
        ("images", {"input": 1, "output_image": 1}, False, True),
        ("images", TOKENS, False, True),
        ("images", {"input": 1}, False, False),
        ("transcriptions", {"seconds": 1}, True, False),
        ("transcriptions", {"seconds": 1, **TOKENS}, True, True),
        ("speech", {"characters": 1}, True, False),
        ("embeddings", {"input": 1}, False, True),
        ("rerank", {"request": 1}, True, False),
        ("moderations", {}, False, False),
    ],
)
def test_what_has_a_price_is_counted(kind: str, prices: dict[str, int], unit: bool, tokens: bool) -> None:  # noqa: FBT001
    by = counted_by(kind, prices)
    assert (by.unit, by.tokens, by.offered) == (unit, tokens, unit or tokens)


_IMAGES = raw(
    input_tokens=100,
    input_tokens_details={"image_tokens": 60, "text_tokens": 40, "cached_tokens": 10},
    output_tokens=500,
    output_tokens_details={"image_tokens": 480, "text_tokens": 20},
)


@pytest.mark.parametrize(
    ("report", "prices", "usage"),
    [
        (None, {"images": 1}, Usage(images=2)),
        (_IMAGES, {"images": 1}, Usage(images=2)),
        (None, TOKENS, None),
        (
            _IMAGES,
            TOKENS,
            Usage(
                input_tokens=30,
                cached_input_tokens=10,
                input_image_tokens=60,
                output_tokens=20,
                output_image_tokens=480,
            ),
        ),
        (raw(input_tokens=7, output_tokens=500), TOKENS, Usage(input_tokens=7, output_image_tokens=500)),
        (
            _IMAGES,
            {"input": 1, "output_image": 2, "images": 3},
            Usage(input_tokens=30, cached_input_tokens=10, input_image_tokens=60, output_image_tokens=500, images=2),
        ),
        (raw(input_tokens=7), {}, None),
        (
            raw(input_tokens=7, input_tokens_details={"image_tokens": 9}, output_tokens=1),
            TOKENS,
            Usage(input_image_tokens=7, output_image_tokens=1, irregular=True),
        ),
    ],
)
def test_images(report: bytes | None, prices: dict[str, int], usage: Usage | None) -> None:
    found = images_usage(report, images=2, prices=prices)
    assert found == usage
    shown = None if found is None else images_usage_object(found)
    if found is not None and shown is not None:
        assert shown["total_tokens"] == found.total_input_tokens + found.total_output_tokens
        again = images_usage(raw(**shown), images=2, prices=prices)
        assert again is not None
        assert again.quantities() == found.quantities()


@pytest.mark.parametrize(
    ("report", "seconds", "prices", "usage"),
    [
        (raw(type="duration", seconds=8), None, {"seconds": 1}, Usage(seconds=8)),
        (raw(type="duration", seconds=8.01), 3, {"seconds": 1}, Usage(seconds=9)),
        (
            raw(text="…", duration=12.4, usage={"type": "duration", "seconds": 13.0}),
            None,
            {"seconds": 1},
            Usage(seconds=13),
        ),
        (raw(text="…", duration=12.4), None, {"seconds": 1}, Usage(seconds=13)),
        (None, 30, {"seconds": 1}, Usage(seconds=30)),
        (None, None, {"seconds": 1}, None),
        (raw(seconds="x"), 30, {"seconds": 1}, Usage(seconds=30, irregular=True)),
        (raw(seconds=-4), None, {"seconds": 1}, None),
        (
            raw(
                type="tokens",
                input_tokens=14,
                input_token_details={"audio_tokens": 10, "text_tokens": 4},
                output_tokens=45,
            ),
            None,
            TOKENS,
            Usage(input_tokens=4, input_audio_tokens=10, output_tokens=45),
        ),
        (raw(type="duration", seconds=8), None, TOKENS, None),
        (None, 8, TOKENS, None),
    ],
)
def test_transcriptions(report: bytes | None, seconds: int | None, prices: dict[str, int], usage: Usage | None) -> None:
    found = transcription_usage(report, prices=prices, seconds=seconds)
    assert found == usage
    if found is not None and not found.irregular:
        assert transcription_usage(raw(**transcription_usage_object(found)), prices=prices) == found


def test_speech_is_charged_by_characters_alone() -> None:
    assert speech_usage("Grüße 👋", prices={"characters": 1}) == Usage(characters=7)
    # No answer tells its tokens: a model that has a price for these alone would give speech away.
    assert speech_usage("Hello", prices=TOKENS) is None
    assert not counted_by("speech", {"input": 1, "output_audio": 1}).offered


def test_embeddings() -> None:
    found = embeddings_usage(raw(prompt_tokens=8, total_tokens=8), prices={"input": 1})
    assert found == Usage(input_tokens=8)
    assert embeddings_usage_object(found) == {"prompt_tokens": 8, "total_tokens": 8}
    assert embeddings_usage(raw(total_tokens=9), prices={"input": 1}) == Usage(input_tokens=9)
    assert embeddings_usage(None, prices={"input": 1}) is None
    assert embeddings_usage(None, prices={"request": 1}) == Usage(requests=1)
    assert embeddings_usage(raw(prompt_tokens=8), prices={"request": 1, "input": 1}) == Usage(
        requests=1, input_tokens=8
    )


@pytest.mark.parametrize(
    ("report", "prices", "usage"),
    [
        (raw(billed_units={"search_units": 3}), {"request": 1}, Usage(requests=3)),
        (None, {"request": 1}, Usage(requests=1)),
        (raw(total_tokens=70), {"input": 1}, Usage(input_tokens=70)),
        (raw(billed_units={"input_tokens": 70}), {"input": 1}, Usage(input_tokens=70)),
        (raw(tokens={"input_tokens": 71}), {"input": 1}, Usage(input_tokens=71)),
        (raw(billed_units={"search_units": 2}), {"input": 1}, None),
        (raw(billed_units={"search_units": "x"}), {"request": 1}, Usage(requests=1, irregular=True)),
        (raw(total_tokens=70), {}, None),
    ],
)
def test_rankings(report: bytes | None, prices: dict[str, int], usage: Usage | None) -> None:
    found = rerank_usage(report, prices=prices)
    assert found == usage
    if found is not None and not found.irregular:
        assert rerank_usage(raw(**rerank_meta_object(found)), prices=prices) == found


def test_moderations() -> None:
    assert moderation_usage(prices={"request": 0}, tokens=9) == Usage(requests=1)
    assert moderation_usage(prices={"input": 1}, tokens=9) == Usage(input_tokens=9)
    assert moderation_usage(prices={}, tokens=9) is None
